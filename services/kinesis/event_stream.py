"""AWS's event stream encoding: messages of headers and payload with two checksums.

https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html
"""

from __future__ import annotations

import struct
from zlib import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7


def encode_event(event_type: str, content_type: str, payload: bytes) -> bytes:
    """One event, as `initial-response` or as a member of the operation's event stream."""
    headers = {
        ":event-type": event_type,
        ":content-type": content_type,
        ":message-type": "event",
    }
    return encode_message(headers, payload)


def encode_exception(code: str, content_type: str, payload: bytes) -> bytes:
    headers = {
        ":exception-type": code,
        ":content-type": content_type,
        ":message-type": "exception",
    }
    return encode_message(headers, payload)


def encode_message(headers: dict[str, str], payload: bytes) -> bytes:
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    length = 12 + len(encoded) + len(payload) + 4
    prelude = struct.pack(">II", length, len(encoded))
    checked = prelude + struct.pack(">I", crc32(prelude))
    message = checked + encoded + payload
    return message + struct.pack(">I", crc32(message))


def _header(name: str, value: str) -> bytes:
    name_bytes, value_bytes = name.encode(), value.encode()
    return (
        struct.pack(">B", len(name_bytes))
        + name_bytes
        + struct.pack(">BH", _STRING, len(value_bytes))
        + value_bytes
    )
