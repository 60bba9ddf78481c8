"""Trino's grammar on sqlglot: every function call stays a call under its own name."""

from __future__ import annotations

import re
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

from services.athena.dialect import strict_syntax
from services.athena.dialect.pattern_parsing import RowPatternParsing
from services.athena.dialect.pattern_parsing import words as _words
from services.athena.errors import SqlRefused

_OWN_SYNTAX = (
    "CAST",
    "TRY_CAST",
    "EXTRACT",
    "TRIM",
    "POSITION",
    "SUBSTRING",
    "NORMALIZE",
    "LISTAGG",
)


class _Literals(dict[Any, Any]):
    """`TIMESTAMP '…'` is a literal, not a cast: the node remembers it."""

    def get(self, key: Any, default: Any = None) -> Any:
        return _literal


def _literal(parser: Any, this: Any, kind: Any) -> Any:
    node = exp.Cast(this=this, to=kind)
    node.meta["literal"] = True
    return node


def _json_call(name: str) -> Any:
    def parse(parser: Any) -> Any:
        return _parse_json_call(parser, name)

    return parse


def _on(parser: Any) -> dict[str, Any]:
    """`NULL ON EMPTY ERROR ON ERROR`, `DEFAULT x ON EMPTY`."""
    found: dict[str, Any] = {}
    while True:
        value: Any = None
        if _words(parser, "NULL", "ON"):
            value = "null"
        elif _words(parser, "ERROR", "ON"):
            value = "error"
        elif _words(parser, "EMPTY", "ARRAY", "ON"):
            value = "empty array"
        elif _words(parser, "EMPTY", "OBJECT", "ON"):
            value = "empty object"
        elif _words(parser, "TRUE", "ON"):
            value = "true"
        elif _words(parser, "FALSE", "ON"):
            value = "false"
        elif _words(parser, "UNKNOWN", "ON"):
            value = "null"
        elif _words(parser, "DEFAULT"):
            value = parser._parse_bitwise()
            if not _words(parser, "ON"):
                parser.raise_error("Expected ON")
        else:
            return found
        if _words(parser, "EMPTY"):
            found["empty"] = value
        elif _words(parser, "ERROR"):
            found["error"] = value
        elif _words(parser, "NULL"):
            found["null"] = value
        else:
            parser.raise_error("Expected EMPTY, ERROR or NULL")


def _format_json(parser: Any) -> bool:
    if _words(parser, "FORMAT", "JSON"):
        if _words(parser, "ENCODING"):
            parser._advance()
        return True
    return False


def _parse_json_call(parser: Any, name: str) -> Any:
    options: dict[str, Any] = {}
    arguments: list[Any] = []
    if name == "json_object":
        options["pairs"] = _pairs(parser)
    elif name == "json_array":
        while parser._curr and parser._curr.token_type != TokenType.R_PAREN:
            if _words_ahead(parser):
                break
            value = parser._parse_disjunction()
            arguments.append(("json", value) if _format_json(parser) else ("value", value))
            if not parser._match(TokenType.COMMA):
                break
    else:
        arguments.append(parser._parse_disjunction())
        options["format_json"] = _format_json(parser)
        parser._match(TokenType.COMMA)
        arguments.append(parser._parse_disjunction())
        if _words(parser, "PASSING"):
            options["passing"] = parser._parse_csv(lambda: _passed(parser))
    if _words(parser, "ABSENT", "ON", "NULL"):
        options["absent"] = True
    if _words(parser, "WITHOUT", "UNIQUE"):
        _words(parser, "KEYS")
    if _words(parser, "WITH", "UNIQUE"):
        options["unique"] = True
        _words(parser, "KEYS")
    if _words(parser, "RETURNING"):
        options["returning"] = parser._parse_types()
        _format_json(parser)
    for words, value in ((("WITHOUT", "ARRAY", "WRAPPER"), None), (("WITHOUT", "WRAPPER"), None),
                         (("WITH", "CONDITIONAL", "ARRAY", "WRAPPER"), "conditional"),
                         (("WITH", "CONDITIONAL", "WRAPPER"), "conditional"),
                         (("WITH", "UNCONDITIONAL", "ARRAY", "WRAPPER"), "always"),
                         (("WITH", "UNCONDITIONAL", "WRAPPER"), "always"),
                         (("WITH", "ARRAY", "WRAPPER"), "always"), (("WITH", "WRAPPER"), "always")):  # fmt: skip
        if _words(parser, *words):
            options["wrapper"] = value
            break
    for words, value in ((("KEEP", "QUOTES"), True), (("OMIT", "QUOTES"), False)):
        if _words(parser, *words):
            options["quotes"] = value
            _words(parser, "ON", "SCALAR", "STRING")
    options |= _on(parser)
    node = exp.Anonymous(
        this=name, expressions=[a[1] if isinstance(a, tuple) else a for a in arguments]
    )
    if name == "json_array":
        options["formats"] = [a[0] == "json" for a in arguments]
    node.meta["options"] = options
    return node


