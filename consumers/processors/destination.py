"""What every destination of rows can do; `StoringProcessor` drives one or several of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.processors.row import Rejection, Row


class Destination(Protocol):
    """Stores the rows of one shard. Calls come one at a time, rows in the shard's order.

    Everything after the last checkpoint may come again, also rows already given to this very
    object after a call that raised: storing twice must leave one.
    """

    name: str

    def open(self, stream_name: str, shard_id: str) -> None:
        """Called once. Raises when rows can never be stored, with a sentence that says why."""

    def reason_to_reject(self, row: Row) -> str | None:
        """Why this row cannot be stored here, now or ever; depends on nothing but the row."""

    def store(self, rows: Sequence[Row], through: ExtendedSequenceNumber) -> Sequence[Rejection]:
        """Take rows up to position `through`, which may lie after the last of them. Returns those
        that turned out to be impossible to store."""

    def flush(self) -> None:
        """Make everything taken durable."""

    def idle(self) -> None:
        """Called some times a second while no records come."""

    @property
    def durable_through(self) -> ExtendedSequenceNumber | None:
        """Everything up to here is stored for good, and a restart from here stores no row twice;
        None before that can be said of anything."""

    def close(self) -> None:
        """The shard goes to another worker: forget what is not stored."""


class StoresAtOnce:
    """What destinations share that have stored everything for good when `store` returns."""

    _durable_through: ExtendedSequenceNumber | None = None

    def flush(self) -> None:
        """Nothing waits."""

    def idle(self) -> None:
        """Nothing waits."""

    @property
    def durable_through(self) -> ExtendedSequenceNumber | None:
        return self._durable_through


class RejectedRecords(Protocol):
    """Where rejected records are kept."""

    def keep(self, stream_name: str, shard_id: str, rejections: Sequence[Rejection]) -> None:
        """Durable on return; keeping a rejection again leaves one."""
