"""The part of an object's key that nobody can configure, and its extension."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

# https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
_COMPRESSION_EXTENSIONS = {
    "GZIP": ".gz",
    "ZIP": ".zip",
    "Snappy": ".snappy",
    "HADOOP_SNAPPY": ".hsnappy",
}


def suffix(stream_name: str, version_id: str, when: datetime, unique: str, extension: str) -> str:
    """`<stream>-<version>-YYYY-MM-dd-HH-mm-ss-<uuid><extension>`."""
    return f"{stream_name}-{version_id}-{when:%Y-%m-%d-%H-%M-%S}-{unique}{extension}"


def extension(destination: Mapping[str, Any]) -> str:
    """FileExtension, else what conversion or compression stand for, else nothing."""
    if chosen := destination.get("FileExtension"):
        return str(chosen)
    conversion = destination.get("DataFormatConversionConfiguration") or {}
    if conversion.get("Enabled"):
        serializer = conversion["OutputFormatConfiguration"]["Serializer"]
        return ".orc" if serializer.get("OrcSerDe") is not None else ".parquet"
    return _COMPRESSION_EXTENSIONS.get(destination.get("CompressionFormat", ""), "")
