"""Compressed objects open with the usual readers and are the same at each attempt."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.firehose.compression import compress

FORMATS = ("UNCOMPRESSED", "GZIP", "ZIP", "Snappy", "HADOOP_SNAPPY")


def hadoop_blocks(content: bytes) -> bytes:
    plain, at = b"", 0
    while at < len(content):
        length, packed = struct.unpack_from(">II", content, at)
        block = bytes(cramjam.snappy.decompress_raw(content[at + 8 : at + 8 + packed]))
        assert len(block) == length
        plain, at = plain + block, at + 8 + packed
    return plain


def opened(compression_format: str, content: bytes) -> bytes:
    if compression_format == "GZIP":
        return gzip.decompress(content)
    if compression_format == "ZIP":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.namelist() == ["name"]
            return archive.read("name")
    if compression_format == "Snappy":
        return bytes(cramjam.snappy.decompress(content))
    return hadoop_blocks(content) if compression_format == "HADOOP_SNAPPY" else content


@pytest.mark.parametrize("compression_format", FORMATS)
@given(content=st.binary(max_size=2000), copies=st.integers(min_value=1, max_value=400))
def test_an_object_opens_to_what_was_put(
    compression_format: str, content: bytes, copies: int
) -> None:
    plain = content * copies
    name = "name.zip" if compression_format == "ZIP" else "name"
    packed = compress(compression_format, plain, name)
    assert opened(compression_format, packed) == plain
    assert compress(compression_format, plain, name) == packed
