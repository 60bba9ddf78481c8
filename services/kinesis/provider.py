"""Kinesis for LocalStack: the front's data calls, and the calls that come through its chain."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

from localstack.aws.connect import connect_to
from localstack.services.plugins import Service, aws_provider

from services.kinesis.answers import TARGET_PREFIX, answer
from services.kinesis.arn import Caller
from services.kinesis.errors import KinesisError
from services.kinesis.housekeeping import Housekeeper
from services.kinesis.kinesis import Kinesis, make_kinesis
from services.kinesis.metrics import NAMESPACE
from services.kinesis.operations import NOT_BUILT, OPERATIONS
from services.localstack.admin import json_answer
from services.localstack.core_service import core_service
from services.localstack.data_calls import (
    DataAnswer,
    DataRequest,
    StreamingAnswer,
    data_calls,
)
from services.localstack.running import running
from services.metric_data import calls


def the_kinesis() -> Kinesis:
    """The engine's streams."""
    return running().core("kinesis", make_kinesis)


def _data_call(request: DataRequest) -> DataAnswer | StreamingAnswer:
    return answer(the_kinesis(), request)


data_calls.update(
    {
        f"{TARGET_PREFIX}.{name}": _data_call
        for name in (*OPERATIONS, "SubscribeToShard", *NOT_BUILT)
    }
)


def _publish(caller: Caller, data: list[dict[str, Any]]) -> None:
    clients = connect_to(aws_access_key_id=caller.account_id, region_name=caller.region)
    for page in calls(data):
        clients.cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=_with_datetimes(page))


def shard_limits(request: DataRequest) -> DataAnswer:
    """GET tells whether shard quotas apply; POST `{"shard_limits": "aws"}` or `"off"` switches."""
    kinesis = the_kinesis()
    if request.method == "POST":
        try:
            wanted = json.loads(request.body)["shard_limits"]
        except (ValueError, KeyError, TypeError):
            wanted = None
        if wanted not in ("aws", "off"):
            return json_answer({"message": 'shard_limits must be "aws" or "off".'}, 400)
        kinesis.shard_limits = wanted == "aws"
    return json_answer({"shard_limits": "aws" if kinesis.shard_limits else "off"})


def housekeeping(request: DataRequest) -> DataAnswer:
    """POST publishes metrics, scales and trims now instead of within a minute."""
    if request.method == "POST":
        threading.Thread(target=housekeeper.round, name="kinesis-round", daemon=True).start()
    return json_answer({})


housekeeper = Housekeeper(the_kinesis, _publish)
data_calls["kinesis/shard-limits"] = shard_limits
data_calls["kinesis/housekeeping"] = housekeeping
running().when_stopping(housekeeper.stop)
housekeeper.start()


@aws_provider(api="kinesis", name="riacho")
def kinesis() -> Service:
    """For clients inside LocalStack, whose calls do not come through our front."""
    return core_service(
        "kinesis", the_kinesis, KinesisError, operations=OPERATIONS, outward=_with_datetimes
    )


def _with_datetimes(value: Any) -> Any:
    """The other way around: LocalStack writes times that are datetimes."""
    if isinstance(value, dict):
        return {
            key: datetime.fromtimestamp(item, UTC)
            if key.endswith(("Timestamp", "edAt")) and isinstance(item, float)
            else _with_datetimes(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_with_datetimes(item) for item in value]
    return value
