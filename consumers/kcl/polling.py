"""Reads a shard by polling: GetShardIterator and GetRecords, iterators that expire, throttling."""

from __future__ import annotations

import logging

from botocore.exceptions import BotoCoreError, ClientError

from consumers.kcl.errors import InvalidShardAnswer
from consumers.kcl.retrieval import PrefetchQueue, RareWarning, RecordsBatch, ShardToRead
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
#: A shard's first read asks for few records: with a thousand of them its processor can begin,
#: while the answers for all shards of a worker that begins are read by one interpreter.
_FIRST_RECORDS = 1_000


class ShardReader:
    """Reads one shard, call by call, and knows where to go on."""

    def __init__(self, shard: ShardToRead) -> None:
        self._shard = shard
        self._iterator: str | None = None
        self._last_fetched: str | None = None
        self._limit = min(_FIRST_RECORDS, shard.settings.max_records)

    def read(self) -> RecordsBatch:
        """One GetRecords. Raises InvalidShardAnswer (read again), or botocore's errors."""
        try:
            return self._read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExpiredIteratorException":
                self._iterator = None
                return self._read()
            if self._shard.has_ended(error):
                return RecordsBatch((), 0, is_shard_end=True)
            raise

    def _read(self) -> RecordsBatch:
        if self._iterator is None:
            self._iterator = self._new_iterator()
        answer = self._shard.kinesis.get_records(ShardIterator=self._iterator, Limit=self._limit)
        self._limit = self._shard.settings.max_records
        following = answer.get("NextShardIterator")
        children = tuple(ChildShard.of(told) for told in answer.get("ChildShards") or ())
        try:
            self._shard.refuse_contradiction(
                "GetRecords", is_end=following is None, children=children
            )
        except InvalidShardAnswer:
            self._iterator = None  # the next one begins behind the last records that were taken
            raise
        records = answer["Records"]
        if records:
            self._last_fetched = records[-1]["SequenceNumber"]
        self._iterator = following
        return RecordsBatch(
            records, answer.get("MillisBehindLatest") or 0, following is None, children
        )

    def _new_iterator(self) -> str:
        position = self._shard.position_after(self._last_fetched)
        answer = self._shard.kinesis.get_shard_iterator(
            StreamName=self._shard.stream_name,
            ShardId=self._shard.shard_id,
            **position.told(type="ShardIteratorType", sequence_number="StartingSequenceNumber"),
        )
        iterator: str = answer["ShardIterator"]
        return iterator


class PollingSource:
    """A RecordsSource that calls GetRecords again and again."""

    def __init__(self, reader: ShardReader, settings: SchedulerSettings, name: str) -> None:
        self._reader = reader
        self._settings = settings
        self._throttles = 0
        self._warning = RareWarning(log)
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
        self._throttles = 0
        self._warning.over()
        return batch

    def _warn(self, error: Exception) -> None:
        self._warning.tell("Shard %s is read again: %s", self._name, error)

    def _pause(self, batch: RecordsBatch | None) -> float:
        """Seconds between the starts of two reads: short while the shard is behind."""
        if batch is not None and batch.records and batch.millis_behind_latest > 0:
            return self._settings.min_time_between_reads_in_millis / 1000
        pause = self._settings.idle_time_between_reads_in_millis / 1000
        return max(pause, 0.2) if batch is None else pause
