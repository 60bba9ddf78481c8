"""The checkpointer handed to a processor: which positions are allowed, and writing them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from consumers.kcl.errors import (
    InvalidCheckpoint,
    InvalidStateException,
    KinesisClientLibDependencyException,
    ShutdownException,
    ThrottlingException,
)
from consumers.kcl.extended_sequence_number import (
    SHARD_END,
    ExtendedSequenceNumber,
    is_number_of_shard,
)
from consumers.kcl.lease import Lease
from consumers.kcl.record_processor import KinesisClientRecord

_THROTTLED = (
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
)

#: Applies a change to the lease of this tenure; None says that it is lost.
WriteLease = Callable[[Callable[[Lease], Lease]], Lease | None]


class RecordProcessorCheckpointer:
    """A Checkpointer over one tenure of a lease."""

    def __init__(
        self,
        shard_id: str,
        start: ExtendedSequenceNumber,
        write: WriteLease,
        *,
        validate_sequence_number: bool = True,
    ) -> None:
        self._shard_id = shard_id
        self._write = write
        self._validate = validate_sequence_number
        self._lock = threading.Lock()
        self.last_checkpoint = start
        self.largest_permitted = start
        self._at_shard_end = False
        self._last_delivered = start

    def delivering(self, position: ExtendedSequenceNumber) -> None:
        """Called before each batch, or part of one: its last position may be checkpointed while
        it is processed, and nothing after it."""
        with self._lock:
            self.largest_permitted = max(position, self.last_checkpoint)

    def reached_shard_end(self) -> None:
        """From now on a checkpoint of everything means SHARD_END."""
        with self._lock:
            self._at_shard_end = True
            self._last_delivered = self.largest_permitted
            self.largest_permitted = ExtendedSequenceNumber(SHARD_END)

    def checkpoint(
        self,
        sequence_number: str | KinesisClientRecord | None = None,
        sub_sequence_number: int = 0,
    ) -> None:
        with self._lock:
            self._advance(self._allowed(sequence_number, sub_sequence_number))

    def prepare_checkpoint(
        self,
        sequence_number: str | KinesisClientRecord | None = None,
        sub_sequence_number: int = 0,
        *,
        application_state: bytes | None = None,
    ) -> _Prepared:
        with self._lock:
            position = self._allowed(sequence_number, sub_sequence_number)
            if position != self.last_checkpoint:
                self._written(
                    lambda lease: replace(
                        lease,
                        pending_checkpoint=position,
                        pending_checkpoint_state=application_state,
                    )
                )
        return _Prepared(self, position)

    def promote(self, position: ExtendedSequenceNumber) -> None:
        """Make a prepared checkpoint."""
        with self._lock:
            self._refuse_outside_window(position)
            self._advance(position)

    def _advance(self, position: ExtendedSequenceNumber) -> None:
        if position == self.last_checkpoint:
            return
        self._written(
            lambda lease: replace(
                lease,
                checkpoint=position,
                pending_checkpoint=None,
                pending_checkpoint_state=None,
                owner_switches_since_checkpoint=0,
            )
        )
        self.last_checkpoint = position

    def _allowed(
        self, sequence_number: str | KinesisClientRecord | None, sub_sequence_number: int
    ) -> ExtendedSequenceNumber:
        if sequence_number is None:
            return self.largest_permitted
        if isinstance(sequence_number, KinesisClientRecord):
            position = sequence_number.position
        else:
            position = self._parsed(sequence_number, sub_sequence_number)
        self._refuse_outside_window(position)
        if self._at_shard_end and position == self._last_delivered:
            return self.largest_permitted
        return position

    def _parsed(self, sequence_number: str, sub_sequence_number: int) -> ExtendedSequenceNumber:
        try:
            position = ExtendedSequenceNumber(sequence_number, sub_sequence_number)
        except ValueError as error:
            raise InvalidCheckpoint(str(error)) from None
        is_number = not position.is_sentinel
        if self._validate and is_number and not is_number_of_shard(sequence_number, self._shard_id):
            raise InvalidCheckpoint(
                f"{sequence_number} is no sequence number of shard {self._shard_id}; "
                "take one from a delivered record."
            )
        return position

    def _refuse_outside_window(self, position: ExtendedSequenceNumber) -> None:
        if not self.last_checkpoint <= position <= self.largest_permitted:
            raise InvalidCheckpoint(
                f"Shard {self._shard_id} cannot be checkpointed at {position}: it must lie between "
                f"the last checkpoint {self.last_checkpoint} and the last delivered record "
                f"{self.largest_permitted}."
            )

    def _written(self, change: Callable[[Lease], Lease]) -> Lease:
        try:
            lease = self._write(change)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _THROTTLED:
                raise ThrottlingException(f"DynamoDB throttles checkpoints: {error}") from error
            if code == "ResourceNotFoundException":
                raise InvalidStateException(f"The lease table is gone: {error}") from error
            raise KinesisClientLibDependencyException(str(error)) from error
        except BotoCoreError as error:
            raise KinesisClientLibDependencyException(str(error)) from error
        if lease is None:
            raise ShutdownException(
                f"This worker no longer holds the lease of shard {self._shard_id}; "
                "another one goes on from the last checkpoint."
            )
        return lease


class _Prepared:
    """A PreparedCheckpointer."""

    def __init__(
        self, checkpointer: RecordProcessorCheckpointer, position: ExtendedSequenceNumber
    ) -> None:
        self._checkpointer = checkpointer
        self._position = position

    @property
    def pending_checkpoint(self) -> ExtendedSequenceNumber:
        return self._position

    def checkpoint(self) -> None:
        self._checkpointer.promote(self._position)