def _words_ahead(parser: Any) -> bool:
    text = parser._curr.text.upper()
    following = parser._next.text.upper() if parser._next else ""
    return (text in ("NULL", "ABSENT") and following == "ON") or text == "RETURNING"


def _passed(parser: Any) -> Any:
    value = parser._parse_disjunction()
    is_json = _format_json(parser)
    _words(parser, "AS")
    return (value, parser._parse_id_var(), is_json)


def _pairs(parser: Any) -> list[Any]:
    pairs: list[Any] = []
    while parser._curr and parser._curr.token_type != TokenType.R_PAREN:
        if _words_ahead(parser):
            break
        _words(parser, "KEY")
        key = parser._parse_bitwise()
        if not parser._match(TokenType.COLON) and not _words(parser, "VALUE"):
            parser.raise_error("Expected VALUE or :")
        value = parser._parse_disjunction()
        pairs.append((key, value, _format_json(parser)))
        if not parser._match(TokenType.COMMA):
            break
    return pairs


_AFTER_VALUES = frozenset({
    TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT, TokenType.ORDER_BY, TokenType.LIMIT,
    TokenType.OFFSET, TokenType.FETCH,
})  # fmt: skip


def _is_query_of_values(parser: Any) -> bool:
    """Does `(VALUES …` ahead hold more than rows, directly inside its parentheses?"""
    if parser._curr is None or parser._curr.token_type != TokenType.L_PAREN:
        return False
    if parser._next is None or parser._next.token_type != TokenType.VALUES:
        return False
    depth = 0
    for token in parser._tokens[parser._index :]:
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
        if depth == 0:
            return False
        if depth == 1 and token.token_type in _AFTER_VALUES:
            return True
    return False


class TrinoSql(Trino):
    """sqlglot's Trino without its rewriting of functions and indexes."""

    INDEX_OFFSET = 0

    class Parser(RowPatternParsing, Trino.Parser):  # type: ignore[misc, valid-type]
        def parse(self, raw_tokens: Any, sql: str) -> Any:
            strict_syntax.check(raw_tokens)
            return super().parse(raw_tokens, sql)

        def raise_error(self, message: str, token: Any = None) -> None:
            """At the end of the text Trino names `<EOF>`."""
            if not token and not self._curr and self._prev:
                line, column = strict_syntax.place(self._prev)
                column += self._prev.end - self._prev.start + 1
                raise SqlRefused("mismatched input '<EOF>'", line, column)
            super().raise_error(message, *([token] if token else []))

        def _parse_unary(self) -> Any:
            """Every operand remembers its first and last sign: errors point there."""
            first = self._curr
            node = super()._parse_unary()
            if node is not None and first is not None and "at" not in node.meta:
                node.meta["at"] = (first.start, first.line, first.col - (first.end - first.start))
                node.meta["to"] = self._prev.end
            return node

        def _parse_derived_table_values(self, *args: Any, **rest: Any) -> Any:
            """`(VALUES … UNION …)` and `(VALUES … ORDER BY …)` are queries, not lists of rows."""
            if _is_query_of_values(self):
                return None
            return super()._parse_derived_table_values(*args, **rest)

        FUNCTIONS: dict[str, Any] = {}  # noqa: RUF012
        FUNCTION_PARSERS = {  # noqa: RUF012
            **{k: v for k, v in Trino.Parser.FUNCTION_PARSERS.items() if k in _OWN_SYNTAX},
            **{
                name.upper(): _json_call(name)
                for name in ("json_query", "json_value", "json_exists", "json_object", "json_array")
            },
        }
        TYPE_LITERAL_PARSERS = _Literals()
        NO_PAREN_FUNCTION_PARSERS = {  # noqa: RUF012
            k: v
            for k, v in Trino.Parser.NO_PAREN_FUNCTION_PARSERS.items()
            if k in ("CASE", "IF", "ANY")
        }


_DIALECT = TrinoSql()


_IMMEDIATE = re.compile(r"\s*EXECUTE\s+IMMEDIATE\s+'((?:[^']|'')*)'\s*$", re.IGNORECASE)


def parse(sql: str) -> exp.Expr:
    """One statement's tree. Raises SqlRefused with line and column."""
    _no_backquotes(sql)
    immediate = _IMMEDIATE.match(sql)
    if immediate:
        return parse(immediate[1].replace("''", "'"))
    try:
        trees = sqlglot.parse(sql, read=_DIALECT)
    except sqlglot.errors.SqlglotError as error:
        raise _refused(error) from None
    except RecursionError:
        raise SqlRefused(
            "statement is too large (stack overflow while parsing)", 1, 1, "STATEMENT_TOO_LARGE"
        ) from None
    found = [tree for tree in trees if tree is not None]
    if len(found) == 1 and isinstance(found[0], exp.Select) and not found[0].expressions:
        last = sql.rstrip()
        raise SqlRefused(
            "mismatched input '<EOF>'", sql.count("\n") + 1, len(last) - (last.rfind("\n") + 1) + 1
        )
    if len(found) != 1:
        raise SqlRefused("Only one sql statement is allowed. Got: " + sql[:80], 1, 1)
    found[0].meta["sql"] = sql
    return found[0]


