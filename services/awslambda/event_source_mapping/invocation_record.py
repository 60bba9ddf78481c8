"""The record that an on-failure destination receives when a batch is given up.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.awslambda.event_source_mapping.mapping import Mapping
from services.awslambda.event_source_mapping.retrying import Discarded


def invocation_record(
    mapping: Mapping, shard_id: str, discarded: Discarded, now: float
) -> dict[str, Any]:
    """What SQS and SNS receive as JSON. S3 receives it with `payload` besides."""
    first, last = discarded.records[0], discarded.records[-1]
    is_kinesis = ":kinesis:" in mapping.event_source_arn
    batch_info = {
        "shardId": shard_id,
        "startSequenceNumber": first.sequence_number,
        "endSequenceNumber": last.sequence_number,
        "approximateArrivalOfFirstRecord": _time(first.arrival, is_kinesis),
        "approximateArrivalOfLastRecord": _time(last.arrival, is_kinesis),
        "batchSize": len(discarded.records),
        "streamArn": mapping.event_source_arn,
    }
    return {
        **_contexts(mapping, discarded),
        "version": "1.0",
        "timestamp": _time(now, has_millis=True),
        "KinesisBatchInfo" if is_kinesis else "DDBStreamBatchInfo": batch_info,
    }


def _contexts(mapping: Mapping, discarded: Discarded) -> dict[str, Any]:
    failure = discarded.failure
    request: dict[str, Any] = {
        "requestId": failure.request_id if failure is not None else "",
        "functionArn": mapping.function_arn,
        "condition": discarded.condition,
        "approximateInvokeCount": discarded.invoke_count,
    }
    if failure is None:
        # Records that grew too old were not necessarily handed over: AWS sends no response.
        del request["requestId"]
        return {"requestContext": request}
    response = {
        "statusCode": failure.status_code,
        "executedVersion": failure.executed_version,
        "functionError": failure.function_error,
    }
    return {"requestContext": request, "responseContext": response}


def object_key(mapping: Mapping, shard_id: str, now: float, random_uuid: str) -> str:
    """Where S3 keeps the record."""
    time = datetime.fromtimestamp(now, UTC)
    return f"aws/lambda/{mapping.uuid}/{shard_id}/{time:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{random_uuid}"


def _time(seconds: float, has_millis: bool) -> str:
    time = datetime.fromtimestamp(seconds, UTC)
    return time.isoformat(timespec="milliseconds" if has_millis else "seconds")[:-6] + "Z"
