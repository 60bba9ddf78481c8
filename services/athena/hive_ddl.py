"""Hive DDL as Athena accepts it: text in, one frozen statement out.

A hand-written parser, because Athena's DDL is a small language with rules of its own (back-ticks,
SerDe properties, partition specifications), and because its errors name line and column.
https://docs.aws.amazon.com/athena/latest/ug/language-reference.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from services.athena.errors import QueryFailed


class DdlRefused(QueryFailed):
    """`FAILED: ParseException line 1:14 missing EOF at 'x' near 'y'`."""

    def __init__(self, text: str, line: int, column: int) -> None:
        self.line, self.column = line, column
        super().__init__(f"FAILED: ParseException line {line}:{column} {text}", error_type=1006)


@dataclass(frozen=True)
class Name:
    """`database` is None where the statement leaves it to the query's context."""

    name: str
    database: str | None = None


@dataclass(frozen=True)
class ColumnDefinition:
    name: str
    type: str
    comment: str | None = None


PartitionSpec = dict[str, str]


@dataclass(frozen=True)
class CreateDatabase:
    name: str
    if_not_exists: bool = False
    comment: str | None = None
    location: str | None = None
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DropDatabase:
    name: str
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True)
class AlterDatabase:
    name: str
    properties: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class CreateTable:
    """`row_format`: None, or the SerDe class; `delimited` are its properties when DELIMITED."""

    name: Name
    columns: tuple[ColumnDefinition, ...] = ()
    external: bool = True
    if_not_exists: bool = False
    comment: str | None = None
    partitioned_by: tuple[ColumnDefinition, ...] = ()
    partition_transforms: tuple[str, ...] = ()
    clustered_by: tuple[str, ...] = ()
    buckets: int | None = None
    serde: str | None = None
    serde_properties: dict[str, str] = field(default_factory=dict)
    stored_as: str | None = None
    input_format: str | None = None
    output_format: str | None = None
    location: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    like: Name | None = None


@dataclass(frozen=True)
class DropTable:
    name: Name
    if_exists: bool = False
    view: bool = False


@dataclass(frozen=True)
class AddPartitions:
    name: Name
    partitions: tuple[tuple[PartitionSpec, str | None], ...]
    if_not_exists: bool = False


@dataclass(frozen=True)
class DropPartitions:
    """Each specification is a list of (column, operator, value)."""

    name: Name
    partitions: tuple[tuple[tuple[str, str, str], ...], ...]
    if_exists: bool = False


@dataclass(frozen=True)
class RenamePartition:
    name: Name
    old: PartitionSpec
    new: PartitionSpec


@dataclass(frozen=True)
class SetLocation:
    name: Name
    location: str
    partition: PartitionSpec | None = None


@dataclass(frozen=True)
class AddColumns:
    name: Name
    columns: tuple[ColumnDefinition, ...]
    partition: PartitionSpec | None = None


@dataclass(frozen=True)
class RenameTable:
    """Of Iceberg tables only: Athena renames no other."""

    name: Name
    new: Name


@dataclass(frozen=True)
class ReplaceColumns:
    name: Name
    columns: tuple[ColumnDefinition, ...]
    partition: PartitionSpec | None = None


@dataclass(frozen=True)
class ChangeColumn:
    name: Name
    old: str
    column: ColumnDefinition


@dataclass(frozen=True)
class DropColumn:
    name: Name
    column: str


@dataclass(frozen=True)
class SetProperties:
    name: Name
    properties: dict[str, str]


@dataclass(frozen=True)
class UnsetProperties:
    name: Name
    keys: tuple[str, ...]
    if_exists: bool = False


@dataclass(frozen=True)
class RepairTable:
    name: Name


@dataclass(frozen=True)
class ShowDatabases:
    pattern: str | None = None


@dataclass(frozen=True)
class ShowTables:
    database: str | None = None
    pattern: str | None = None
    views: bool = False


@dataclass(frozen=True)
class ShowColumns:
    name: Name


