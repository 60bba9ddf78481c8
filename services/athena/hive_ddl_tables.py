"""CREATE TABLE: columns, partitions, buckets, SerDes, formats."""

from __future__ import annotations

from services.athena.hive_ddl_parser import Parser
from services.athena.hive_ddl_statements import ColumnDefinition, CreateTable, Statement

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


def create_table(p: Parser, external: bool) -> Statement:
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
