"""ORC and Avro files as one Arrow table, with the partition values that stand in their paths."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.orc


def read(kind: str, files: Sequence[str], partition_columns: Sequence[str]) -> Any:
    """A pyarrow.Table of all files, with `filename` and the partition columns as text."""
    tables = []
    for path in files:
        table = pyarrow.orc.read_table(path) if kind == "orc" else _read_avro(path)
        more = {"filename": path}
        for column in partition_columns:
            found = re.search(rf"/{re.escape(column)}=([^/]*)/", path)
            more[column] = urllib.parse.unquote(found[1]) if found else ""
        for column, value in more.items():
            table = table.append_column(
                column, pyarrow.array([value] * len(table), pyarrow.string())
            )
        tables.append(table)
    return pyarrow.concat_tables(tables, promote_options="permissive")


def _read_avro(path: str) -> Any:
    import fastavro

    with Path(path).open("rb") as file:
        rows = list(fastavro.reader(file))
    return pyarrow.Table.from_pylist(rows)