@dataclass(frozen=True)
class ShowPartitions:
    name: Name
    partition: PartitionSpec | None = None


@dataclass(frozen=True)
class ShowCreate:
    name: Name
    view: bool = False


@dataclass(frozen=True)
class ShowProperties:
    name: Name
    key: str | None = None


@dataclass(frozen=True)
class Describe:
    name: Name
    formatted: bool = False
    extended: bool = False
    partition: PartitionSpec | None = None
    column: tuple[str, ...] = ()


@dataclass(frozen=True)
class DescribeDatabase:
    name: str


Statement = (
    CreateDatabase | DropDatabase | AlterDatabase | CreateTable | DropTable | AddPartitions
    | DropPartitions | RenamePartition | SetLocation | RenameTable | AddColumns | ReplaceColumns | ChangeColumn
    | DropColumn | SetProperties | UnsetProperties | RepairTable | ShowDatabases | ShowTables
    | ShowColumns | ShowPartitions | ShowCreate | ShowProperties | Describe | DescribeDatabase
)  # fmt: skip


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


def parse(sql: str) -> Statement:
    """One DDL or SHOW/DESCRIBE statement. Raises DdlRefused with line and column."""
    parser = Parser(sql)
    for words, read in _STATEMENTS:
        if parser.take(*words):
            statement = read(parser)
            parser.end()
            return statement
    raise parser.refused(
        f"cannot recognize input near '{sql.split(None, 1)[0] if sql.split() else '<EOF>'}'"
    )


def _create_database(p: Parser) -> Statement:
    exists = p.if_not_exists()
    name = p.identifier().lower()
    comment = location = None
    properties: dict[str, str] = {}
    while True:
        if p.take("COMMENT"):
            comment = p.string()
        elif p.take("LOCATION"):
            location = p.string()
        elif p.take("WITH", "DBPROPERTIES"):
            properties = p.properties()
        else:
            return CreateDatabase(name, exists, comment, location, properties)


def _drop_database(p: Parser) -> Statement:
    exists = p.if_exists()
    name = p.identifier().lower()
    cascade = p.take("CASCADE")
    p.take("RESTRICT")
    return DropDatabase(name, exists, cascade)


def _alter_database(p: Parser) -> Statement:
    name = p.identifier().lower()
    p.expect("SET", "DBPROPERTIES")
    return AlterDatabase(name, p.properties())


_DELIMITED = {
    ("FIELDS", "TERMINATED", "BY"): "field.delim",
    ("ESCAPED", "BY"): "escape.delim",
    ("COLLECTION", "ITEMS", "TERMINATED", "BY"): "collection.delim",
    ("MAP", "KEYS", "TERMINATED", "BY"): "mapkey.delim",
    ("LINES", "TERMINATED", "BY"): "line.delim",
    ("NULL", "DEFINED", "AS"): "serialization.null.format",
}
LAZY_SIMPLE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"


def _row_format(p: Parser, found: dict[str, object]) -> None:
    if p.take("SERDE"):
        found["serde"] = p.string()
        if p.take("WITH", "SERDEPROPERTIES"):
            found["serde_properties"] = p.properties()
        return
    p.expect("DELIMITED")
    properties: dict[str, str] = {}
    while True:
        for words, key in _DELIMITED.items():
            if p.take(*words):
                properties[key] = p.string()
                break
        else:
            break
    found |= {"serde": LAZY_SIMPLE, "serde_properties": properties}


def _stored_as(p: Parser, found: dict[str, object]) -> None:
    if p.take("INPUTFORMAT"):
        found["input_format"] = p.string()
        p.expect("OUTPUTFORMAT")
        found["output_format"] = p.string()
    else:
        found["stored_as"] = p.identifier().upper()


