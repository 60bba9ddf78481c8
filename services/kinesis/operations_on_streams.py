"""Creating, describing, changing and deleting streams."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from services.kinesis import shard_iterator
from services.kinesis.arn import Caller, StreamKey
from services.kinesis.errors import (
    KinesisError,
    internal_failure,
    invalid_argument,
    limit_exceeded,
    resource_in_use,
)
from services.kinesis.operation import Answer, Operation, Request, require_active
from services.kinesis.operations_on_tags import check_tags
from services.kinesis.request_shapes import METRICS
from services.kinesis.stream import (
    AUTO,
    CREATING,
    DELETING,
    ON_DEMAND,
    ON_DEMAND_SHARDS,
    PROVISIONED,
    UPDATING,
    USER_PARTITION_KEY,
    Stream,
    description,
    list_entry,
    new_stream,
    new_stream_id,
    summary,
    warm_throughput,
)

if TYPE_CHECKING:
    from services.kinesis.kinesis import Kinesis

logger = logging.getLogger(__name__)

#: Quotas of an account in one region, as DescribeLimits reports them.
SHARD_LIMIT = 20_000
ON_DEMAND_STREAM_LIMIT = 50
_MOST_CREATING = 5
_LIST_PAGE = 100
_DESCRIBE_PAGE = 100
_LONGEST_RETENTION = 8760
_SHORTEST_RETENTION = 24


def create_stream(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    now = kinesis.clock.now()
    mode = (request.get("StreamModeDetails") or {}).get("StreamMode", PROVISIONED)
    count = _shard_count(request, mode)
    _check_distribution(request.get("RecordDistributionStrategy"), request["StreamName"], mode)
    check_tags(request.get("Tags") or {})
    kinesis.sweep()
    with kinesis.lock:
        key = StreamKey(*caller, request["StreamName"])
        if key in kinesis.streams:
            raise resource_in_use(
                f"Stream {key.name} under account {key.account_id} already exists."
            )
        _check_account(kinesis, caller, count, mode)
        state = Stream(
            key.name,
            key.account_id,
            key.region,
            new_stream_id(),
            now,
            mode=mode,
            max_record_size_in_kib=request.get("MaxRecordSizeInKiB") or 1024,
            warm_throughput=request.get("WarmThroughputMiBps"),
            distribution=request.get("RecordDistributionStrategy") or USER_PARTITION_KEY,
            tags=dict(request.get("Tags") or {}),
        )
        state.change(CREATING, now, kinesis.status_seconds)
        kinesis.add(new_stream(state, count))
    return {}


def _check_distribution(distribution: str | None, stream_name: str, mode: str) -> None:
    if distribution == AUTO and mode != ON_DEMAND:
        raise invalid_argument(
            f"RecordDistributionStrategy AUTO can only be set for streams in On-Demand mode; "
            f"stream {stream_name} is in Provisioned mode."
        )


def _shard_count(request: Request, mode: str) -> int:
    count = request.get("ShardCount")
    if mode == ON_DEMAND:
        if count is not None:
            raise KinesisError(
                "ValidationException",
                "Shard Count must not be specified when Stream Mode is ON_DEMAND",
            )
        return max(ON_DEMAND_SHARDS, request.get("WarmThroughputMiBps") or 0)
    if request.get("WarmThroughputMiBps") is not None:
        raise invalid_argument("WarmThroughputMiBps can only be set for streams in On-Demand mode.")
    if count is None and "StreamModeDetails" in request:
        raise KinesisError(
            "ValidationException", "Shard Count must be specified when Stream Mode is PROVISIONED"
        )
    # Without either, AWS makes four shards.
    return int(count) if count is not None else ON_DEMAND_SHARDS


def _check_account(kinesis: Kinesis, caller: Caller, count: int, mode: str) -> None:
    limits = describe_limits(kinesis, caller, {})
    check_shard_limit(limits["OpenShardCount"], count, caller)
    if kinesis.shard_limits:
        now = kinesis.clock.now()
        statuses = [live.state.status(now) for live in kinesis.own_streams(caller)]
        if statuses.count(CREATING) >= _MOST_CREATING:
            raise limit_exceeded(
                f"This request would exceed the limit of {_MOST_CREATING} streams in the "
                f"{CREATING} state for the account {caller.account_id} in {caller.region}."
            )
    if mode == ON_DEMAND and limits["OnDemandStreamCount"] >= ON_DEMAND_STREAM_LIMIT:
        raise limit_exceeded(
            f"This request would exceed the limit of {ON_DEMAND_STREAM_LIMIT} on-demand streams "
            f"for the account {caller.account_id} in {caller.region}."
        )


def check_shard_limit(open_count: int, additional: int, caller: Caller) -> None:
    """Raises LimitExceededException when the account would have too many open shards."""
    if open_count + additional > SHARD_LIMIT:
        raise limit_exceeded(
            f"This request would exceed the shard limit for the account {caller.account_id} in "
            f"{caller.region}. Current shard count for the account: {open_count}. Limit: "
            f"{SHARD_LIMIT}. Number of additional shards that would have resulted from this "
            f"request: {additional}. Refer to the AWS Service Limits page "
            "(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current "
            "limits and how to request higher limits."
        )


def delete_stream(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    with live.lock:
        if live.state.consumers and not request.get("EnforceConsumerDeletion"):
            raise resource_in_use(
                f"Stream {live.state.name} under account {live.state.account_id} has registered "
                "consumers; deregister them or set EnforceConsumerDeletion."
            )
        live.state.consumers.clear()
        live.state.change(DELETING, now, kinesis.status_seconds)
        live.save()
    kinesis.sweep()
    return {}


def describe_stream(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live = kinesis.find(caller, request)
    with live.lock:
        described = description(
            live.state,
            kinesis.clock.now(),
            min(request.get("Limit") or _DESCRIBE_PAGE, _DESCRIBE_PAGE),
            request.get("ExclusiveStartShardId"),
        )
    return {"StreamDescription": described}


def describe_stream_summary(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live = kinesis.find(caller, request)
    with live.lock:
        return {"StreamDescriptionSummary": summary(live.state, kinesis.clock.now())}


def list_streams(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    limit = min(request.get("Limit") or _LIST_PAGE, _LIST_PAGE)
    after = request.get("ExclusiveStartStreamName")
    if (token := request.get("NextToken")) is not None:
        after = _name_of_page(token)
    states = [live.state for live in kinesis.own_streams(caller)]
    states = [state for state in states if after is None or state.name > after]
    page, now = states[:limit], kinesis.clock.now()
    answer: Answer = {
        "StreamNames": [state.name for state in page],
        "HasMoreStreams": len(states) > limit,
        "StreamSummaries": [list_entry(state, now) for state in page],
    }
    if len(states) > limit:
        answer["NextToken"] = shard_iterator.seal([page[-1].name])
    return answer


def _name_of_page(token: str) -> str:
    try:
        [name] = shard_iterator.unseal(token)
        return str(name)
    except ValueError:
        raise invalid_argument(f"NextToken {token} is invalid.") from None


def increase_retention(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    return _change_retention(kinesis, caller, request, longer=True)


def decrease_retention(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    return _change_retention(kinesis, caller, request, longer=False)


def _change_retention(
    kinesis: Kinesis, caller: Caller, request: Request, *, longer: bool
) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    hours = request["RetentionPeriodHours"]
    with live.lock:
        _check_retention(live.state.name, live.state.retention_hours, hours, longer=longer)
        require_active(live, now)
        live.state.retention_hours = hours
        live.state.change(UPDATING, now, kinesis.status_seconds)
        live.save()
        live.trim(now)
    return {}


def _check_retention(name: str, existing: int, hours: int, *, longer: bool) -> None:
    requested = f"Requested retention period ({hours} hours)"
    if hours < _SHORTEST_RETENTION:
        raise invalid_argument(
            f"Minimum allowed retention period is {_SHORTEST_RETENTION} hours. "
            f"{requested} is too short."
        )
    if hours > _LONGEST_RETENTION:
        raise invalid_argument(
            f"Maximum allowed retention period is {_LONGEST_RETENTION} hours. "
            f"{requested} is too long."
        )
    if longer and hours < existing:
        raise invalid_argument(
            f"{requested} for stream {name} can not be shorter than existing retention period "
            f"({existing} hours). Use DecreaseRetentionPeriod API."
        )
    if not longer and hours > existing:
        raise invalid_argument(
            f"{requested} for stream {name} can not be longer than existing retention period "
            f"({existing} hours). Use IncreaseRetentionPeriod API."
        )


def start_encryption(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    return _change_encryption(kinesis, caller, request, "KMS")


def stop_encryption(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    return _change_encryption(kinesis, caller, request, "NONE")


def _change_encryption(
    kinesis: Kinesis, caller: Caller, request: Request, encryption_type: str
) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    if request["EncryptionType"] != "KMS":
        raise invalid_argument(
            f"EncryptionType {request['EncryptionType']} is not valid. The only valid value is KMS."
        )
    with live.lock:
        require_active(live, now)
        live.state.encryption_type = encryption_type
        live.state.key_id = request["KeyId"] if encryption_type == "KMS" else None
        live.state.change(UPDATING, now, kinesis.status_seconds)
        live.save()
    return {}


def enable_monitoring(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    return _change_monitoring(kinesis, caller, request, enable=True)


def disable_monitoring(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    return _change_monitoring(kinesis, caller, request, enable=False)


def _change_monitoring(
    kinesis: Kinesis, caller: Caller, request: Request, *, enable: bool
) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    named = set(request["ShardLevelMetrics"])
    if "ALL" in named:
        named = set(METRICS) - {"ALL"}
    with live.lock:
        require_active(live, now)
        current = list(live.state.shard_level_metrics)
        desired = sorted(set(current) | named if enable else set(current) - named)
        live.state.shard_level_metrics = desired
        live.state.change(UPDATING, now, kinesis.status_seconds)
        live.save()
        return {
            "StreamName": live.state.name,
            "CurrentShardLevelMetrics": current,
            "DesiredShardLevelMetrics": list(desired),
            "StreamARN": live.state.arn,
        }


def update_stream_mode(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    mode = request["StreamModeDetails"]["StreamMode"]
    with live.lock:
        require_active(live, now)
        live.state.mode = mode
        if mode == PROVISIONED:
            live.state.distribution = USER_PARTITION_KEY
        live.state.warm_throughput = request.get("WarmThroughputMiBps")
        live.state.change(UPDATING, now, kinesis.status_seconds)
        live.save()
    return {}


def update_max_record_size(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    with live.lock:
        require_active(live, now)
        live.state.max_record_size_in_kib = request["MaxRecordSizeInKiB"]
        live.state.change(UPDATING, now, kinesis.status_seconds)
        live.save()
    return {}


def update_distribution(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    with live.lock:
        require_active(live, now)
        _check_distribution(request["RecordDistributionStrategy"], live.state.name, live.state.mode)
        live.state.distribution = request["RecordDistributionStrategy"]
        live.save()
    return {}


def update_warm_throughput(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    with live.lock:
        if live.state.mode != ON_DEMAND:
            raise KinesisError(
                "ValidationException",
                f"Request is invalid. Stream {live.state.name} under account "
                f"{live.state.account_id} is in Provisioned mode.",
            )
        require_active(live, now)
        live.state.warm_throughput = request["WarmThroughputMiBps"]
        live.state.change(UPDATING, now, kinesis.status_seconds)
        live.save()
        return {
            "StreamARN": live.state.arn,
            "StreamName": live.state.name,
            "WarmThroughput": warm_throughput(live.state),
        }


def describe_limits(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    states = [live.state for live in kinesis.own_streams(caller)]
    return {
        "ShardLimit": SHARD_LIMIT,
        "OpenShardCount": sum(len(state.open_shards()) for state in states),
        "OnDemandStreamCount": sum(state.mode == ON_DEMAND for state in states),
        "OnDemandStreamCountLimit": ON_DEMAND_STREAM_LIMIT,
    }


def describe_account_settings(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    default = {"Status": "DISABLED"}
    settings: dict[str, Any] = kinesis.account_settings.get(caller.account_id, default)
    return {"MinimumThroughputBillingCommitment": dict(settings)}


def update_account_settings(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    status, now = request["MinimumThroughputBillingCommitment"]["Status"], kinesis.clock.now()
    settings = {"Status": status, "StartedAt" if status == "ENABLED" else "EndedAt": now}
    with kinesis.lock:
        changed = kinesis.account_settings | {caller.account_id: settings}
        try:
            kinesis.storage.save_accounts(changed)
        except OSError as failure:
            logger.warning("Settings of account %s: %s", caller.account_id, failure)
            raise internal_failure() from None
        kinesis.account_settings = changed
    return {"MinimumThroughputBillingCommitment": dict(settings)}


OPERATIONS_ON_STREAMS: dict[str, Operation] = {
    "CreateStream": create_stream,
    "DecreaseStreamRetentionPeriod": decrease_retention,
    "DeleteStream": delete_stream,
    "DescribeAccountSettings": describe_account_settings,
    "DescribeLimits": describe_limits,
    "DescribeStream": describe_stream,
    "DescribeStreamSummary": describe_stream_summary,
    "DisableEnhancedMonitoring": disable_monitoring,
    "EnableEnhancedMonitoring": enable_monitoring,
    "IncreaseStreamRetentionPeriod": increase_retention,
    "ListStreams": list_streams,
    "StartStreamEncryption": start_encryption,
    "StopStreamEncryption": stop_encryption,
    "UpdateAccountSettings": update_account_settings,
    "UpdateMaxRecordSize": update_max_record_size,
    "UpdateStreamMode": update_stream_mode,
    "UpdateStreamRecordDistributionStrategy": update_distribution,
    "UpdateStreamWarmThroughput": update_warm_throughput,
}
