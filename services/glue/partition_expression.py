"""The filter of GetPartitions: `year = '2024' AND (month IN (1, 2) OR day LIKE '0%')`.

Pure. The language is the one of the API reference (comparisons, IN, BETWEEN, LIKE, IS NULL,
AND, OR, NOT, brackets), values are compared as the partition key's type.
https://docs.aws.amazon.com/glue/latest/webapi/API_GetPartitions.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NamedTuple

from services.glue.errors import GlueError, invalid_input

#: The value Hive, Spark and Athena write for a partition key that is NULL.
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"

#: A row of partition values by key name, in lower case, as text.
Values = Mapping[str, str]
#: Partition keys by name, in lower case, with their type.
KeyTypes = Mapping[str, str]
#: True, False, or None for SQL's unknown.
Condition = Callable[[Values], bool | None]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?![\w.]))
      | (?P<string>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
      | (?P<word>[^\W\d][\w.]*|\d\w*[^\W\d]\w*)
      | (?P<symbol><>|!=|<=|>=|==|[=<>(),])
    )""",
    re.VERBOSE,
)
INTEGER_TYPES = frozenset({"bigint", "long", "int", "integer", "smallint", "tinyint"})
TEXT_TYPES = frozenset({"string", "char", "varchar"})
#: Words before a quoted value that only name its type: `date '2024-01-01'`.
TYPE_WORDS = frozenset({"date", "timestamp", "decimal"})


class Token(NamedTuple):
    kind: str
    text: str


def select(expression: str, keys: Sequence[tuple[str, str]]) -> Callable[[Sequence[str]], bool]:
    """A test of partition values. `keys` are (name, type) of the table's partition keys.

    Raises InvalidInputException for what is no expression over these keys; the test itself
    raises InvalidStateException when a stored value is not of its key's type.
    """
    if not expression.strip():
        return lambda values: True
    condition = _parse(expression, tuple((name.lower(), kind.lower()) for name, kind in keys))
    names = [name.lower() for name, _ in keys]
    return lambda values: condition(dict(zip(names, values, strict=False))) is True


def typed_value(kind: str, text: str) -> Any:
    """The text as a value of Hive's type. ValueError, in AWS's words, when it is none."""
    base = kind.split("(")[0].strip()
    if base in TEXT_TYPES:
        return text
    reader = _READERS.get("int" if base in INTEGER_TYPES else base)
    if reader is None:
        raise invalid_input(f"Unknown type : '{kind}'")
    return reader(text)


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f'"{text}" is not an integer.') from None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text} is not a decimal.") from None


