"""What a transformation function is sent, and what its answer means.

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from services.firehose.record import Record

MAX_ANSWER_BYTES = 6 * 1024 * 1024
#: Lambda takes 6 MiB; what surrounds the records needs little.
MAX_EVENT_BYTES = 6 * 1024 * 1024 - 4096


class InvocationFailed(Exception):
    """One invocation gave no answer: `error_code` and the message as AWS reports them."""

    def __init__(self, error_code: str, message: str) -> None:
        super().__init__(message)
        self.error_code = error_code


class Transformed(NamedTuple):
    """`Ok`: the record with its new data, its partition keys, and as it was before."""

    record: Record
    partition_keys: Mapping[str, str]
    before: Record


class Failed(NamedTuple):
    """A record for the error output, as it was before the transform."""

    record: Record
    error_code: str
    message: str


class Answer(NamedTuple):
    """What became of a batch; every record of it is counted once."""

    transformed: list[Transformed]
    failed: list[Failed]
    dropped: int


def batches(records: Sequence[Record], size_in_bytes: int) -> Iterator[Sequence[Record]]:
    """Records in order, at least one in each batch: at most `size_in_bytes` of data, and an event
    that Lambda takes (many small records are mostly ids and metadata)."""
    start, size, event_size = 0, 0, 0
    for number, record in enumerate(records):
        size += len(record.data)
        event_size += _event_size(record)
        if number > start and (size > size_in_bytes or event_size > MAX_EVENT_BYTES):
            yield records[start:number]
            start, size, event_size = number, len(record.data), _event_size(record)
    if start < len(records):
        yield records[start:]


def _event_size(record: Record) -> int:
    """No less than what the record takes in the event, in bytes of JSON."""
    metadata = 0
    if record.source:
        # A character may take six bytes as an escape, an id some sixty digits.
        metadata = 280 + 6 * len(record.source.partition_key)
    return 160 + len(record.data) * 4 // 3 + metadata


def event(
    records: Sequence[Record],
    *,
    invocation_id: str,
    delivery_stream_arn: str,
    region: str,
    source_stream_arn: str | None = None,
) -> dict[str, Any]:
    """The event of one invocation. Record ids are the records' numbers within it."""
    content: dict[str, Any] = {
        "invocationId": invocation_id,
        "deliveryStreamArn": delivery_stream_arn,
        "region": region,
        "records": [_event_record(number, record) for number, record in enumerate(records)],
    }
    if source_stream_arn:
        content["sourceKinesisStreamArn"] = source_stream_arn
    return content


def record_id(number: int) -> str:
    return f"{number:056d}"


def _event_record(number: int, record: Record) -> dict[str, Any]:
    millis = int(record.arrival * 1000)
    content: dict[str, Any] = {
        "recordId": record_id(number),
        "approximateArrivalTimestamp": millis,
        "data": base64.b64encode(record.data).decode(),
    }
    if record.source:
        content["kinesisRecordMetadata"] = {
            "sequenceNumber": record.source.sequence_number,
            "subsequenceNumber": record.source.sub_sequence_number,
            "partitionKey": record.source.partition_key,
            "shardId": record.source.shard_id,
            "approximateArrivalTimestamp": millis,
        }
    return content


def read_answer(records: Sequence[Record], answer: Any) -> Answer:
    """The meaning of an answer: all records are accounted for.

    A record that is missing, named twice, of an unknown result or without readable data failed.
    Raises InvocationFailed when the answer as a whole is malformed.
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("records"), list):
        raise InvocationFailed(
            "Lambda.JsonProcessingException",
            "There was an error parsing returned records from the Lambda function. Ensure that "
            "the returned records follow the status model required by Amazon Data Firehose.",
        )
    named: dict[str, list[Any]] = {}
    for item in answer["records"]:
        if isinstance(item, dict):
            named.setdefault(str(item.get("recordId")), []).append(item)
    outcomes = [_outcome(r, named.get(record_id(n), [])) for n, r in enumerate(records)]
    return Answer(
        [outcome for outcome in outcomes if isinstance(outcome, Transformed)],
        [outcome for outcome in outcomes if isinstance(outcome, Failed)],
        outcomes.count(None),
    )


def _outcome(record: Record, items: list[Any]) -> Transformed | Failed | None:
    if not items:
        return Failed(
            record,
            "Lambda.MissingRecordId",
            "One or more record Ids were not returned. Ensure that the Lambda function returns all "
            "received record Ids.",
        )
    if len(items) > 1:
        return Failed(
            record,
            "Lambda.DuplicatedRecordId",
            "Multiple records were returned with the same record Id. Ensure that the Lambda "
            "function returns a unique record Id for each record.",
        )
    return _of_result(record, items[0])


def _of_result(record: Record, item: Mapping[str, Any]) -> Transformed | Failed | None:
    match item.get("result"):
        case "Dropped":
            return None
        case "Ok":
            return _ok(record, item)
        case "ProcessingFailed":
            return Failed(
                record,
                "Lambda.ProcessingFailedStatus",
                "ProcessingFailed status set for record",
            )
        case other:
            return Failed(
                record,
                "Lambda.InvalidResult" if other is not None else "Lambda.MissingResult",
                f"Record result {other!r} is not one of Ok, Dropped, ProcessingFailed.",
            )


def _ok(record: Record, item: Mapping[str, Any]) -> Transformed | Failed:
    try:
        data = base64.b64decode(item["data"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        return Failed(
            record,
            "Lambda.InvalidData",
            "The record's data is not base64-encoded.",
        )
    metadata = item.get("metadata")
    keys = metadata.get("partitionKeys") if isinstance(metadata, dict) else None
    usable = {k: v for k, v in keys.items() if isinstance(v, str)} if isinstance(keys, dict) else {}
    return Transformed(record._replace(data=data), usable, record)
