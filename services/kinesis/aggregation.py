"""The KPL's aggregated records: many user records packed into one Kinesis record. Pure.

The format is `F3 89 9A C2`, a protobuf message, and the MD5 of that message:
https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
The message is small and fixed, so it is read and written here by hand: quicker than a protobuf
library in Python, and without a dependency that engine and pipeline would have to agree on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import md5
from typing import NamedTuple

MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_BYTES = 16
#: What magic and digest add to the message.
FRAME_BYTES = len(MAGIC) + DIGEST_BYTES

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


class AggregatedUserRecord(NamedTuple):
    """One user record of an aggregate; its sub-sequence number is its place in the list.

    `explicit_hash_key` is decimal, or None when the partition key decides. `tags` are unused
    by Amazon's own libraries.
    """

    partition_key: str
    data: bytes
    explicit_hash_key: str | None = None
    tags: tuple[tuple[str, str | None], ...] = ()

    @property
    def hash_key(self) -> int:
        """Where the record belongs on the stream's ring of 128-bit numbers."""
        if self.explicit_hash_key is not None:
            return int(self.explicit_hash_key)
        return int.from_bytes(md5(self.partition_key.encode(), usedforsecurity=False).digest())


class Aggregate:
    """An aggregate that is being filled; knows its exact size at every moment."""

    def __init__(self) -> None:
        self._partition_keys: dict[str, int] = {}
        self._explicit_hash_keys: dict[str, int] = {}
        self._tables: list[bytes] = []
        self._hash_key_tables: list[bytes] = []
        self._records: list[bytes] = []
        #: Bytes that `pack` will give.
        self.size = FRAME_BYTES

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: AggregatedUserRecord, max_size: int | None = None) -> bool:
        """Append the record, unless the aggregate would become larger than `max_size`."""
        partition_keys, hash_keys = self._partition_keys, self._explicit_hash_keys
        partition_key, data, explicit_hash_key, tags = record
        index = partition_keys.get(partition_key)
        new_key = b"" if index is not None else _field(0x0A, partition_key.encode())
        body = b"\x08" + _varint(len(partition_keys) if index is None else index)
        new_hash_key = b""
        if explicit_hash_key is not None:
            hash_index = hash_keys.get(explicit_hash_key, len(hash_keys))
            if hash_index == len(hash_keys):
                new_hash_key = _field(0x12, explicit_hash_key.encode())
            body += b"\x10" + _varint(hash_index)
        body += b"\x1a" + _varint(len(data)) + data
        for tag in tags:
            body += _field(0x22, _tag(*tag))
        entry = b"\x1a" + _varint(len(body)) + body
        size = self.size + len(new_key) + len(new_hash_key) + len(entry)
        if max_size is not None and size > max_size:
            return False
        if new_key:
            partition_keys[partition_key] = len(partition_keys)
            self._tables.append(new_key)
        if new_hash_key and explicit_hash_key is not None:
            hash_keys[explicit_hash_key] = len(hash_keys)
            self._hash_key_tables.append(new_hash_key)
        self._records.append(entry)
        self.size = size
        return True

    def pack(self) -> bytes:
        """The Kinesis record's data."""
        message = b"".join([*self._tables, *self._hash_key_tables, *self._records])
        return MAGIC + message + md5(message, usedforsecurity=False).digest()


def pack(records: Iterable[AggregatedUserRecord]) -> bytes:
    """The data of a Kinesis record that holds these."""
    aggregate = Aggregate()
    for record in records:
        aggregate.add(record)
    return aggregate.pack()


def unpack(data: bytes) -> list[AggregatedUserRecord] | None:
    """The user records in a Kinesis record's data, or None when it is an ordinary record.

    Whatever is not an aggregate in every byte is an ordinary record, as in the KCL: a wrong
    digest, a message that cannot be read, an index without an entry.
    """
    if len(data) <= FRAME_BYTES or not data.startswith(MAGIC):
        return None
    message = data[len(MAGIC) : -DIGEST_BYTES]
    if md5(message, usedforsecurity=False).digest() != data[-DIGEST_BYTES:]:
        return None
    try:
        return _read_message(message)
    except (ValueError, IndexError):
        return None


def all_belong(records: Iterable[AggregatedUserRecord], starting: int, ending: int) -> bool:
    """Whether every record's hash key lies in a shard's range, ends included.

    The KCL drops an aggregate with a record that does not: after a reshard the KPL puts such
    records again, one by one, to where they belong.
    """
    return all(starting <= record.hash_key <= ending for record in records)


def _read_message(message: bytes) -> list[AggregatedUserRecord]:
    partition_keys: list[str] = []
    hash_keys: list[str] = []
    bodies: list[bytes] = []
    for number, value in _fields(message):
        if number == 1:
            partition_keys.append(_text(value))
        elif number == 2:
            hash_keys.append(_text(value))
        elif number == 3:
            bodies.append(_bytes(value))
    return [_read_record(body, partition_keys, hash_keys) for body in bodies]


def _read_record(
    body: bytes, partition_keys: list[str], hash_keys: list[str]
) -> AggregatedUserRecord:
    partition_key = explicit_hash_key = data = None
    tags: list[tuple[str, str | None]] = []
    for number, value in _fields(body):
        if number == 1:
            partition_key = partition_keys[_integer(value)]
        elif number == 2:
            explicit_hash_key = _decimal(hash_keys[_integer(value)])
        elif number == 3:
            data = _bytes(value)
        elif number == 4:
            tags.append(_read_tag(_bytes(value)))
    if partition_key is None or data is None:
        raise ValueError("a record without a partition key or data")
    return AggregatedUserRecord(partition_key, data, explicit_hash_key, tuple(tags))


def _read_tag(body: bytes) -> tuple[str, str | None]:
    fields = dict(_fields(body))
    return _text(fields.get(1, 0)), _text(fields[2]) if 2 in fields else None


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of a message; unknown fields come along, as protobuf wants."""
    at, end = 0, len(message)
    while at < end:
        tag, at = _read_varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if wire_type == _LENGTH:
            length, at = _read_varint(message, at)
        elif wire_type in (_FIXED64, _FIXED32):
            length = 8 if wire_type == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire_type}")
        if number == 0 or at + length > end:
            raise ValueError("a field past the message's end")
        yield number, message[at : at + length]
        at += length


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    byte = message[at]
    if byte < 0x80:
        return byte, at + 1
    value, shift = byte & 0x7F, 7
    while byte >= 0x80:
        at += 1
        byte = message[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > 70:
            raise ValueError("a varint of more than ten bytes")
    return value, at + 1


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where bytes belong")
    return value


def _text(value: int | bytes) -> str:
    return _bytes(value).decode()


def _integer(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ValueError("bytes where a number belongs")
    return value


def _decimal(text: str) -> str:
    if not (text.isascii() and text.isdigit()) or int(text) >= 1 << 128:
        raise ValueError("an explicit hash key that is no 128-bit number")
    return text


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


#: Every length and index that is common: all varints of one and two bytes.
_SHORT = [_encode_varint(value) for value in range(1 << 14)]


def _varint(value: int) -> bytes:
    return _SHORT[value] if value < 1 << 14 else _encode_varint(value)


def _field(tag: int, value: bytes) -> bytes:
    return _SHORT[tag] + _varint(len(value)) + value


def _tag(key: str, value: str | None) -> bytes:
    return _field(0x0A, key.encode()) + (b"" if value is None else _field(0x12, value.encode()))
