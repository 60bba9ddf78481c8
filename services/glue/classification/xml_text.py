"""XML: a user's row tag gives rows; without one only the format is known."""

from __future__ import annotations

import re
from typing import Any
from xml.parsers import expat

from services.glue.classification.column_types import (
    Array,
    Column,
    HiveType,
    Struct,
    merge_all,
    text_type,
)
from services.glue.classification.found import NO_FORMAT, Found

BEGINNING = re.compile(r"\s*(?:<\?xml|<!DOCTYPE|<[A-Za-z_][\w:.-]*[\s/>])")
ROWS_READ = 1000


def classify_xml(text: str, is_cut: bool, row_tag: str | None = None) -> Found | None:
    """None when it is not XML, or has no element called `row_tag`."""
    if not BEGINNING.match(text):
        return None
    rows = _rows(text, is_cut, row_tag)
    if rows is None or (row_tag and not rows):
        return None
    merged = merge_all(_element_type(row) for row in rows)
    fields = merged.fields if isinstance(merged, Struct) else ()
    return Found(
        "xml",
        tuple(Column(name.lower(), kind) for name, kind in fields),
        NO_FORMAT,
        {"rowTag": row_tag} if row_tag else {},
        records=len(rows),
        record_bytes=len(text.encode()),
    )


def _rows(text: str, is_cut: bool, row_tag: str | None) -> list[dict[str, Any]] | None:
    """Elements called `row_tag` as dictionaries of attributes, children and text."""
    rows: list[dict[str, Any]] = []
    open_elements: list[dict[str, Any]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if open_elements or name == row_tag:
            open_elements.append({"tag": name, **{f"@{k}": [v] for k, v in attributes.items()}})

    def end(_: str) -> None:
        if not open_elements:
            return
        element = open_elements.pop()
        if open_elements:
            open_elements[-1].setdefault(f"@{element['tag']}", []).append(element)
        else:
            rows.append(element)

    def characters(piece: str) -> None:
        if open_elements:
            open_elements[-1]["text"] = open_elements[-1].get("text", "") + piece

    parser = expat.ParserCreate()
    # An entity may stand for a gigabyte, or for a file of this machine: none is expanded.
    parser.EntityDeclHandler = _refuse_entities
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = characters
    try:
        parser.Parse(text, not is_cut)
    except (expat.ExpatError, _EntitiesRefused):
        return None
    return rows[:ROWS_READ]


class _EntitiesRefused(ValueError):
    """The document declares entities."""


def _refuse_entities(*_: Any) -> None:
    raise _EntitiesRefused


def _element_type(element: Any) -> HiveType | None:
    if isinstance(element, str):
        return text_type(element)
    inner = [(name[1:], kids) for name, kids in element.items() if name.startswith("@")]
    if not inner:
        return text_type(element.get("text", ""))
    fields: list[tuple[str, HiveType | None]] = []
    for name, kids in inner:
        kind = merge_all(_element_type(kid) for kid in kids)
        fields.append((name, Array(kind) if len(kids) > 1 else kind))
    return Struct(tuple(fields))
