"""A Kinesis stream as source: every shard from its own position, parents before children.

https://docs.aws.amazon.com/firehose/latest/dev/writing-with-kinesis-streams.html
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from services.clock import Clock
from services.firehose.delivery_stream import DeliveryStream
from services.firehose.errors import ServiceUnavailable
from services.firehose.record import KinesisMetadata, Record
from services.kinesis import aggregation
from services.kinesis.errors import KinesisError

LOG = logging.getLogger(__name__)

SHARD_END = "SHARD_END"
#: Collects what arrives closely together; a waiting source costs nothing.
_BETWEEN_READS_SECONDS = 0.1
#: AWS reads each shard once a second; that is also how long to step back from a refusal.
_STEP_BACK_SECONDS = 1.0
_WAIT_SECONDS = 30.0


class KinesisStreams(Protocol):
    """The part of the stream engine that a source reads from."""

    def call(
        self, operation: str, request: dict[str, Any], *, region: str, account_id: str
    ) -> dict[str, Any]:
        """One operation with AWS's shapes; raises an error with `code` and `message`."""

    def activity(self, stream_arn: str) -> int:
        """A number that grows with every put and every change of the stream."""

    def wait_for_activity(self, stream_arn: str, seen: int, timeout: float) -> int:
        """Block until `activity` is not `seen` any more, at most `timeout` seconds."""

    def wake(self, stream_arn: str) -> None:
        """End every wait for this stream."""


def readable_shards(shards: Sequence[Mapping[str, Any]], positions: Mapping[str, str]) -> list[str]:
    """The shards to read now: not finished, and their parents finished or gone.

    So the records of one partition key keep their order through splits and merges.
    """
    listed = {shard["ShardId"] for shard in shards}
    return [
        shard["ShardId"]
        for shard in shards
        if positions.get(shard["ShardId"]) != SHARD_END
        and all(
            positions.get(shard[name]) == SHARD_END
            for name in ("ParentShardId", "AdjacentParentShardId")
            if shard.get(name) in listed
        )
    ]


def user_records(shard_id: str, records: Sequence[Mapping[str, Any]]) -> Iterator[Record]:
    """What producers put: the KPL's aggregates taken apart."""
    for record in records:
        arrival, number = record["ApproximateArrivalTimestamp"], record["SequenceNumber"]
        # Kinesis keeps keys that are no valid Unicode; JSON, and so the journal, cannot.
        key = record["PartitionKey"].encode("utf-8", "replace").decode()
        aggregated = aggregation.unpack(record["Data"])
        if aggregated is None:
            metadata = KinesisMetadata(number, 0, key, shard_id)
            yield Record(record["Data"], arrival, metadata)
            continue
        for sub_sequence_number, user in enumerate(aggregated):
            metadata = KinesisMetadata(number, sub_sequence_number, user.partition_key, shard_id)
            yield Record(user.data, arrival, metadata)


class KinesisSource:
    """Reads in a thread of its own. A position is kept together with the records it follows, in
    one journal entry: a kill neither loses nor repeats them."""

    def __init__(
        self,
        stream: DeliveryStream,
        stream_arn: str,
        start_at: float,
        kinesis: KinesisStreams,
        clock: Clock,
    ) -> None:
        self._stream = stream
        self._stream_arn = stream_arn
        self._start_at = start_at
        self._kinesis = kinesis
        self._clock = clock
        self._region, self._account_id = stream_arn.split(":")[3:5]
        self._positions = stream.data.positions
        self._iterators: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"firehose-source-{stream.identity.name}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        try:
            self._kinesis.wake(self._stream_arn)
        except KinesisError as error:
            LOG.debug("%s is gone: %s", self._stream_arn, error)
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        seen = -1
        while not self._stopping.is_set():
            try:
                now = self._kinesis.activity(self._stream_arn)
                if now == seen:
                    self._kinesis.wait_for_activity(self._stream_arn, seen, _WAIT_SECONDS)
                    self._stopping.wait(_BETWEEN_READS_SECONDS)
                    continue
                if self._read_all_shards():
                    seen = now
            except ServiceUnavailable:
                # The journal is full: the records wait in the stream.
                self._stopping.wait(_STEP_BACK_SECONDS)
            except KinesisError as error:
                self._iterators.clear()
                if error.code == "ProvisionedThroughputExceededException":
                    self._stream.count(ThrottledGetRecords=1)
                self._log_unless_usual(error)
                self._stopping.wait(_STEP_BACK_SECONDS)
            except Exception:
                self._iterators.clear()
                LOG.exception("%s cannot read %s", self._stream.identity.arn, self._stream_arn)
                self._stopping.wait(_STEP_BACK_SECONDS)

    def _log_unless_usual(self, error: KinesisError) -> None:
        usual = {
            "ExpiredIteratorException": logging.DEBUG,
            "ProvisionedThroughputExceededException": logging.DEBUG,
            "ResourceNotFoundException": logging.DEBUG,
        }
        level = usual.get(error.code, logging.WARNING)
        arn = self._stream.identity.arn
        LOG.log(level, "%s cannot read %s: %s", arn, self._stream_arn, error)

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        return self._kinesis.call(
            operation, request, region=self._region, account_id=self._account_id
        )

    def _read_all_shards(self) -> bool:
        """True when every shard was read up to its end as it was."""
        is_at_end = True
        for shard_id in readable_shards(self._shards(), self._positions):
            if self._stopping.is_set():
                return False
            is_at_end &= self._read(shard_id)
        return is_at_end

    def _shards(self) -> list[dict[str, Any]]:
        answer = self._call("ListShards", StreamARN=self._stream_arn)
        shards: list[dict[str, Any]] = list(answer["Shards"])
        while token := answer.get("NextToken"):
            answer = self._call("ListShards", NextToken=token)
            shards += answer["Shards"]
        return shards

    def _read(self, shard_id: str) -> bool:
        """One GetRecords. False when there is more to read at once (or children to begin with)."""
        iterator = self._iterators.get(shard_id) or self._new_iterator(shard_id)
        answer = self._call("GetRecords", ShardIterator=iterator)
        records, following = answer["Records"], answer.get("NextShardIterator")
        self._stream.count(KinesisMillisBehindLatest=answer.get("MillisBehindLatest", 0))
        positions = {}
        if records:
            positions[shard_id] = records[-1]["SequenceNumber"]
        if following is None:
            positions[shard_id] = SHARD_END
        if positions:
            self._stream.accept(list(user_records(shard_id, records)), positions)
            self._positions.update(positions)
        if following is None:
            self._iterators.pop(shard_id, None)
            return False
        self._iterators[shard_id] = following
        return not records or answer.get("MillisBehindLatest", 0) == 0

    def _new_iterator(self, shard_id: str) -> str:
        request: dict[str, Any] = {"StreamARN": self._stream_arn, "ShardId": shard_id}
        if position := self._positions.get(shard_id):
            request |= {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": position,
            }
        else:
            # From when the delivery stream was made; a clock that was ahead may not look ahead.
            start = min(self._start_at, self._clock.now())
            request |= {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": start}
        answer = self._call("GetShardIterator", **request)
        iterator: str = answer["ShardIterator"]
        return iterator
