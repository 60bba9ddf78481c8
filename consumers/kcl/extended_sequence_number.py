"""A position in a shard: sequence number, sub-sequence number, or a sentinel; totally ordered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import total_ordering

AT_TIMESTAMP = "AT_TIMESTAMP"
TRIM_HORIZON = "TRIM_HORIZON"
LATEST = "LATEST"
SHARD_END = "SHARD_END"

#: Amazon's order: every number lies between LATEST and SHARD_END.
_RANK = {AT_TIMESTAMP: 0, TRIM_HORIZON: 1, LATEST: 2, SHARD_END: 4}
_NUMBER_RANK = 3

#: Bits of a Kinesis sequence number: the version nibble on top, the shard's index at bit 4.
_BIT_LENGTH, _VERSION_BIT, _SHARD_BIT = 186, 184, 4


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class ExtendedSequenceNumber:
    """Sequence number as a decimal string (or sentinel) and the place inside an aggregated record.

    Raises ValueError for text that is neither, and for a negative sub-sequence number.
    """

    sequence_number: str
    sub_sequence_number: int = 0

    def __post_init__(self) -> None:
        number, sub = self.sequence_number, self.sub_sequence_number
        if number not in _RANK and not (number.isascii() and number.isdigit()):
            raise ValueError(
                f"{number!r} is no position in a shard; it must be a decimal sequence number "
                f"or one of {', '.join(_RANK)}."
            )
        if sub < 0 or (number in _RANK and sub != 0):
            raise ValueError(
                f"Sub-sequence number {sub} of {number} must be 0 or, in a record, more."
            )

    @property
    def is_sentinel(self) -> bool:
        return self.sequence_number in _RANK

    @property
    def is_shard_end(self) -> bool:
        return self.sequence_number == SHARD_END

    def order(self) -> tuple[int, int, int]:
        """What positions are compared by."""
        number = self.sequence_number
        if (rank := _RANK.get(number)) is not None:
            return rank, 0, 0
        return _NUMBER_RANK, int(number), self.sub_sequence_number

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ExtendedSequenceNumber):
            return NotImplemented
        return self.order() == other.order()

    def __lt__(self, other: ExtendedSequenceNumber) -> bool:
        return self.order() < other.order()

    def __hash__(self) -> int:
        return hash(self.order())

    def __str__(self) -> str:
        sub = self.sub_sequence_number
        return f"{self.sequence_number}-{sub}" if sub else self.sequence_number


def is_number_of_shard(sequence_number: str, shard_id: str) -> bool:
    """Whether Kinesis can have given this number to a record of this shard, by its bit layout."""
    number = int(sequence_number)
    if number.bit_length() != _BIT_LENGTH or number >> _VERSION_BIT != 2:
        return False
    return (number >> _SHARD_BIT) & 0xFFFFFFFF == int(shard_id.rpartition("-")[2])
