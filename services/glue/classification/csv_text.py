"""Delimited text: which delimiter, is there a header, which types."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from services.glue.classification.column_types import Column, HiveType, merge_all, text_type
from services.glue.classification.found import LAZY_SIMPLE, OPEN_CSV, Found, TableFormat

#: In Glue's order; https://docs.aws.amazon.com/glue/latest/dg/add-classifier.html
DELIMITERS = (",", "|", "\t", ";", "\x01")
HEADER_CELL_CHARACTERS = 150
#: So many rows must have as many cells as the most common row.
REGULAR_ROWS = 0.8
COLUMN_NAME = re.compile(r"[^\x00-\x08\x0a-\x1f]{1,255}")

#: Names of a custom classifier's types, as the catalog writes them.
CUSTOM_TYPES = {"long": "bigint", "short": "smallint", "integer": "int"}


@dataclass(frozen=True, kw_only=True)
class CsvRules:
    """How to read: the built-in classifier's rules, or a user's."""

    delimiter: str | None = None
    quote: str = '"'
    #: UNKNOWN, PRESENT or ABSENT.
    header: str = "UNKNOWN"
    names: Sequence[str] = ()
    types: Sequence[str] = ()
    allow_single_column: bool = False
    trims_values: bool = True
    serde: str = LAZY_SIMPLE


def classify_csv(text: str, rules: CsvRules | None = None) -> Found | None:
    """What Glue makes of delimited text, or None when it is none.

    A header is believed only when all its cells are strings, short, valid as names, and some
    row below it holds something else than strings: a file of strings has no header, its
    columns are col0, col1, …"""
    rules = rules or CsvRules()
    parsed = _best_parse(text, rules)
    if parsed is None:
        return None
    delimiter, rows = parsed
    has_header = _has_header(rows, rules)
    data = rows[1:] if has_header else rows
    width = max(Counter(len(row) for row in rows).items(), key=lambda pair: pair[1])[0]
    names = _names(rows[0] if has_header else [], width, rules)
    kinds = _types(data, len(names), rules)
    columns = tuple(Column(name, kind) for name, kind in zip(names, kinds, strict=True))
    return Found(
        "csv",
        columns,
        _table_format(delimiter, rules),
        _parameters(delimiter, has_header, text, rules),
        records=len(data),
        record_bytes=len(text.encode()),
    )


def _best_parse(text: str, rules: CsvRules) -> tuple[str, list[list[str]]] | None:
    """The delimiter with the most regular rows; of equals, the one with more columns."""
    best: tuple[float, int, str, list[list[str]]] | None = None
    fewest = 1 if rules.allow_single_column else 2
    for delimiter in (rules.delimiter,) if rules.delimiter else DELIMITERS:
        rows = _rows(text, delimiter, rules.quote)
        width, count = Counter(len(row) for row in rows).most_common(1)[0] if rows else (0, 0)
        if width < fewest or len(rows) < (1 if rules.delimiter else 2):
            continue
        regular = count / len(rows)
        if regular >= REGULAR_ROWS and (best is None or (regular, width) > best[:2]):
            best = (regular, width, delimiter, rows)
    return None if best is None else (best[2], best[3])


def _rows(text: str, delimiter: str, quote: str) -> list[list[str]]:
    # Quotes are understood when looking for the schema, whatever the SerDe will do with them.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote)
    try:
        return [row for row in reader if row]
    except csv.Error:
        return []


def _has_header(rows: list[list[str]], rules: CsvRules) -> bool:
    if rules.header != "UNKNOWN":
        return rules.header == "PRESENT"
    if rules.names:
        return [cell.strip() for cell in rows[0]] == list(rules.names)
    return _looks_like_header(rows[0], rows[1:])


def _looks_like_header(first: list[str], below: list[list[str]]) -> bool:
    cells = first if first[-1].strip() else first[:-1]
    return (
        all(text_type(cell) == "string" for cell in cells)
        and all(len(cell) < HEADER_CELL_CHARACTERS for cell in first[:-1])
        and all(COLUMN_NAME.fullmatch(cell.strip()) for cell in cells)
        and any(text_type(cell) not in (None, "string") for row in below for cell in row)
    )


def _names(header: list[str], width: int, rules: CsvRules) -> list[str]:
    given = list(rules.names) or [cell.strip() for cell in header]
    names: list[str] = []
    for position in range(max(width, len(given)) if not rules.names else len(given)):
        name = given[position].lower() if position < len(given) else ""
        name = name or f"col{position}"
        names.append(f"{name}_{position}" if name in names else name)
    return names


def _types(data: list[list[str]], width: int, rules: CsvRules) -> list[HiveType | None]:
    if rules.types:
        given = [CUSTOM_TYPES.get(kind.lower(), kind.lower()) for kind in rules.types]
        return [given[i] if i < len(given) else "string" for i in range(width)]
    if rules.serde == OPEN_CSV:
        # OpenCSVSerde reads an empty number as an error, so Glue declares its columns strings.
        return ["string"] * width
    return [
        merge_all(text_type(row[position]) for row in data if position < len(row))
        for position in range(width)
    ]


def _table_format(delimiter: str, rules: CsvRules) -> TableFormat:
    if rules.serde == OPEN_CSV:
        parameters = {"separatorChar": delimiter, "quoteChar": rules.quote}
        return TableFormat(OPEN_CSV, parameters=parameters | {"serialization.format": "1"})
    return TableFormat(LAZY_SIMPLE, parameters={"field.delim": delimiter})


def _parameters(delimiter: str, has_header: bool, text: str, rules: CsvRules) -> dict[str, str]:
    quoted = rules.quote in text and rules.serde == OPEN_CSV
    found = {
        "delimiter": delimiter,
        "columnsOrdered": "true",
        "areColumnsQuoted": "true" if quoted else "false",
    }
    return found | ({"skip.header.line.count": "1"} if has_header else {})