def _partitioned_by(p: Parser, found: dict[str, object]) -> None:
    """Typed columns; Iceberg's `day(ts)` and bare names are kept as transforms."""
    p.expect("(")
    columns, transforms = [], []
    while True:
        name = p.identifier().lower()
        if p.take("("):
            arguments = [p.next().text.strip("`").lower()]
            while p.take(","):
                arguments.append(p.next().text.strip("`").lower())
            p.expect(")")
            transforms.append(f"{name}({', '.join(arguments)})")
        elif p.peek(",") or p.peek(")"):
            transforms.append(name)
        else:
            kind = p.type()
            columns.append(ColumnDefinition(name, kind, p.string() if p.take("COMMENT") else None))
        if not p.take(","):
            break
    p.expect(")")
    found |= {"partitioned_by": tuple(columns), "partition_transforms": tuple(transforms)}


def _clustered_by(p: Parser, found: dict[str, object]) -> None:
    p.expect("(")
    columns = [p.identifier().lower()]
    while p.take(","):
        columns.append(p.identifier().lower())
    p.expect(")", "INTO")
    found |= {"clustered_by": tuple(columns), "buckets": int(p.next().text)}
    p.expect("BUCKETS")


def _create_table(p: Parser, external: bool) -> Statement:
    found: dict[str, object] = {"external": external, "if_not_exists": p.if_not_exists()}
    name = p.name()
    if p.take("LIKE"):
        return CreateTable(name=name, like=p.name(), external=external)
    if p.peek("("):
        found["columns"] = p.columns()
    while True:
        if p.take("COMMENT"):
            found["comment"] = p.string()
        elif p.take("PARTITIONED", "BY"):
            _partitioned_by(p, found)
        elif p.take("CLUSTERED", "BY"):
            _clustered_by(p, found)
        elif p.take("ROW", "FORMAT"):
            _row_format(p, found)
        elif p.take("WITH", "SERDEPROPERTIES"):
            found["serde_properties"] = p.properties()
        elif p.take("STORED", "AS"):
            _stored_as(p, found)
        elif p.take("LOCATION"):
            found["location"] = p.string()
        elif p.take("TBLPROPERTIES"):
            found["properties"] = p.properties()
        else:
            return CreateTable(name=name, **found)  # type: ignore[arg-type]


def _drop_table(p: Parser, view: bool) -> Statement:
    exists = p.if_exists()
    name = p.name()
    p.take("PURGE")
    return DropTable(name, exists, view)


def _add_partitions(p: Parser, name: Name) -> Statement:
    exists, found = p.if_not_exists(), []
    while p.peek("PARTITION"):
        spec = p.partition()
        found.append((spec, p.string() if p.take("LOCATION") else None))
        p.take(",")
    if not found:
        p.expect("PARTITION")
    return AddPartitions(name, tuple(found), exists)


def _drop_partitions(p: Parser, name: Name) -> Statement:
    exists = p.if_exists()
    found = [p.partition_filter()]
    while p.take(","):
        found.append(p.partition_filter())
    p.take("PURGE")
    return DropPartitions(name, tuple(found), exists)


def _alter_table(p: Parser) -> Statement:
    name = p.name()
    if p.peek("PARTITION"):
        spec = p.partition()
        if p.take("RENAME", "TO"):
            return RenamePartition(name, spec, p.partition())
        if p.take("SET", "LOCATION"):
            return SetLocation(name, p.string(), spec)
        if p.take("ADD", "COLUMNS"):
            return AddColumns(name, p.columns(), spec)
        p.expect("REPLACE", "COLUMNS")
        return ReplaceColumns(name, p.columns(), spec)
    if p.take("ADD", "COLUMNS"):
        return AddColumns(name, p.columns())
    if p.take("ADD"):
        return _add_partitions(p, name)
    if p.take("DROP", "COLUMN"):
        return DropColumn(name, p.identifier().lower())
    if p.take("DROP"):
        return _drop_partitions(p, name)
    if p.take("REPLACE", "COLUMNS"):
        return ReplaceColumns(name, p.columns())
    if p.take("CHANGE"):
        p.take("COLUMN")
        return ChangeColumn(name, p.identifier().lower(), p.column())
    if p.take("RENAME", "TO"):
        return RenameTable(name, p.name())
    if p.take("UNSET", "TBLPROPERTIES"):
        exists = p.if_exists()
        p.expect("(")
        keys = [p.string()]
        while p.take(","):
            keys.append(p.string())
        p.expect(")")
        return UnsetProperties(name, tuple(keys), exists)
    p.expect("SET")
    if p.take("LOCATION"):
        return SetLocation(name, p.string())
    p.expect("TBLPROPERTIES")
    return SetProperties(name, p.properties())


