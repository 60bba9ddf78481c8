"""The processor behind every destination: rows to all of them, then a checkpoint."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from consumers.kcl.errors import (
    KclError,
    KinesisClientLibDependencyException,
    ThrottlingException,
    TryAgain,
)
from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.kcl.record_processor import (
    Checkpointer,
    InitializationInput,
    LeaseLostInput,
    ProcessRecordsInput,
    ShardEndedInput,
    ShutdownRequestedInput,
)
from consumers.processors.destination import Destination, RejectedRecords
from consumers.processors.row import Rejection, Row, split_rows

log = logging.getLogger(__name__)


class RecordsRejected(KclError):
    """Records cannot be stored and no place for rejected records was given."""


class StoringProcessor:
    """A ShardRecordProcessor that stores rows in one or several destinations.

    At most one of them may cut its own objects (`to_raw_zone`): it says where a restart may
    begin, and the others, which store at once, are at least as far.
    """

    def __init__(
        self,
        destinations: Sequence[Destination],
        rejected: RejectedRecords | None = None,
        *,
        checkpoint_interval_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._destinations = destinations
        self._rejected = rejected
        self._checkpoint_interval = checkpoint_interval_seconds
        self._monotonic = monotonic
        self._checkpointed_at = monotonic()
        self._checkpointed: ExtendedSequenceNumber | None = None
        self._stream_name = ""
        self._shard_id = ""

    def initialize(self, initialization_input: InitializationInput) -> None:
        self._stream_name = initialization_input.stream_name
        self._shard_id = initialization_input.shard_id
        self._checkpointed = initialization_input.extended_sequence_number
        for destination in self._destinations:
            destination.open(self._stream_name, self._shard_id)

    def process_records(self, process_records_input: ProcessRecordsInput) -> None:
        try:
            if process_records_input.records:
                self._store(process_records_input)
            else:
                for destination in self._destinations:
                    destination.idle()
        except (ClientError, BotoCoreError) as error:
            if will_pass(error):
                raise TryAgain(str(error)) from error
            raise
        due = self._checkpointed_at + self._checkpoint_interval
        if self._monotonic() >= due:
            self._checkpoint(process_records_input.checkpointer)

    def shard_ended(self, shard_ended_input: ShardEndedInput) -> None:
        for destination in self._destinations:
            destination.flush()
        shard_ended_input.checkpointer.checkpoint()
        self._close()

    def shutdown_requested(self, shutdown_requested_input: ShutdownRequestedInput) -> None:
        for destination in self._destinations:
            destination.flush()
        self._checkpoint(shutdown_requested_input.checkpointer)

    def lease_lost(self, lease_lost_input: LeaseLostInput) -> None:
        self._close()

    def _store(self, given: ProcessRecordsInput) -> None:
        rows, rejections = split_rows(given.records)
        accepted = [(d, self._accepted(d, rows, rejections)) for d in self._destinations]
        self._reject(rejections)
        through = given.records[-1].position
        for destination, its_rows in accepted:
            self._reject(destination.store(its_rows, through))

    def _accepted(
        self, destination: Destination, rows: Sequence[Row], rejections: list[Rejection]
    ) -> Sequence[Row]:
        accepted: list[Row] = []
        for row in rows:
            reason = destination.reason_to_reject(row)
            if reason is None:
                accepted.append(row)
            else:
                rejections.append(Rejection(row.record, destination.name, reason))
        return accepted

    def _reject(self, rejections: Sequence[Rejection]) -> None:
        if not rejections:
            return
        if self._rejected is None:
            first = rejections[0]
            raise RecordsRejected(
                f"{first.destination} cannot take record {first.record.position} of shard "
                f"{self._shard_id}: {first.reason}. Name a place for rejected records."
            )
        self._rejected.keep(self._stream_name, self._shard_id, rejections)

    def _checkpoint(self, checkpointer: Checkpointer) -> None:
        self._checkpointed_at = self._monotonic()
        durable = [destination.durable_through for destination in self._destinations]
        known = [position for position in durable if position is not None]
        if len(known) < len(durable) or not known:
            return
        position = min(known)
        if position == self._checkpointed:
            return
        try:
            checkpointer.checkpoint(position.sequence_number, position.sub_sequence_number)
        except (ThrottlingException, KinesisClientLibDependencyException) as error:
            # Everything is stored; the checkpoint may lag, and the next one covers this one.
            log.warning("Shard %s is not checkpointed yet: %s", self._shard_id, error)
        else:
            self._checkpointed = position

    def _close(self) -> None:
        for destination in self._destinations:
            destination.close()


def will_pass(error: ClientError | BotoCoreError) -> bool:
    """Whether an error is one of the moment: no answer, the server's own, or too many requests."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error.response["Error"]["Code"]
        return status >= 500 or "Throttl" in code or "SlowDown" in code or "Exceeded" in code
    return isinstance(error, HTTPClientError | NoConnection)
