"""What CloudWatch is told of queues: single values, as few requests with the same figures. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from services.metric_data import calls, with_values

NAMESPACE = "AWS/SQS"


class Counted(NamedTuple):
    """One metric of one queue in one second (since 1970); `unit` is CloudWatch's word."""

    account_id: str
    region: str
    queue: str
    metric: str
    unit: str
    second: int


#: How often each value was there.
Values = Mapping[Counted, Counter[float]]


class Request(NamedTuple):
    """One call of PutMetricData in the namespace of queues."""

    account_id: str
    region: str
    data: list[dict[str, Any]]


def requests(values: Values) -> Iterator[Request]:
    """Everything that was counted, as if each value had been sent by itself."""
    places: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for counted, often in values.items():
        places[counted.account_id, counted.region] += with_values(_datum(counted), often)
    for (account_id, region), data in places.items():
        for page in calls(data):
            yield Request(account_id, region, page)


def _datum(counted: Counted) -> dict[str, Any]:
    return {
        "MetricName": counted.metric,
        "Dimensions": [{"Name": "QueueName", "Value": counted.queue}],
        "Unit": counted.unit,
        "Timestamp": datetime.fromtimestamp(counted.second, UTC),
    }
