"""How JSON files spell the keys of a table's columns, because DuckDB minds case and Hive does not."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from services.athena import trino_types
from services.athena.trino_types import Type

#: Looked at: this many files, spread evenly, and this many lines of each; of few files, more lines.
FILES, LINES = 24, 64


@dataclass(frozen=True)
class Spelled:
    """The key as the files have it; `read_as` the type to read it with, its fields spelled too."""

    key: str
    read_as: Type
    duck_type: str


def spell(
    files: Sequence[str], columns: Mapping[str, Type], mapping: Mapping[str, str], *, dots: bool
) -> dict[str, Spelled] | None:
    """Column → spelling; None where one key is spelled in several ways."""
    from services.athena.table_scan import file_type

    seen: dict[str, set[str]] = {}
    _collect(_sample(files), "", seen)
    spelled = {}
    for column, kind in columns.items():
        wanted = mapping.get(column, column)
        keys = seen.get(wanted.lower(), set())
        if dots and not keys:
            keys = {
                k for names in seen.values() for k in names if k.replace(".", "_").lower() == wanted
            }
        if len(keys) > 1:
            return None
        try:
            read_as = _spell_type(kind, wanted.lower(), seen)
        except ValueError:
            return None
        key = next(iter(keys), wanted)
        spelled[column] = Spelled(key, read_as, file_type(_readable(read_as)))
    return spelled


def _readable(kind: Type) -> Type:
    return kind


def _sample(files: Sequence[str]) -> Iterator[Any]:
    step = max(1, len(files) // FILES)
    for path in files[::step][:FILES]:
        yield from _first_objects(path, LINES * FILES // min(FILES, len(files)))


def _first_objects(path: str, lines: int) -> Iterator[Any]:
    with gzip.open(path, "rb") if path.endswith(".gz") else Path(path).open("rb") as file:
        for _ in range(lines):
            try:
                line = file.readline()
            except (OSError, EOFError):
                return  # not gzip after all: the reader itself reports it
            if not line:
                return
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                continue


def _collect(values: Iterator[Any] | list[Any], path: str, seen: dict[str, set[str]]) -> None:
    for value in values:
        if isinstance(value, dict):
            for key, inner in value.items():
                below = f"{path}{key.lower()}"
                seen.setdefault(below, set()).add(key)
                if isinstance(inner, (dict, list)):
                    _collect([inner], below + "\0", seen)
        elif isinstance(value, list):
            _collect(value, path, seen)


def _spell_type(kind: Type, path: str, seen: dict[str, set[str]]) -> Type:
    """The type with row fields under the files' own names. ValueError where they vary."""
    if kind.name == "array":
        return trino_types.array(_spell_type(kind.args[0], path, seen))
    if kind.name != "row":
        return kind
    fields, types = [], []
    for field, inner in zip(kind.fields, kind.args, strict=True):
        keys = seen.get(f"{path}\0{field}", set())
        if len(keys) > 1:
            raise ValueError(field)
        fields.append(next(iter(keys), field))
        types.append(_spell_type(inner, f"{path}\0{field}", seen))
    return trino_types.row(tuple(types), tuple(fields))


def convert(sql: str, read_as: Type, kind: Type) -> str:
    """A value read under the files' names, as the table's type stores it."""
    from services.athena.table_scan import from_file

    return from_file(sql, read_as)
