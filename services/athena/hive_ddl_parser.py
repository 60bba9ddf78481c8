"""The words of Athena's DDL: tokens, names, types, columns, properties, partition conditions."""

from __future__ import annotations

import re
from typing import NamedTuple

from services.athena.errors import QueryFailed
from services.athena.hive_ddl_statements import ColumnDefinition, Name, PartitionSpec


class DdlRefused(QueryFailed):
    """`FAILED: ParseException line 1:14 missing EOF at 'x' near 'y'`."""

    def __init__(self, text: str, line: int, column: int) -> None:
        self.line, self.column = line, column
        super().__init__(f"FAILED: ParseException line {line}:{column} {text}", error_type=1006)


class Token(NamedTuple):
    kind: str  # word, quoted, string, number, symbol, end
    text: str
    start: int
    end: int


_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*")
      | (?P<quoted>`(?:[^`]|``)*`)
      | (?P<number>-?\d+(?:\.\d+)?(?![\w]))
      | (?P<word>[\w$][\w$-]*)
      | (?P<symbol><=|>=|<>|!=|[(),.;=<>:!*|-])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a"}


def unescape(text: str) -> str:
    r"""A Hive string literal's inside: `\n`, `\001`, `\u0001`, `\'`; `\d` stays itself."""

    def one(found: re.Match[str]) -> str:
        body = found[1]
        if body[0] == "u" and len(body) == 5:
            return chr(int(body[1:], 16))
        if len(body) == 3 and body.isdigit():
            return chr(int(body, 8))
        return _ESCAPES.get(body, body if body in "'\"\\%_;" else "\\" + body)

    return re.sub(r"\\(u[0-9a-fA-F]{4}|[01][0-7]{2}|.)", one, text, flags=re.DOTALL)


class Parser:
    """Reads one statement. `parse` is its only way in."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._tokens = self._split(sql)
        self._at = 0

    def _split(self, sql: str) -> list[Token]:
        tokens, position = [], 0
        while position < len(sql):
            found = _TOKEN.match(sql, position)
            if not found:
                raise self._refused_at(f"cannot recognize input near '{sql[position]}'", position)
            if found.lastgroup != "space":
                tokens.append(Token(found.lastgroup or "", found[0], position, found.end()))
            position = found.end()
        return [*tokens, Token("end", "<EOF>", len(sql), len(sql))]

    # --- reading tokens

    def _refused_at(self, text: str, position: int) -> DdlRefused:
        before = self._sql[:position]
        return DdlRefused(text, before.count("\n") + 1, position - (before.rfind("\n") + 1))

    def refused(self, text: str | None = None) -> DdlRefused:
        token = self._tokens[self._at]
        return self._refused_at(text or f"mismatched input '{token.text}'", token.start)

    def peek(self, *words: str) -> bool:
        """Do the next tokens read so? Words are upper case; symbols are themselves."""
        tokens = self._tokens[self._at : self._at + len(words)]
        return len(tokens) == len(words) and all(
            token.kind in ("word", "symbol") and token.text.upper() == word
            for token, word in zip(tokens, words, strict=True)
        )

    def take(self, *words: str) -> bool:
        if self.peek(*words):
            self._at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        for word in words:
            if not self.take(word):
                token = self._tokens[self._at]
                raise self._refused_at(
                    f"mismatched input '{token.text}' expecting {word}", token.start
                )

    def next(self) -> Token:
        token = self._tokens[self._at]
        if token.kind == "end":
            raise self.refused()
        self._at += 1
        return token

    def string(self) -> str:
        token = self._tokens[self._at]
        if token.kind != "string":
            raise self._refused_at(
                f"mismatched input '{token.text}' expecting StringLiteral", token.start
            )
        self._at += 1
        return unescape(token.text[1:-1].replace("''", "'"))

    def identifier(self) -> str:
        token = self._tokens[self._at]
        if token.kind == "quoted":
            self._at += 1
            return token.text[1:-1].replace("``", "`")
        if token.kind in ("word", "number"):
            self._at += 1
            return token.text
        if token.kind == "string" and token.text.startswith('"'):
            self._at += 1
            return token.text[1:-1]
        raise self._refused_at(f"cannot recognize input near '{token.text}'", token.start)

    def name(self) -> Name:
        parts = [self.identifier().lower()]
        while self.take("."):
            parts.append(self.identifier().lower())
        if len(parts) == 1 and "." in parts[0]:  # `db.table` in one pair of back-ticks
            parts = parts[0].split(".", 1)
        return Name(parts[-1], parts[-2] if len(parts) > 1 else None)

    def end(self) -> None:
        while self.take(";"):
            pass
        token = self._tokens[self._at]
        if token.kind != "end":
            before = self._tokens[self._at - 1]
            raise self._refused_at(
                f"missing EOF at '{token.text}' near '{before.text}'", token.start
            )

    # --- pieces

    def properties(self) -> dict[str, str]:
        found: dict[str, str] = {}
        self.expect("(")
        while not self.take(")"):
            key = self.string()
            self.expect("=")
            found[key] = self.string()
            if not self.take(","):
                self.expect(")")
                break
        return found

    def type(self) -> str:
        """A type's text, lower case, without blanks."""
        start = self._at
        base = self.identifier().lower()
        if base in ("array", "map", "struct", "uniontype") and self.take("<"):
            parts = [self._type_argument(base)]
            while self.take(","):
                parts.append(self._type_argument(base))
            self.expect(">")
            return f"{base}<{','.join(parts)}>"
        if self.take("("):
            numbers = [self.next().text]
            while self.take(","):
                numbers.append(self.next().text)
            self.expect(")")
            return f"{base}({','.join(numbers)})"
        if base == "double":
            self.take("PRECISION")
        if self._tokens[start].kind not in ("word", "quoted"):
            raise self.refused()
        return base

    def _type_argument(self, base: str) -> str:
        if base != "struct":
            return self.type()
        field_name = self.identifier().lower()
        self.expect(":")
        kind = self.type()
        if self.take("COMMENT"):
            self.string()
        return f"{field_name}:{kind}"

    def column(self) -> ColumnDefinition:
        column = self.identifier().lower()
        kind = self.type()
        return ColumnDefinition(column, kind, self.string() if self.take("COMMENT") else None)

    def columns(self) -> tuple[ColumnDefinition, ...]:
        self.expect("(")
        found = [self.column()]
        while self.take(","):
            found.append(self.column())
        self.expect(")")
        return tuple(found)

    def partition(self) -> PartitionSpec:
        return {column: value for column, _, value in self.partition_filter()}

    def partition_filter(self) -> tuple[tuple[str, str, str], ...]:
        self.expect("PARTITION")
        self.expect("(")
        found = [self._comparison()]
        while self.take(","):
            found.append(self._comparison())
        self.expect(")")
        return tuple(found)

    def _comparison(self) -> tuple[str, str, str]:
        column = self.identifier().lower()
        operator = self.next().text
        if operator not in ("=", "<", ">", "<=", ">=", "<>", "!="):
            raise self.refused()
        token = self._tokens[self._at]
        return column, operator, self.string() if token.kind == "string" else self.next().text

    def if_exists(self) -> bool:
        return self.take("IF", "EXISTS")

    def if_not_exists(self) -> bool:
        return self.take("IF", "NOT", "EXISTS")
