"""Reads a shard by polling: GetShardIterator and GetRecords, iterators that expire, throttling."""

from __future__ import annotations

import logging
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from consumers.kcl.errors import InvalidShardAnswer
from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.kcl.retrieval import PrefetchQueue, RecordsBatch, ends_shard, position_after
from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import ChildShard

log = logging.getLogger(__name__)

_THROTTLED = (
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "ThrottlingException",
)
#: From this many in a row on, throttling is worth an error in the log, as in KCL.
_MANY_THROTTLES = 5
_WARN_EVERY_SECONDS = 60.0
#: A shard's first read asks for few records: with a thousand of them its processor can begin,
#: while the answers for all shards of a worker that begins are read by one interpreter.
_FIRST_RECORDS = 1_000


class ShardReader:
    """Reads one shard, call by call, and knows where to go on."""

    def __init__(
        self,
        kinesis: Any,
        stream_name: str,
        shard_id: str,
        start: ExtendedSequenceNumber,
        settings: SchedulerSettings,
    ) -> None:
        self._kinesis = kinesis
        self._stream_name = stream_name
        self._shard_id = shard_id
        self._start = start
        self._settings = settings
        self._iterator: str | None = None
        self._last_fetched: str | None = None
        self._limit = min(_FIRST_RECORDS, settings.max_records)

    def read(self) -> RecordsBatch:
        """One GetRecords. Raises InvalidShardAnswer (read again), or botocore's errors."""
        try:
            return self._read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExpiredIteratorException":
                self._iterator = None
                return self._read()
            if ends_shard(error, self._kinesis, self._stream_name, self._shard_id):
                return RecordsBatch((), 0, is_shard_end=True)
            raise

    def _read(self) -> RecordsBatch:
        if self._iterator is None:
            self._iterator = self._new_iterator()
        answer = self._kinesis.get_records(ShardIterator=self._iterator, Limit=self._limit)
        self._limit = self._settings.max_records
        following = answer.get("NextShardIterator")
        children = tuple(ChildShard.of(told) for told in answer.get("ChildShards") or ())
        self._refuse_contradiction(following, children)
        records = answer["Records"]
        if records:
            self._last_fetched = records[-1]["SequenceNumber"]
        self._iterator = following
        return RecordsBatch(
            records, answer.get("MillisBehindLatest") or 0, following is None, children
        )

    def _refuse_contradiction(
        self, following: str | None, children: tuple[ChildShard, ...]
    ) -> None:
        is_end = following is None
        if is_end != bool(children) or not all(child.parent_shards for child in children):
            self._iterator = None
            raise InvalidShardAnswer(
                f"GetRecords of shard {self._shard_id} told {len(children)} child shards "
                f"{'at' if is_end else 'before'} its end; reading again."
            )

    def _new_iterator(self) -> str:
        position = position_after(self._last_fetched, self._start, self._settings)
        request = {
            "ShardIteratorType": position.type,
            "StartingSequenceNumber": position.sequence_number,
            "Timestamp": position.timestamp,
        }
        answer = self._kinesis.get_shard_iterator(
            StreamName=self._stream_name,
            ShardId=self._shard_id,
            **{name: value for name, value in request.items() if value is not None},
        )
        iterator: str = answer["ShardIterator"]
        return iterator


class PollingSource:
    """A RecordsSource that calls GetRecords again and again."""

    def __init__(self, reader: ShardReader, settings: SchedulerSettings, name: str) -> None:
        self._reader = reader
        self._settings = settings
        self._throttles = 0
        self._warned_at: float | None = None
        self._name = name

    def read_into(self, queue: PrefetchQueue) -> float | None:
        batch = self._read()
        if batch is not None:
            queue.put(batch)
            if batch.is_shard_end:
                return None
        return self._pause(batch)

    def _read(self) -> RecordsBatch | None:
        """One batch; None when it must be tried again after a pause."""
        try:
            batch = self._reader.read()
        except ClientError as error:
            if error.response["Error"]["Code"] not in _THROTTLED:
                self._warn(error)
                return None
            self._throttles += 1
            level = logging.ERROR if self._throttles >= _MANY_THROTTLES else logging.WARNING
            log.log(level, "Shard %s is throttled, %d in a row.", self._name, self._throttles)
            return None
        except (BotoCoreError, InvalidShardAnswer) as error:
            self._warn(error)
            return None
        self._throttles, self._warned_at = 0, None
        return batch

    def _warn(self, error: Exception) -> None:
        """Once a minute: an engine that is away for long should not fill the log."""
        now = time.monotonic()
        if self._warned_at is None or now - self._warned_at > _WARN_EVERY_SECONDS:
            self._warned_at = now
            log.warning("Shard %s is read again: %s", self._name, error)

    def _pause(self, batch: RecordsBatch | None) -> float:
        """Seconds between the starts of two reads: short while the shard is behind."""
        if batch is not None and batch.records and batch.millis_behind_latest > 0:
            return self._settings.min_time_between_reads_in_millis / 1000
        pause = self._settings.idle_time_between_reads_in_millis / 1000
        return max(pause, 0.2) if batch is None else pause
