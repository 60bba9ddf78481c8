"""Reads a shard by polling: GetShardIterator and GetRecords, iterators that expire, throttling."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from consumers.kcl.errors import ForeignCheckpoint, InvalidShardAnswer
from consumers.kcl.extended_sequence_number import AT_TIMESTAMP, ExtendedSequenceNumber
from consumers.kcl.retrieval import PrefetchQueue, RecordsBatch
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

    def read(self) -> RecordsBatch:
        """One GetRecords. Raises InvalidShardAnswer (read again), or botocore's errors."""
        try:
            return self._read()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ExpiredIteratorException":
                self._iterator = None
                return self._read()
            if code == "ResourceNotFoundException" and shard_is_gone(
                self._kinesis, self._stream_name, self._shard_id
            ):
                # Trimmed away as a whole: nobody can read it any more, so it has ended.
                return RecordsBatch((), 0, is_shard_end=True)
            raise

    def _read(self) -> RecordsBatch:
        if self._iterator is None:
            self._iterator = self._new_iterator()
        answer = self._kinesis.get_records(
            ShardIterator=self._iterator, Limit=self._settings.max_records
        )
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
        answer = self._kinesis.get_shard_iterator(
            StreamName=self._stream_name, ShardId=self._shard_id, **self._iterator_position()
        )
        iterator: str = answer["ShardIterator"]
        return iterator

    def _iterator_position(self) -> dict[str, str | datetime | None]:
        if self._last_fetched is not None:
            return {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": self._last_fetched,
            }
        start = self._start
        if start.sequence_number == AT_TIMESTAMP:
            timestamp = self._settings.initial_position_timestamp
            return {"ShardIteratorType": AT_TIMESTAMP, "Timestamp": timestamp}
        if start.is_sentinel:
            return {"ShardIteratorType": start.sequence_number}
        # AT, not AFTER: an aggregated record may hold user records after the checkpoint.
        return {
            "ShardIteratorType": "AT_SEQUENCE_NUMBER",
            "StartingSequenceNumber": start.sequence_number,
        }


def shard_is_gone(kinesis: Any, stream_name: str, shard_id: str) -> bool:
    """Whether the stream is there and the shard is not. Without its stream a shard has not
    ended: the stream may come back, or its deletion was a mistake somebody should see."""
    try:
        pages = kinesis.get_paginator("list_shards").paginate(StreamName=stream_name)
        listed = {shard["ShardId"] for page in pages for shard in page["Shards"]}
    except ClientError:
        return False
    return shard_id not in listed


class PollingPublisher:
    """A RecordsPublisher that polls ahead of the processor."""

    def __init__(self, reader: ShardReader, settings: SchedulerSettings, name: str) -> None:
        self._reader = reader
        self._settings = settings
        self._queue = PrefetchQueue(settings)
        self._stopping = threading.Event()
        self._throttles = 0
        self._warned_at: float | None = None
        self._name = name
        self._thread = threading.Thread(target=self._run, name=f"poll-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def next_batch(self, timeout: float) -> RecordsBatch | None:
        return self._queue.get(timeout)

    def stop(self) -> None:
        self._stopping.set()
        self._queue.close()

    def _run(self) -> None:
        while self._queue.wait_for_room() and not self._stopping.is_set():
            started = time.monotonic()
            try:
                batch = self._read()
            except Exception as error:  # noqa: BLE001 - handed to the consumer, which decides
                self._queue.fail(error)
                return
            if batch is not None and not self._stopping.is_set():
                self._queue.put(batch)
                if batch.is_shard_end:
                    return
            self._stopping.wait(max(0, started + self._pause(batch) - time.monotonic()))

    def _read(self) -> RecordsBatch | None:
        """One batch; None when it must be tried again after a pause."""
        try:
            batch = self._reader.read()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "InvalidArgumentException":
                raise ForeignCheckpoint(str(error)) from error  # time will not mend it
            if code not in _THROTTLED:
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
