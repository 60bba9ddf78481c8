"""Text objects as DuckDB reads them best: opened, without header lines, empty lines marked.

An empty line is a row on AWS, and DuckDB's readers pass over it; so a mark stands in its place that each
reader turns into what its SerDe makes of an empty line. DuckDB reads a gzip file with one thread, a plain
one with all, so opening it once when it is fetched costs nothing later.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from services.athena.errors import DataRefused

#: Three control characters no text holds.
BLANK = b"\x05\x06\x07"
_PIECE_BYTES = 8 << 20
_EMPTY_LINE = re.compile(rb"(?:\A|(?<=\n))(?=\r?\n)")
#: Suffixes of what is opened here.
OPENED = (".gz", ".zst", ".bz2", ".snappy", ".deflate", ".lz4")


@dataclass(frozen=True)
class Lines:
    """What a SerDe needs of a text object: `blank` stands for an empty line, `skip` lines are left out.

    https://docs.aws.amazon.com/athena/latest/ug/supported-serdes.html
    """

    blank: bytes = BLANK
    skip: int = 0

    @property
    def variant(self) -> str:
        """Names the form in a file's path."""
        return f"{self.blank.hex()}.{self.skip}"

    def prepared(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Whole lines, each ended by a line break."""
        left = self.skip
        for lines in _whole_lines(pieces):
            while left and lines:
                lines = lines[lines.index(b"\n") + 1 :]
                left -= 1
            if lines:
                yield _EMPTY_LINE.sub(self.blank, lines) if _has_empty_line(lines) else lines


def _has_empty_line(lines: bytes) -> bool:
    return lines.startswith((b"\n", b"\r\n")) or b"\n\n" in lines or b"\n\r\n" in lines


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes cut behind line breaks; the last line gets one where it has none."""
    rest: list[bytes] = []
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if not end:
            rest.append(piece)
            continue
        yield b"".join([*rest, piece[:end]])
        rest = [piece[end:]] if end < len(piece) else []
    if any(rest):
        yield b"".join(rest) + b"\n"


def opened(uri: str, key: str, body: bytes) -> Iterator[bytes]:
    """The plain text in pieces. Raises DataRefused where the body is not what its suffix says."""
    try:
        if key.endswith(".gz"):
            yield from _gunzipped(body)
        elif key.endswith(".zst"):
            yield from _unzstd(body)
        else:
            yield from (body[at : at + _PIECE_BYTES] for at in range(0, len(body), _PIECE_BYTES))
    except (zlib.error, EOFError, OSError) as error:
        raise DataRefused(
            "HIVE_CURSOR_ERROR", f"Failed to read file at {uri}: {_words(key, error)}"
        ) from error


def _words(key: str, error: Exception) -> str:
    if isinstance(error, EOFError):
        return "Unexpected end of ZLIB input stream"
    return "Not in GZIP format" if key.endswith(".gz") else str(error)


def _gunzipped(body: bytes) -> Iterator[bytes]:
    """All members one after the other; what is no gzip after the first is left, as Java leaves it."""
    rest, first = body, True
    while rest:
        unzip = zlib.decompressobj(wbits=31)
        try:
            piece = unzip.decompress(rest, _PIECE_BYTES)
        except zlib.error:
            if first:
                raise
            return
        first = False
        while piece:
            yield piece
            piece = unzip.decompress(unzip.unconsumed_tail, _PIECE_BYTES)
        if not unzip.eof:
            raise EOFError
        rest = unzip.unused_data


def _unzstd(body: bytes) -> Iterator[bytes]:
    import pyarrow

    with pyarrow.CompressedInputStream(pyarrow.BufferReader(body), "zstd") as stream:
        while piece := stream.read(_PIECE_BYTES):
            yield piece
