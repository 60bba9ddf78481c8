"""Kinesis as a source: read in the engine's own process, woken by every put."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

from services.awslambda.event_source_mapping.mapping import Mapping
from services.awslambda.event_source_mapping.shard_order import SourceShard
from services.awslambda.event_source_mapping.source import (
    IteratorExpired,
    Read,
    ReadThrottled,
    SourceGone,
)
from services.awslambda.event_source_mapping.stream_events import from_kinesis
from services.kinesis.errors import KinesisError


class KinesisStreams(Protocol):
    """What this needs of the stream engine; see `services.kinesis.kinesis.Kinesis`."""

    def call(
        self, operation: str, request: dict[str, Any], *, region: str, account_id: str
    ) -> dict[str, Any]: ...

    def activity(self, stream_arn: str) -> int: ...

    def wait_for_activity(self, stream_arn: str, seen: int, timeout: float) -> int: ...

    def wake(self, stream_arn: str) -> None: ...


class KinesisSource:
    """A StreamSource. `started_at` is when the mapping was created: its LATEST."""

    def __init__(
        self, kinesis: KinesisStreams, mapping: Mapping, role_arn: str, started_at: float
    ) -> None:
        self._kinesis = kinesis
        self._arn = mapping.event_source_arn
        self._role_arn = role_arn
        self._start = _starting_position(mapping, started_at)
        self._shard_ids: dict[str, str] = {}

    def shards(self) -> list[SourceShard]:
        found: list[SourceShard] = []
        request: dict[str, Any] = {"StreamARN": self._arn}
        while True:
            answer = self._call("ListShards", request)
            found += [_shard(each) for each in answer["Shards"]]
            if not (token := answer.get("NextToken")):
                return found
            request = {"NextToken": token}

    def iterator(self, shard_id: str, after: str | None) -> str:
        where: dict[str, Any] = self._start
        if after is not None:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": after}
        answer = self._call(
            "GetShardIterator", {"StreamARN": self._arn, "ShardId": shard_id, **where}
        )
        iterator: str = answer["ShardIterator"]
        self._shard_ids[iterator] = shard_id
        return iterator

    def read(self, iterator: str, limit: int) -> Read:
        shard_id = self._shard_ids[iterator]
        request = {"StreamARN": self._arn, "ShardIterator": iterator, "Limit": limit}
        answer = self._call("GetRecords", request)
        records = tuple(
            from_kinesis(record, shard_id=shard_id, stream_arn=self._arn, role_arn=self._role_arn)
            for record in answer["Records"]
        )
        following = answer.get("NextShardIterator")
        del self._shard_ids[iterator]
        if following is not None:
            self._shard_ids[following] = shard_id
        return Read(records, following)

    def activity(self) -> int:
        try:
            return self._kinesis.activity(self._arn)
        except KinesisError as error:
            _translate(error)

    def wait(self, seen: int, seconds: float) -> None:
        try:
            self._kinesis.wait_for_activity(self._arn, seen, seconds)
        except KinesisError as error:
            _translate(error)

    def wake(self) -> None:
        try:
            self._kinesis.wake(self._arn)
        except KinesisError as error:
            _translate(error)

    def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        _, _, _, region, account_id, _ = self._arn.split(":", 5)
        try:
            return self._kinesis.call(operation, request, region=region, account_id=account_id)
        except KinesisError as error:
            _translate(error)


def _translate(error: KinesisError) -> NoReturn:
    kind = {
        "ResourceNotFoundException": SourceGone,
        "ExpiredIteratorException": IteratorExpired,
        "ProvisionedThroughputExceededException": ReadThrottled,
        "LimitExceededException": ReadThrottled,
    }.get(error.code)
    if kind is None:
        raise error
    raise kind(error.message) from None


def _starting_position(mapping: Mapping, started_at: float) -> dict[str, Any]:
    if mapping.starting_position == "AT_TIMESTAMP":
        timestamp = mapping.starting_position_timestamp
    elif mapping.starting_position == "LATEST":
        # What arrives after the creation counts, also in shards that are split off later, and
        # also when the engine restarts before the first record.
        timestamp = started_at
    else:
        return {"ShardIteratorType": "TRIM_HORIZON"}
    return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": timestamp}


def _shard(description: dict[str, Any]) -> SourceShard:
    parents = (description.get("ParentShardId"), description.get("AdjacentParentShardId"))
    return SourceShard(description["ShardId"], tuple(each for each in parents if each))