def _repair(p: Parser) -> Statement:
    name = p.name()
    p.take("SYNC", "PARTITIONS")
    return RepairTable(name)


def _pattern(p: Parser) -> str | None:
    like = p.take("LIKE")
    return p.string() if like or p._tokens[p._at].kind == "string" else None


def _show_tables(p: Parser, views: bool) -> Statement:
    database = p.identifier().lower() if p.take("IN") or p.take("FROM") else None
    return ShowTables(database, _pattern(p), views)


def _show_columns(p: Parser) -> Statement:
    if not p.take("IN"):
        p.expect("FROM")
    name = p.name()
    if p.take("IN") or p.take("FROM"):
        name = Name(name.name, p.identifier().lower())
    return ShowColumns(name)


def _show_partitions(p: Parser) -> Statement:
    name = p.name()
    return ShowPartitions(name, p.partition() if p.peek("PARTITION") else None)


def _show_properties(p: Parser) -> Statement:
    name = p.name()
    if not p.take("("):
        return ShowProperties(name)
    key = p.string()
    p.expect(")")
    return ShowProperties(name, key)


def _describe(p: Parser) -> Statement:
    if p.take("DATABASE") or p.take("SCHEMA"):
        p.take("EXTENDED")
        return DescribeDatabase(p.identifier().lower())
    if p.peek("TABLE"):
        raise p.refused()
    extended, formatted = p.take("EXTENDED"), p.take("FORMATTED")
    parts = [p.identifier().lower()]
    while p.take("."):
        parts.append(p.identifier().lower())
    spec = p.partition() if p.peek("PARTITION") else None
    name = Name(parts[-1], parts[-2]) if len(parts) > 1 else Name(parts[0])
    column: tuple[str, ...] = ()
    if p._tokens[p._at].kind in ("word", "quoted"):
        column = (p.identifier().lower(),)
        while p.take("."):
            column += (p.identifier().lower(),)
    return Describe(name, formatted, extended, spec, column)


_STATEMENTS = [
    (("CREATE", "DATABASE"), _create_database),
    (("CREATE", "SCHEMA"), _create_database),
    (("CREATE", "EXTERNAL", "TABLE"), lambda p: _create_table(p, True)),
    (("CREATE", "TABLE"), lambda p: _create_table(p, False)),
    (("DROP", "DATABASE"), _drop_database),
    (("DROP", "SCHEMA"), _drop_database),
    (("DROP", "TABLE"), lambda p: _drop_table(p, False)),
    (("DROP", "VIEW"), lambda p: _drop_table(p, True)),
    (("ALTER", "DATABASE"), _alter_database),
    (("ALTER", "SCHEMA"), _alter_database),
    (("ALTER", "TABLE"), _alter_table),
    (("MSCK", "REPAIR", "TABLE"), _repair),
    (("SHOW", "DATABASES"), lambda p: ShowDatabases(_pattern(p))),
    (("SHOW", "SCHEMAS"), lambda p: ShowDatabases(_pattern(p))),
    (("SHOW", "TABLES"), lambda p: _show_tables(p, False)),
    (("SHOW", "VIEWS"), lambda p: _show_tables(p, True)),
    (("SHOW", "COLUMNS"), _show_columns),
    (("SHOW", "PARTITIONS"), _show_partitions),
    (("SHOW", "CREATE", "TABLE"), lambda p: ShowCreate(p.name())),
    (("SHOW", "CREATE", "VIEW"), lambda p: ShowCreate(p.name(), True)),
    (("SHOW", "TBLPROPERTIES"), _show_properties),
    (("DESCRIBE",), _describe),
    (("DESC",), _describe),
]
