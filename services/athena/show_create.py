"""A table's definition as text: SHOW CREATE TABLE, SHOW CREATE VIEW, DESCRIBE."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from services.athena.errors import QueryFailed
from services.athena.hive_ddl import Describe

Shape = dict[str, Any]


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\x01", "\\u0001") + "'"


def table(entry: Shape, name: str) -> str:
    """The CREATE EXTERNAL TABLE statement, line by line as Athena prints it.

    `name` stands in it as the statement had it, with or without the database: Hive repeats it so.
    """
    if entry.get("TableType") == "VIRTUAL_VIEW":
        raise QueryFailed(
            "FAILED: SemanticException This is a view: use SHOW CREATE VIEW", error_type=1003
        )
    stored = entry["StorageDescriptor"]
    if (entry.get("Parameters") or {}).get("table_type", "").upper() == "ICEBERG":
        return _iceberg(entry)
    lines = [f"CREATE EXTERNAL TABLE `{name}`("]
    lines += _listed([_column(column) for column in stored.get("Columns") or []], ")")
    comment = (entry.get("Parameters") or {}).get("comment")
    if comment:
        lines += ["COMMENT " + _quoted(comment)]
    if entry.get("PartitionKeys"):
        lines += ["PARTITIONED BY ( ", *_listed([_column(c) for c in entry["PartitionKeys"]], ")")]
    if stored.get("BucketColumns"):
        lines += ["CLUSTERED BY ( ", *_listed([f"  {c}" for c in stored["BucketColumns"]], ") ")]
        lines += [f"INTO {stored['NumberOfBuckets']} BUCKETS"]
    lines += _row_format(stored.get("SerdeInfo") or {})
    lines += ["STORED AS INPUTFORMAT ", f"  '{stored['InputFormat']}' ", "OUTPUTFORMAT ",
              f"  '{stored['OutputFormat']}'", "LOCATION", f"  '{stored['Location']}'"]  # fmt: skip
    parameters = {
        k: v for k, v in (entry.get("Parameters") or {}).items() if k not in ("EXTERNAL", "comment")
    }
    if parameters:
        shown = [f"  {_quoted(k)}={_quoted(str(v))}" for k, v in parameters.items()]
        lines += ["TBLPROPERTIES (", *_listed(shown, ")")]
    return "\n".join(lines)


#: What the catalog notes of an Iceberg table beside its own properties.
_NOTED = ("table_type", "metadata_location", "previous_metadata_location", "EXTERNAL", "comment",
          "format-version")  # fmt: skip


def _iceberg(entry: Shape) -> str:
    """https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-table-metadata.html"""
    stored, parameters = entry["StorageDescriptor"], entry.get("Parameters") or {}
    lines = [f"CREATE TABLE {entry['DatabaseName']}.{entry['Name']} ("]
    lines += _listed([_column(column).replace("`", "") for column in stored["Columns"]], ")")
    lines += [f"LOCATION '{stored['Location']}'", "TBLPROPERTIES ("]
    shown = {"table_type": "iceberg"} | {k: v for k, v in parameters.items() if k not in _NOTED}
    return "\n".join(
        [*lines, *_listed([f"  {_quoted(k)}={_quoted(v)}" for k, v in shown.items()], ")")]
    )


def _listed(items: list[str], end: str) -> list[str]:
    return [item + (", " if place < len(items) - 1 else end) for place, item in enumerate(items)]


def _column(column: Shape) -> str:
    comment = f" COMMENT {_quoted(column['Comment'])}" if column.get("Comment") else ""
    return f"  `{column['Name']}` {column.get('Type', 'string')}{comment}"


def _row_format(serde: Shape) -> list[str]:
    properties = dict(serde.get("Parameters") or {})
    library = serde.get("SerializationLibrary", "")
    if library.endswith("LazySimpleSerDe") and "field.delim" in properties:
        lines = ["ROW FORMAT DELIMITED "]
        for key, words in (("field.delim", "FIELDS TERMINATED BY"), ("escape.delim", "ESCAPED BY"),
                           ("collection.delim", "COLLECTION ITEMS TERMINATED BY"),
                           ("mapkey.delim", "MAP KEYS TERMINATED BY"), ("line.delim", "LINES TERMINATED BY"),
                           ("serialization.null.format", "NULL DEFINED AS")):  # fmt: skip
            if key in properties:
                shown = properties[key].replace("\t", "\\t").replace("\n", "\\n")
                lines.append(f"  {words} '{shown}' ")
        return lines
    properties.pop("serialization.format", None) if library.endswith("LazySimpleSerDe") else None
    lines = ["ROW FORMAT SERDE ", f"  '{library}' "]
    shown_ones = [
        f"  {_quoted(k)}={_quoted(v)}"
        for k, v in sorted(properties.items())
        if k != "serialization.format"
    ]
    return lines + (["WITH SERDEPROPERTIES ( ", *_listed(shown_ones, ") ")] if shown_ones else [])


def view_definition(entry: Shape) -> Shape:
    """The JSON that Presto keeps in a view's ViewOriginalText."""
    found = re.search(r"Presto View: (.*?) \*/", entry.get("ViewOriginalText") or "")
    if not found:
        raise QueryFailed(f"INVALID_VIEW: View {entry['Name']} has no Presto definition")
    decoded: Shape = json.loads(base64.b64decode(found[1]))
    return decoded


