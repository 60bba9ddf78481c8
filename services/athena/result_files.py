"""Result files as Athena writes them: CSV with all fields quoted, text, manifest, binary metadata."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from services.athena import trino_types
from services.athena.execution_engine import Column

Row = list[str | None]
#: A larger result goes through a file.
IN_MEMORY_BYTES = 32 << 20


def csv_line(cells: Sequence[str | None]) -> str:
    """Every field in double quotes; NULL is an empty field without quotes."""
    return ",".join("" if c is None else '"' + c.replace('"', '""') + '"' for c in cells) + "\n"


def csv_batch(batch: Any) -> bytes:
    """A pyarrow.RecordBatch of text columns as CSV lines."""
    import pyarrow
    import pyarrow.compute

    quote, comma, nothing = (pyarrow.scalar(s, pyarrow.large_string()) for s in ('"', ",", ""))
    cells = []
    for column in batch.columns:
        text = column.cast(pyarrow.large_string())
        doubled = pyarrow.compute.replace_substring(text, '"', '""')
        quoted = pyarrow.compute.binary_join_element_wise(quote, doubled, quote, nothing)
        cells.append(pyarrow.compute.fill_null(quoted, ""))
    if not cells:
        return b""
    lines = pyarrow.compute.binary_join_element_wise(*cells, comma) if len(cells) > 1 else cells[0]
    return ("\n".join(lines.to_pylist()) + "\n").encode() if len(lines) else b""


def csv_file(columns: Sequence[Column], batches: Iterable[Any]) -> Iterator[bytes]:
    """Header, then rows."""
    yield csv_line([column.name for column in columns]).encode()
    for batch in batches:
        if batch.num_rows:
            yield csv_batch(batch)


@contextlib.contextmanager
def gathered(pieces: Iterable[bytes]) -> Iterator[bytes | Path]:
    """The pieces as one body; in a temporary file where they are too many for memory."""
    body, size = [], 0
    pieces = iter(pieces)
    for piece in pieces:
        body.append(piece)
        size += len(piece)
        if size > IN_MEMORY_BYTES:
            break
    else:
        yield b"".join(body)
        return
    with tempfile.NamedTemporaryFile(prefix="athena-result-") as file:
        file.writelines(body)
        file.writelines(pieces)
        file.flush()
        yield Path(file.name)


#: A page of results is read in pieces of the file; a row that is longer takes a longer piece.
PIECE_BYTES = 1 << 20


def read_csv(
    read: Callable[[int, int], bytes], position: int, count: int
) -> tuple[list[Row], int | None]:
    """Up to `count` rows from a byte offset, and the offset of the next row (None at the end).

    `read` gives up to so many bytes from an offset on. NULL (nothing) and the empty string (`""`)
    stay apart, which no CSV library does.
    """
    rows: list[Row] = []
    size = PIECE_BYTES
    while len(rows) < count:
        body = read(position, size)
        found, end = _read_rows(body, count - len(rows))
        rows += found
        position += end
        if len(body) < size and end == len(body):
            return rows, None
        if not found and len(body) < size:
            raise ValueError(f"The result file ends within the row at byte {position}.")
        size = PIECE_BYTES if found else 2 * size
    return rows, position if read(position, 1) else None


def _read_rows(body: bytes, count: int) -> tuple[list[Row], int]:
    """The rows that are there whole, and where they end."""
    rows: list[Row] = []
    position = 0
    while position < len(body) and len(rows) < count:
        try:
            row, following = _read_row(body, position)
        except ValueError:  # the rest lies in the next piece
            break
        rows.append(row)
        position = following
    return rows, position


def _read_row(body: bytes, position: int) -> tuple[Row, int]:
    """Raises ValueError where the row's end is missing."""
    row: Row = []
    while True:
        if body[position : position + 1] == b'"':
            cell, position = _read_quoted(body, position + 1)
            row.append(cell)
        else:
            row.append(None)
        end = body[position : position + 1]
        if not end:
            raise ValueError
        position += 1
        if end != b",":
            return row, position


def _read_quoted(body: bytes, start: int) -> tuple[str, int]:
    at = start
    while True:
        at = body.index(b'"', at)
        if at + 1 == len(body):
            raise ValueError  # a second quote may follow
        if body[at + 1 : at + 2] != b'"':
            return body[start:at].decode().replace('""', '"'), at + 1
        at += 2


def text_file(rows: Iterable[Sequence[str]]) -> bytes:
    """DDL, SHOW, DESCRIBE: cells apart by tabs, no header."""
    return "".join("\t".join(row) + "\n" for row in rows).encode()


# --- the binary .metadata file: a protocol buffer of the query id and its columns


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = number >> 7, number & 127
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


def _bytes_field(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _number_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def metadata(query_execution_id: str, columns: Sequence[Column]) -> bytes:
    """What clients read beside the CSV for names and types (field numbers as Athena's files show)."""
    out = _bytes_field(2, query_execution_id.encode())
    for column in columns:
        kind, precision, scale = trino_types.column_info(column.type)
        name = column.name.encode()
        out += _bytes_field(
            4,
            _bytes_field(1, b"hive") + _bytes_field(4, name) + _bytes_field(5, name)
            + _bytes_field(6, kind.encode()) + _number_field(7, precision) + _number_field(8, scale)
            + _number_field(9, 3) + _number_field(10, 1 if kind in ("varchar", "char") else 0),
        )  # fmt: skip
    return out
