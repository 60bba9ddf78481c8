"""Where an agent's records go: one call of Kinesis or Firehose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from producer.agent.buffering import AgentRecord
from producer.agent.configuration import KINESIS, Flow


class Failure(NamedTuple):
    """Why a record was not taken."""

    code: str
    message: str


class Destination(Protocol):
    """A stream. `name` is the value of the metrics' dimension."""

    name: str

    def put(self, records: Sequence[AgentRecord]) -> list[Failure | None]:
        """One answer for each record, in order; a failed call fails them all alike."""


class KinesisStream:
    """PutRecords."""

    def __init__(self, client: Any, stream_name: str) -> None:
        self.name = f"KinesisStream:{stream_name}"
        self._client, self._stream_name = client, stream_name

    def put(self, records: Sequence[AgentRecord]) -> list[Failure | None]:
        entries = [{"Data": r.data, "PartitionKey": r.partition_key} for r in records]
        try:
            answer = self._client.put_records(StreamName=self._stream_name, Records=entries)
        except (ClientError, BotoCoreError) as error:
            return [_whole_call(error)] * len(records)
        return [_failure(entry) for entry in answer["Records"]]


class DeliveryStream:
    """PutRecordBatch."""

    def __init__(self, client: Any, delivery_stream_name: str) -> None:
        self.name = f"DeliveryStream:{delivery_stream_name}"
        self._client, self._delivery_stream_name = client, delivery_stream_name

    def put(self, records: Sequence[AgentRecord]) -> list[Failure | None]:
        entries = [{"Data": r.data} for r in records]
        try:
            answer = self._client.put_record_batch(
                DeliveryStreamName=self._delivery_stream_name, Records=entries
            )
        except (ClientError, BotoCoreError) as error:
            return [_whole_call(error)] * len(records)
        return [_failure(entry) for entry in answer["RequestResponses"]]


def destination_of(flow: Flow, client: Any) -> Destination:
    """The flow's stream behind its client."""
    if flow.kind == KINESIS:
        return KinesisStream(client, flow.destination)
    return DeliveryStream(client, flow.destination)


def _failure(entry: dict[str, Any]) -> Failure | None:
    if not entry.get("ErrorCode"):
        return None
    return Failure(entry["ErrorCode"], entry.get("ErrorMessage", ""))


def _whole_call(error: Exception) -> Failure:
    if isinstance(error, ClientError):
        return Failure(error.response["Error"]["Code"], error.response["Error"]["Message"])
    return Failure(type(error).__name__, str(error))
