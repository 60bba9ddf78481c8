"""The plain beginning of a file that may be compressed, cut off anywhere."""

from __future__ import annotations

import bz2
import io
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

#: How much plain text is looked at, at most.
PLAIN_BYTES = 4 << 20


class Plain(NamedTuple):
    """Plain bytes, whether the file goes on behind them, and how it was compressed."""

    content: bytes
    is_cut: bool
    compression: str


def plain_beginning(content: bytes, is_cut: bool, key: str) -> Plain:
    """Decompress as far as the bytes go. `is_cut` says that the object is longer.

    Recognised by its first bytes, snappy by the ending of its name; what cannot be
    decompressed is returned as it is."""
    compression = compression_of(content, key)
    if compression == "none":
        return Plain(content, is_cut, compression)
    plain, broke_off = READERS[compression](content)
    return Plain(plain[:PLAIN_BYTES], is_cut or broke_off or len(plain) > PLAIN_BYTES, compression)


def compression_of(content: bytes, key: str) -> str:
    """Glue's word for it: gzip, bzip2, zstd, lz4, snappy, or none."""
    for magic, name in MAGIC.items():
        if content.startswith(magic):
            return name
    return "snappy" if key.lower().endswith((".snappy", ".sz")) else "none"


def _gzip(content: bytes) -> tuple[bytes, bool]:
    """All members of the file: Firehose and `cat` put several one after another."""
    plain, rest = b"", content
    while rest and len(plain) <= PLAIN_BYTES:
        member = zlib.decompressobj(wbits=31)
        try:
            plain += member.decompress(rest, PLAIN_BYTES + 1)
        except zlib.error:
            return plain, True
        if not member.eof:
            return plain, True
        rest = member.unused_data
    return plain, bool(rest)


def _bzip2(content: bytes) -> tuple[bytes, bool]:
    reader = bz2.BZ2Decompressor()
    try:
        plain = reader.decompress(content, PLAIN_BYTES + 1)
    except OSError:
        return b"", True
    return plain, not reader.eof


def _arrow(name: str) -> Callable[[bytes], tuple[bytes, bool]]:
    """Arrow's streams, in small steps: what came before a cut is kept."""

    def read(content: bytes) -> tuple[bytes, bool]:
        plain = b""
        try:
            with pa.CompressedInputStream(io.BytesIO(content), name) as stream:
                while len(plain) <= PLAIN_BYTES:
                    piece = stream.read(1 << 14)
                    if not piece:
                        return plain, False
                    plain += piece
        except OSError:
            return plain, True
        return plain, True

    return read


def _snappy(content: bytes) -> tuple[bytes, bool]:
    """The three shapes in use: framed, Hadoop's blocks, one raw block."""
    if content.startswith(b"\xff\x06\x00\x00sNaPpY"):
        return _snappy_framed(content)
    try:
        return _snappy_block(content), False
    except (OSError, ValueError, IndexError):
        return _snappy_hadoop(content)


def _snappy_framed(content: bytes) -> tuple[bytes, bool]:
    plain, at = b"", 0
    while at + 4 <= len(content):
        kind, size = content[at], int.from_bytes(content[at + 1 : at + 4], "little")
        chunk, at = content[at + 4 : at + 4 + size], at + 4 + size
        if at > len(content):
            return plain, True
        if kind == 0:
            plain += _snappy_block(chunk[4:])
        elif kind == 1:
            plain += chunk[4:]
    return plain, False


def _snappy_hadoop(content: bytes) -> tuple[bytes, bool]:
    """Blocks of (plain length, then pairs of compressed length and bytes), big-endian."""
    plain, at = b"", 0
    try:
        while at < len(content):
            (wanted,) = struct.unpack_from(">I", content, at)
            at, got = at + 4, 0
            while got < wanted:
                (size,) = struct.unpack_from(">I", content, at)
                if at + 4 + size > len(content):
                    return plain, True
                piece = _snappy_block(content[at + 4 : at + 4 + size])
                plain, got, at = plain + piece, got + len(piece), at + 4 + size
    except (struct.error, OSError, ValueError, IndexError):
        return plain, True
    return plain, False


def _snappy_block(content: bytes) -> bytes:
    """One raw block: its plain length is a varint at its start."""
    length = shift = at = 0
    while True:
        length |= (content[at] & 0x7F) << shift
        if content[at] < 0x80:
            break
        at, shift = at + 1, shift + 7
        if shift > 28:
            raise ValueError("no snappy block")
    if length > 1 << 28:
        raise ValueError("no snappy block")
    plain: bytes = pa.Codec("snappy").decompress(content, length).to_pybytes()
    return plain


MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xff\x06\x00\x00sNaPpY": "snappy",
}
READERS: dict[str, Callable[[bytes], tuple[bytes, bool]]] = {
    "gzip": _gzip,
    "bzip2": _bzip2,
    "zstd": _arrow("zstd"),
    "lz4": _arrow("lz4"),
    "snappy": _snappy,
}