def view(entry: Shape) -> str:
    """The CREATE VIEW statement."""
    if entry.get("TableType") != "VIRTUAL_VIEW":
        raise QueryFailed(f"FAILED: SemanticException {entry['Name']} is no view", error_type=1003)
    sql = view_definition(entry)["originalSql"]
    return f"CREATE VIEW {entry['DatabaseName']}.{entry['Name']} AS\n{sql}"


def _cell(column: Shape) -> str:
    comment = column.get("Comment") or ""
    return f"{column['Name']:<20}\t{column.get('Type', 'string'):<20}\t{comment:<20}"


def described(entry: Shape, asked: Describe) -> list[str]:
    """The lines of DESCRIBE; FORMATTED adds where and how the table is stored."""
    columns = (entry.get("StorageDescriptor") or {}).get("Columns") or []
    keys = entry.get("PartitionKeys") or []
    if asked.column:
        return [_cell(c) for c in columns + keys if c["Name"] == asked.column[0]]
    lines = [_cell(column) for column in columns + ([] if asked.formatted else keys)]
    if asked.formatted:
        lines = [_heading("# col_name", "data_type", "comment"), "\t \t ", *lines]
    if keys:
        lines += ["\t \t ", "# Partition Information\t \t ",
                  _heading("# col_name", "data_type", "comment"), "\t \t ", *map(_cell, keys)]  # fmt: skip
    return lines + (_details(entry) if asked.formatted or asked.extended else [])


def _heading(*words: str) -> str:
    return "\t".join(f"{word:<20}" for word in words)


def _details(entry: Shape) -> list[str]:
    stored = entry.get("StorageDescriptor") or {}
    serde = stored.get("SerdeInfo") or {}
    facts = [
        ("Database:", entry["DatabaseName"]), ("Owner:", entry.get("Owner") or "hadoop"),
        ("Location:", stored.get("Location", "")), ("Table Type:", entry.get("TableType", "")),
    ]  # fmt: skip
    storage = [
        ("SerDe Library:", serde.get("SerializationLibrary", "")),
        ("InputFormat:", stored.get("InputFormat", "")), ("OutputFormat:", stored.get("OutputFormat", "")),
        ("Compressed:", "No"), ("Num Buckets:", str(stored.get("NumberOfBuckets", -1))),
    ]  # fmt: skip
    lines = ["\t \t ", "# Detailed Table Information\t \t "]
    lines += [f"{name:<20}\t{value:<20}\t " for name, value in facts]
    lines += ["Table Parameters:\t \t "]
    lines += [f"\t{k:<20}\t{v:<20}" for k, v in sorted((entry.get("Parameters") or {}).items())]
    lines += ["\t \t ", "# Storage Information\t \t "]
    return lines + [f"{name:<20}\t{value:<20}\t " for name, value in storage]
