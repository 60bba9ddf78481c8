"""Whole objects compressed as AWS does, byte for byte the same at each attempt."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import cramjam

# Hadoop's BlockCompressorStream: each block tells its plain and its compressed length.
_HADOOP_BLOCK_BYTES = 256 * 1024
# A delivery that is repeated after a crash must write the same bytes: no time of day inside.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def _gzip(content: bytes, name: str) -> bytes:
    # Level 6 is what Java's GZIPOutputStream uses.
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflate.compress(content) + deflate.flush()
    trailer = struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return b"".join((_GZIP_HEADER, packed, trailer))


def _zip(content: bytes, name: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name.removesuffix(".zip"), _ZIP_EPOCH)
        archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _snappy(content: bytes, name: str) -> bytes:
    return bytes(cramjam.snappy.compress(content))


def _hadoop_snappy(content: bytes, name: str) -> bytes:
    blocks = []
    for start in range(0, len(content), _HADOOP_BLOCK_BYTES):
        plain = content[start : start + _HADOOP_BLOCK_BYTES]
        packed = bytes(cramjam.snappy.compress_raw(plain))
        blocks.append(struct.pack(">II", len(plain), len(packed)) + packed)
    return b"".join(blocks)


#: Content-Encoding of such an object: clients that honour it get the plain bytes, as on AWS.
CONTENT_ENCODINGS = {
    "GZIP": "gzip",
    "ZIP": "zip",
    "Snappy": "snappy-java",
    "HADOOP_SNAPPY": "hadoop-snappy",
}
_FORMATS: dict[str, Callable[[bytes, str], bytes]] = {
    "UNCOMPRESSED": lambda content, name: content,
    "GZIP": _gzip,
    "ZIP": _zip,
    "Snappy": _snappy,
    "HADOOP_SNAPPY": _hadoop_snappy,
}


def compress(compression_format: str, content: bytes, name: str) -> bytes:
    """The object's bytes; `name` (the last part of its key) is what a ZIP's entry is called."""
    return _FORMATS[compression_format](content, name)
