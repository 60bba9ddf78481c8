"""The syntax of MATCH_RECOGNIZE and of pattern windows, on sqlglot's parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp
from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

from services.athena.dialect import row_patterns

_TEXTS = (TokenType.STRING, TokenType.IDENTIFIER)


@dataclass
class PatternClauses:
    """The clauses both forms share. Names of labels are as CLASSIFIER() shows them."""

    measures: list[tuple[Any, str]] = field(default_factory=list)
    rows: str = "ONE"
    after: tuple[str, str] = ("past", "")
    seek: bool = False
    pattern: Any = None
    subsets: dict[str, list[str]] = field(default_factory=dict)
    define: list[tuple[str, Any]] = field(default_factory=list)

    def __deepcopy__(self, memo: Any) -> PatternClauses:
        return self


class RowPattern(exp.Expression):
    """`this` MATCH_RECOGNIZE (…) alias; the clauses are in `meta`."""

    arg_types = {"this": True, "partition_by": False, "order": False, "alias": False}  # noqa: RUF012


def words(parser: Any, *expected: str) -> bool:
    """Take these words, in any case, or nothing."""
    index = parser._index
    for word in expected:
        token = parser._curr
        if token is None or token.token_type in _TEXTS or token.text.upper() != word:
            parser._retreat(index)
            return False
        parser._advance()
    return True


class RowPatternParsing:
    """Mixed into the parser: hooks where a pattern may stand."""

    _in_pattern = False

    def _parse_table(self: Any, schema: bool = False, joins: bool = False, **rest: Any) -> Any:
        this = super()._parse_table(schema, joins=False, **rest)  # type: ignore[misc]
        while this is not None and self._match(TokenType.MATCH_RECOGNIZE):
            this = self._match_recognize(this)
        if joins and this is not None:
            for join in self._parse_joins():
                this.append("joins", join)
        return this

    def _match_recognize(self: Any, this: Any) -> Any:
        self._match_l_paren()
        partition, order = self._parse_partition_by(), self._parse_order()
        clauses = PatternClauses()
        self._measures(clauses)
        if words(self, "ONE", "ROW", "PER", "MATCH"):
            clauses.rows = "ONE"
        elif words(self, "ALL", "ROWS", "PER", "MATCH"):
            clauses.rows = "ALL"
            if words(self, "OMIT", "EMPTY", "MATCHES"):
                clauses.rows = "OMIT"
            elif words(self, "WITH", "UNMATCHED", "ROWS"):
                clauses.rows = "UNMATCHED"
            else:
                words(self, "SHOW", "EMPTY", "MATCHES")
        self._pattern_clauses(clauses)
        self._match_r_paren()
        node = RowPattern(
            this=this, partition_by=partition, order=order, alias=self._parse_table_alias()
        )
        node.meta["clauses"] = clauses
        return node

    def _measures(self: Any, clauses: PatternClauses) -> None:
        if words(self, "MEASURES"):
            clauses.measures = self._parse_csv(self._measure)

    def _measure(self: Any) -> tuple[Any, str]:
        value = self._pattern_expression()
        if not words(self, "AS"):
            self.raise_error("Expected AS")
        return value, self._parse_id_var(any_token=True).name

    def _pattern_expression(self: Any) -> Any:
        before, self._in_pattern = self._in_pattern, True
        try:
            return self._parse_disjunction()
        finally:
            self._in_pattern = before

    def _pattern_clauses(self: Any, clauses: PatternClauses) -> None:
        if words(self, "AFTER", "MATCH", "SKIP"):
            clauses.after = self._skip()
        if words(self, "SEEK"):
            clauses.seek = True
        else:
            words(self, "INITIAL")
        if not words(self, "PATTERN"):
            self.raise_error("Expected PATTERN")
        clauses.pattern = self._pattern()
        if words(self, "SUBSET"):
            clauses.subsets = dict(self._parse_csv(self._subset))
        if not words(self, "DEFINE"):
            self.raise_error("Expected DEFINE")
        clauses.define = self._parse_csv(self._definition)

    def _skip(self: Any) -> tuple[str, str]:
        if words(self, "PAST", "LAST", "ROW"):
            return "past", ""
        if words(self, "TO", "NEXT", "ROW"):
            return "next", ""
        if not words(self, "TO"):
            self.raise_error("Expected TO")
        following = self._next.text if self._next is not None else ")"
        if following.isidentifier() and following.upper() not in ("PATTERN", "SEEK", "INITIAL"):
            if words(self, "FIRST"):
                return "first", self._label()
            words(self, "LAST")
        return "last", self._label()

    def _label(self: Any) -> str:
        name = self._parse_id_var(any_token=True)
        if name is None:
            self.raise_error("Expected a pattern variable")
        return label_name(name)

    def _subset(self: Any) -> tuple[str, list[str]]:
        name = self._label()
        if not self._match(TokenType.EQ):
            self.raise_error("Expected =")
        return name, self._parse_wrapped_csv(self._label)

    def _definition(self: Any) -> tuple[str, Any]:
        name = self._label()
        if not words(self, "AS"):
            self.raise_error("Expected AS")
        return name, self._pattern_expression()

    def _pattern(self: Any) -> Any:
        """Everything between the parentheses, in words and signs."""
        self._match_l_paren()
        tokens: list[tuple[str, bool]] = []
        depth = 1
        while self._curr is not None and self._curr.token_type != TokenType.SENTINEL:
            token = self._curr
            depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
            if depth == 0:
                break
            tokens += _pieces(token)
            self._advance()
        start = self._prev
        self._match_r_paren()
        try:
            return row_patterns.parsed(tokens)
        except row_patterns.PatternRefused as error:
            return self.raise_error(str(error), start)

    def _parse_unary(self: Any) -> Any:
        """`RUNNING LAST(x)`, `FINAL sum(x)` inside a pattern's expressions; `measure OVER w`."""
        frame = None
        if self._in_pattern and self._curr.text.upper() in ("RUNNING", "FINAL"):
            ahead = self._tokens[self._index + 2 : self._index + 3]
            if ahead and ahead[0].token_type == TokenType.L_PAREN:
                frame = self._curr.text.upper()
                self._advance()
        node = super()._parse_unary()  # type: ignore[misc]
        if frame is not None and node is not None:
            called = node.find(exp.Anonymous, exp.GroupConcat)
            if called is not None:
                called.meta["frame"] = frame
        if isinstance(node, exp.Column) and self._curr.token_type == TokenType.OVER:
            return self._parse_window(node)
        return node

    # --- windows

    def _parse_window(self: Any, this: Any, alias: bool = False) -> Any:
        if not self._pattern_window_ahead(alias):
            return super()._parse_window(this, alias=alias)  # type: ignore[misc]
        self._match(TokenType.ALIAS if alias else TokenType.OVER)
        self._match_l_paren()
        base = None
        if self._curr.text.upper() not in ("PARTITION", "ORDER", "MEASURES", "ROWS"):
            base = self._parse_id_var(any_token=False)
        partition, order = self._parse_partition_by(), self._parse_order()
        clauses = PatternClauses()
        self._measures(clauses)
        if not self._match(TokenType.ROWS):
            self.raise_error("Expected ROWS")
        self._match(TokenType.BETWEEN)
        start = self._parse_window_spec()
        end = self._parse_window_spec() if self._match(TokenType.AND) else {}
        self._pattern_clauses(clauses)
        self._match_r_paren()
        spec = exp.WindowSpec(
            kind="ROWS", start=start["value"], start_side=start["side"],
            end=end.get("value"), end_side=end.get("side"),
        )  # fmt: skip
        window = exp.Window(this=this, partition_by=partition, order=order, spec=spec, alias=base)
        window.meta["clauses"] = clauses
        return window

    def _pattern_window_ahead(self: Any, alias: bool) -> bool:
        """Does `OVER (` or `w AS (` hold PATTERN directly inside its parentheses?"""
        wanted = TokenType.ALIAS if alias else TokenType.OVER
        if self._curr is None or self._curr.token_type != wanted or self._next is None:
            return False
        if self._next.token_type != TokenType.L_PAREN:
            return False
        depth = 0
        for place in range(self._index + 1, len(self._tokens)):
            token = self._tokens[place]
            depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
            if depth == 0:
                return False
            if depth == 1 and token.text.upper() == "PATTERN":
                following = self._tokens[place + 1 : place + 2]
                if following and following[0].token_type == TokenType.L_PAREN:
                    return True
        return False


def label_name(identifier: Any) -> str:
    """A label as CLASSIFIER() shows it: upper case unless it is quoted."""
    name = str(identifier.name)
    return name if identifier.args.get("quoted") else name.upper()


def _pieces(token: Any) -> list[tuple[str, bool]]:
    """sqlglot's tokens are not the pattern's: `{-`, `?`, `+?` and `||` come in many shapes."""
    text = str(token.text)
    if token.token_type == TokenType.IDENTIFIER:
        return [(text, True)]
    if text and (text[0].isalpha() or text[0] == "_"):
        return [(text.upper(), True)]
    if text.isdigit():
        return [(text, False)]
    return [(sign, False) for sign in text]