_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)


def _no_backquotes(sql: str) -> None:
    if "`" not in sql:
        return
    at = _QUOTED.sub(lambda found: " " * len(found[0]), sql).find("`")
    if at >= 0:
        raise SqlRefused(
            "backquoted identifiers are not supported; use double quotes to quote identifiers",
            sql.count("\n", 0, at) + 1,
            at - (sql.rfind("\n", 0, at) + 1) + 1,
        )


def _refused(error: Any, sql: str = "") -> SqlRefused:
    found = (getattr(error, "errors", None) or [{}])[0]
    word, line, column = found.get("highlight") or "", found.get("line"), found.get("col")
    if line is None and (
        quote := re.search(r"Missing ('|\") from (\d+):(\d+)", f"{error} {error.__cause__}")
    ):
        return SqlRefused(f"mismatched input '{quote[1]}'", int(quote[2]), int(quote[3]) + 1)
    if line is None:
        return SqlRefused(re.sub(r"\s+", " ", str(error))[:300], 1, 1)
    return SqlRefused(f"mismatched input '{word or '<EOF>'}'", line, max(1, column - len(word) + 1))


_OPERATORS: dict[type, str] = {
    exp.Add: r"\+", exp.Sub: "-", exp.Mul: r"\*", exp.Div: "/", exp.Mod: "%", exp.EQ: "=",
    exp.NEQ: "<>|!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.DPipe: r"\|\|",
    exp.And: r"\bAND\b", exp.Or: r"\bOR\b", exp.Union: r"\bUNION\b", exp.Except: r"\bEXCEPT\b",
    exp.Intersect: r"\bINTERSECT\b", exp.Like: r"\b(?:NOT\s+)?LIKE\b",
    exp.Between: r"\b(?:NOT\s+)?BETWEEN\b", exp.Is: r"\bIS\b",
}  # fmt: skip
_WORDS_BEFORE: dict[type, str] = {
    exp.Cast: r"\bCAST\s*\(\s*(?:\w+\s*)?$", exp.TryCast: r"\bTRY_CAST\s*\(\s*(?:\w+\s*)?$", exp.Neg: r"-$", exp.Not: r"\bNOT$",
    exp.Case: r"\bCASE(?:\s+WHEN)?$", exp.Array: r"\bARRAY\s*\[$", exp.If: r"\bIF\s*\($",
    exp.Extract: r"\bEXTRACT\s*\(\s*\w+\s+FROM$",
    exp.Substring: r"\bSUBSTRING\s*\($",
}  # fmt: skip


def position(node: Any) -> tuple[int | None, int | None]:
    """Line and column, from 1, where Trino points: an operator's sign, a form's first word, else
    the leftmost name below the node."""
    if node is None:
        return (None, None)
    sql = node.root()._meta.get("sql") if node.root()._meta else None
    first = node.meta["at"] if "at" in node.meta else _leftmost(node)
    if sql is None or first is None:
        return (first[1], first[2]) if first else (None, None)
    at = _operator_at(sql, node)
    if at is None:
        at = _word_at(sql, node, first[0])
    if at is None:
        return (first[1], first[2])
    return sql.count("\n", 0, at) + 1, at - (sql.rfind("\n", 0, at) + 1) + 1


def _operator_at(sql: str, node: Any) -> int | None:
    sign = _OPERATORS.get(type(node))
    left = node.args.get("this")
    if sign is None or not isinstance(left, exp.Expr):
        return None
    ends = [n._meta["to"] for n in left.walk() if n._meta and "to" in n._meta]
    ends = ends or [n._meta["end"] for n in left.walk() if n._meta and "end" in n._meta]
    found = re.compile(sign, re.IGNORECASE).search(sql, max(ends) + 1) if ends else None
    return found.start() if found else None


def _word_at(sql: str, node: Any, start: int) -> int | None:
    word = _WORDS_BEFORE.get(type(node))
    found = re.search(word, sql[:start].rstrip(), re.IGNORECASE) if word else None
    return found.start() if found else None


def _leftmost(node: Any) -> tuple[int, int, int] | None:
    best: tuple[int, int, int] | None = None
    for found in node.walk():
        meta = found._meta
        if meta and "at" in meta and (best is None or meta["at"][0] < best[0]):
            best = meta["at"]
        if meta and "line" in meta and (best is None or meta["start"] < best[0]):
            best = (meta["start"], meta["line"], meta["col"] - (meta["end"] - meta["start"]))
    return best
