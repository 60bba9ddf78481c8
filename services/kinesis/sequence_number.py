"""Sequence numbers in the 186-bit layout that real KCLs check (version 2).

From the most significant bit: 2 (4 bits), the shard's creation in seconds (36), the shard
index's low nibble (4), the record's ordinal (64), 0 (8), its arrival in seconds (36), the shard
index (32), the version (4). Because the ordinal stands before the arrival, numbers grow with
the ordinal alone. KCL reads the bit length, the version and the shard index:
https://github.com/awslabs/amazon-kinesis-client, SequenceNumberValidator.
"""

from __future__ import annotations

from typing import NamedTuple

_VERSION = 2
_ORDINAL_SHIFT = 80
_ARRIVAL_SHIFT = 36
_CREATION_SHIFT = 148
_CREATION_BITS = (1 << 36) - 1
_ORDINAL_BITS = (1 << 64) - 1
#: The ordinal of a closed shard's EndingSequenceNumber: above every record's.
END_ORDINAL = (1 << 63) - 1
#: What one more record adds.
ORDINAL_STEP = 1 << _ORDINAL_SHIFT


class SequenceNumber(NamedTuple):
    """The parts of a number. Ordinal 0 is the shard's StartingSequenceNumber, records follow."""

    shard_created: int
    shard_index: int
    ordinal: int
    arrival: int


def compose(shard_created: int, shard_index: int, ordinal: int, arrival: int) -> int:
    """The number, as an integer of 186 bits. Times in whole seconds since 1970."""
    return (
        (2 << 184)
        | (shard_created << _CREATION_SHIFT)
        | ((shard_index & 15) << 144)
        | (ordinal << _ORDINAL_SHIFT)
        | (arrival << _ARRIVAL_SHIFT)
        | (shard_index << 4)
        | _VERSION
    )


def parse(text: str) -> SequenceNumber:
    """The parts of a decimal number. Raises ValueError when it is not of this layout."""
    number = int(text)
    if number.bit_length() != 186 or number & 15 != _VERSION:
        raise ValueError(f"{text} is not a sequence number of version 2.")
    return SequenceNumber(
        shard_created=(number >> _CREATION_SHIFT) & _CREATION_BITS,
        shard_index=(number >> 4) & 0xFFFFFFFF,
        ordinal=(number >> _ORDINAL_SHIFT) & _ORDINAL_BITS,
        arrival=(number >> _ARRIVAL_SHIFT) & _CREATION_BITS,
    )