def _date(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise ValueError(f"{text} is not a date.") from None


def _timestamp(text: str) -> tuple[datetime, str]:
    """The second, and its fraction as nine digits: nanoseconds compare exactly."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,9}))?", text)
    try:
        if match is None:
            raise ValueError
        moment = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S")
    except ValueError:
        raise ValueError(
            f"Timestamp format must be yyyy-mm-dd hh:mm:ss[.fffffffff] {text} is not a timestamp."
        ) from None
    return moment, (match[2] or "").ljust(9, "0")


_READERS: dict[str, Callable[[str], Any]] = {
    "int": _integer,
    "decimal": _decimal,
    "date": _date,
    "timestamp": _timestamp,
}


@lru_cache(maxsize=512)
def _parse(expression: str, keys: tuple[tuple[str, str], ...]) -> Condition:
    return _Parser(expression, dict(keys)).whole()


class _Parser:
    """Recursive descent: OR, AND, NOT, one condition."""

    def __init__(self, expression: str, key_types: KeyTypes) -> None:
        self._expression = expression
        self._key_types = key_types
        self._tokens = self._split()
        self._position = 0

    def whole(self) -> Condition:
        condition = self._either()
        if self._position < len(self._tokens):
            raise self._unsupported()
        return condition

    def _split(self) -> list[Token]:
        tokens, position, text = [], 0, self._expression.rstrip()
        while position < len(text):
            match = TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self._unsupported()
            tokens.append(Token(match.lastgroup, match[match.lastgroup]))
            position = match.end()
        return tokens

    def _unsupported(self) -> GlueError:
        return invalid_input(f"Unsupported expression '{self._expression}'")

    def _peek(self, ahead: int = 0) -> Token:
        at = self._position + ahead
        return self._tokens[at] if at < len(self._tokens) else Token("end", "")

    def _next(self) -> Token:
        token = self._peek()
        self._position += 1
        return token

    def _take(self, *words: str) -> bool:
        """Whether the next tokens are these words or symbols; then they are consumed."""
        found = all(
            token.kind in ("word", "symbol") and token.text.lower() == word
            for word, token in ((word, self._peek(i)) for i, word in enumerate(words))
        )
        self._position += len(words) if found else 0
        return found

    def _demand(self, word: str) -> None:
        if not self._take(word):
            raise self._unsupported()

    def _either(self) -> Condition:
        sides = [self._both()]
        while self._take("or"):
            sides.append(self._both())
        return sides[0] if len(sides) == 1 else lambda values: _any(sides, values)

    def _both(self) -> Condition:
        sides = [self._negated()]
        while self._take("and"):
            sides.append(self._negated())
        return sides[0] if len(sides) == 1 else lambda values: _all(sides, values)

    def _negated(self) -> Condition:
        if self._take("not"):
            return _not(self._negated())
        if self._peek() == Token("symbol", "(") and not self._is_bracketed_operand():
            self._next()
            condition = self._either()
            self._demand(")")
            return condition
        return self._condition()

    def _is_bracketed_operand(self) -> bool:
        """`(year) = 2024`: the bracket holds a name or a value, not a condition."""
        ahead = 0
        while self._peek(ahead) == Token("symbol", "("):
            ahead += 1
        return self._peek(ahead + 1) == Token("symbol", ")")

    def _condition(self) -> Condition:
        if self._peek_inside().kind in ("string", "number"):
            return self._mirrored()
        name, kind = self._column()
        if self._take("is"):
            wanted = not self._take("not")
            self._demand("null")
            return lambda values: (values.get(name) in (None, HIVE_NULL)) is wanted
        negative = self._take("not")
        condition = self._test(name, kind, negative)
        return _not(condition) if negative else condition

    def _test(self, name: str, kind: str, negative: bool) -> Condition:
        read = _column_reader(name, kind)
        if self._take("in"):
            options = self._list(kind)
            return _known(read, lambda value: value in options)
        if self._take("between"):
            low = self._literal(kind)
            self._demand("and")
            high = self._literal(kind)
            return _known(read, lambda value: low <= value <= high)
        if self._take("like"):
            return _known(read, self._like(kind))
        if negative:
            raise self._unsupported()
        compare = self._comparison()
        right = self._literal(kind)
        return _known(read, lambda value: compare(value, right))

    def _mirrored(self) -> Condition:
        """`'2024' = year`."""
        literal = self._bracketed()
        sign = self._next().text
        if sign not in COMPARISONS:
            raise self._unsupported()
        name, kind = self._column()
        left, compare = self._typed(kind, literal), COMPARISONS[MIRRORED.get(sign, sign)]
        return _known(_column_reader(name, kind), lambda value: compare(value, left))

    def _comparison(self) -> Callable[[Any, Any], bool]:
        token = self._next()
        if token.kind != "symbol" or token.text not in COMPARISONS:
            raise self._unsupported()
        return COMPARISONS[token.text]

    def _peek_inside(self) -> Token:
        ahead = 0
        while self._peek(ahead) == Token("symbol", "("):
            ahead += 1
        return self._peek(ahead)

    def _bracketed(self) -> Token:
        if self._take("("):
            token = self._bracketed()
            self._demand(")")
            return token
        return self._next()

    def _column(self) -> tuple[str, str]:
        token = self._bracketed()
        if token.kind not in ("word", "quoted"):
            raise self._unsupported()
        name = (token.text if token.kind == "word" else token.text[1:-1]).lower()
        if name not in self._key_types:
            raise invalid_input(f"Unknown column '{name}'")
        return name, self._key_types[name]

    def _literal(self, kind: str) -> Any:
        if self._peek().text.lower() in TYPE_WORDS and self._peek(1).kind == "string":
            self._next()
        token = self._bracketed()
        if token.kind not in ("string", "number"):
            raise self._unsupported()
        return self._typed(kind, token)

    def _typed(self, kind: str, token: Token) -> Any:
        try:
            return typed_value(kind, _literal_text(token))
        except ValueError as wrong:
            raise invalid_input(str(wrong)) from None

    def _list(self, kind: str) -> list[Any]:
        self._demand("(")
        options = [self._literal(kind)]
        while self._take(","):
            options.append(self._literal(kind))
        self._demand(")")
        return options

    def _like(self, kind: str) -> Callable[[Any], bool]:
        base = kind.split("(")[0]
        if base in INTEGER_TYPES:
            raise invalid_input("Integral data type doesn't support operation 'LIKE'")
        if base not in TEXT_TYPES:
            raise invalid_input(f"{base.capitalize()} data type doesn't support operation 'LIKE'")
        token = self._bracketed()
        if token.kind != "string":
            raise self._unsupported()
        pattern = re.compile(like_pattern(_literal_text(token)), re.DOTALL)
        return lambda value: pattern.fullmatch(value) is not None


def like_pattern(text: str) -> str:
    """SQL's LIKE as a regular expression: `%` is anything, `_` one character, `\\` escapes."""
    parts, escaped = [], False
    for character in text:
        if escaped or character not in "%_\\":
            parts.append(re.escape(character))
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            parts.append(".*" if character == "%" else ".")
    return "".join(parts)


def _literal_text(token: Token) -> str:
    return token.text[1:-1].replace("''", "'") if token.kind == "string" else token.text


def _column_reader(name: str, kind: str) -> Callable[[Values], Any]:
    def read(values: Values) -> Any:
        text = values.get(name)
        if text is None or (text == HIVE_NULL and kind.split("(")[0] not in TEXT_TYPES):
            return None
        try:
            return typed_value(kind, text)
        except ValueError as wrong:
            raise GlueError("InvalidStateException", str(wrong)) from None

    return read


def _known(read: Callable[[Values], Any], test: Callable[[Any], bool]) -> Condition:
    """The test of a value; of NULL it is unknown, as in SQL."""

    def condition(values: Values) -> bool | None:
        value = read(values)
        return None if value is None else test(value)

    return condition


def _not(condition: Condition) -> Condition:
    def negated(values: Values) -> bool | None:
        result = condition(values)
        return None if result is None else not result

    return negated


def _all(sides: Sequence[Condition], values: Values) -> bool | None:
    results = [side(values) for side in sides]
    return False if False in results else None if None in results else True


def _any(sides: Sequence[Condition], values: Values) -> bool | None:
    results = [side(values) for side in sides]
    return True if True in results else None if None in results else False
