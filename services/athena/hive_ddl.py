"""Hive DDL as Athena accepts it: text in, one frozen statement out.

A hand-written parser, because Athena's DDL is a small language with rules of its own (back-ticks,
SerDe properties, partition specifications), and because its errors name line and column.
https://docs.aws.amazon.com/athena/latest/ug/language-reference.html
"""

from __future__ import annotations

from services.athena.hive_ddl_parser import DdlRefused, Parser
from services.athena.hive_ddl_statements import (
    AddColumns,
    AddPartitions,
    AlterDatabase,
    ChangeColumn,
    ColumnDefinition,
    CreateDatabase,
    CreateTable,
    Describe,
    DescribeDatabase,
    DropColumn,
    DropDatabase,
    DropPartitions,
    DropTable,
    Name,
    PartitionSpec,
    RenamePartition,
    RenameTable,
    RepairTable,
    ReplaceColumns,
    SetLocation,
    SetProperties,
    ShowColumns,
    ShowCreate,
    ShowDatabases,
    ShowPartitions,
    ShowProperties,
    ShowTables,
    Statement,
    UnsetProperties,
)
from services.athena.hive_ddl_tables import create_table

__all__ = [
    "AddColumns",
    "AddPartitions",
    "AlterDatabase",
    "ChangeColumn",
    "ColumnDefinition",
    "CreateDatabase",
    "CreateTable",
    "DdlRefused",
    "Describe",
    "DescribeDatabase",
    "DropColumn",
    "DropDatabase",
    "DropPartitions",
    "DropTable",
    "Name",
    "Parser",
    "PartitionSpec",
    "RenamePartition",
    "RenameTable",
    "RepairTable",
    "ReplaceColumns",
    "SetLocation",
    "SetProperties",
    "ShowColumns",
    "ShowCreate",
    "ShowDatabases",
    "ShowPartitions",
    "ShowProperties",
    "ShowTables",
    "Statement",
    "UnsetProperties",
    "parse",
]


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
    (("CREATE", "EXTERNAL", "TABLE"), lambda p: create_table(p, True)),
    (("CREATE", "TABLE"), lambda p: create_table(p, False)),
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
