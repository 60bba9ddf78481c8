"""DynamoDB Streams as a source: polled often while records come, seldom while they do not."""

from __future__ import annotations

import threading
from typing import Any, NoReturn

from botocore.exceptions import ClientError

from services.awslambda.event_source_mapping.mapping import Mapping
from services.awslambda.event_source_mapping.shard_order import SourceShard
from services.awslambda.event_source_mapping.source import (
    IteratorExpired,
    Read,
    ReadThrottled,
    SourceGone,
)
from services.awslambda.event_source_mapping.stream_events import from_dynamodb

#: DynamoDB Streams cannot tell when there is something new: ask after so long, and twice as long
#: after each time in vain.
_SHORTEST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0


class DynamoDBSource:
    """A StreamSource. `streams` is a boto3 client of `dynamodbstreams`."""

    def __init__(self, streams: Any, mapping: Mapping) -> None:
        self._streams = streams
        self._arn = mapping.event_source_arn
        self._starting_position = mapping.starting_position
        self._woken = threading.Event()
        self._pause_seconds = _SHORTEST_PAUSE_SECONDS

    def shards(self) -> list[SourceShard]:
        found: list[SourceShard] = []
        request = {"StreamArn": self._arn}
        while True:
            description = self._call("describe_stream", request)["StreamDescription"]
            found += [_shard(each) for each in description["Shards"]]
            if not (last := description.get("LastEvaluatedShardId")):
                return found
            request = {"StreamArn": self._arn, "ExclusiveStartShardId": last}

    def iterator(self, shard_id: str, after: str | None) -> str:
        where = {"ShardIteratorType": self._starting_position}
        if after is not None:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": after}
        request = {"StreamArn": self._arn, "ShardId": shard_id, **where}
        iterator: str = self._call("get_shard_iterator", request)["ShardIterator"]
        return iterator

    def read(self, iterator: str, limit: int) -> Read:
        request = {"ShardIterator": iterator, "Limit": min(limit, 1000)}
        answer = self._call("get_records", request)
        records = tuple(from_dynamodb(record, stream_arn=self._arn) for record in answer["Records"])
        if records:
            self._pause_seconds = _SHORTEST_PAUSE_SECONDS
        return Read(records, answer.get("NextShardIterator"))

    def activity(self) -> int:
        return 0

    def wait(self, seen: int, seconds: float) -> None:
        self._woken.wait(min(seconds, self._pause_seconds))
        self._pause_seconds = min(_LONGEST_PAUSE_SECONDS, self._pause_seconds * 1.1)

    def wake(self) -> None:
        self._woken.set()

    def _call(self, operation: str, request: dict[str, Any]) -> Any:
        try:
            return getattr(self._streams, operation)(**request)
        except ClientError as error:
            _translate(error)


def _translate(error: ClientError) -> NoReturn:
    details = error.response["Error"]
    kind = {
        "ResourceNotFoundException": SourceGone,
        "ExpiredIteratorException": IteratorExpired,
        "TrimmedDataAccessException": IteratorExpired,
        "LimitExceededException": ReadThrottled,
        "ProvisionedThroughputExceededException": ReadThrottled,
    }.get(details["Code"])
    if kind is None:
        raise error
    raise kind(details["Message"]) from None


def _shard(description: dict[str, Any]) -> SourceShard:
    parent = description.get("ParentShardId")
    return SourceShard(description["ShardId"], (parent,) if parent else ())
