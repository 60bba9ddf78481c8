"""What CloudWatch is told of queues: single values, as few requests with the same figures. Pure."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
NAMESPACE = "AWS/SQS"
MOST_DATA = 1000
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
MOST_VALUES = 150


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
    """Everything that was counted: SampleCount, Sum, Minimum and Maximum of each second come out
    as if each value had been sent by itself."""
    places: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for counted, often in values.items():
        for some in itertools.batched(often.items(), MOST_VALUES, strict=False):
            places[counted.account_id, counted.region].append(_datum(counted, some))
    for (account_id, region), data in places.items():
        for page in itertools.batched(data, MOST_DATA, strict=False):
            yield Request(account_id, region, list(page))


def _datum(counted: Counted, often: tuple[tuple[float, int], ...]) -> dict[str, Any]:
    return {
        "MetricName": counted.metric,
        "Dimensions": [{"Name": "QueueName", "Value": counted.queue}],
        "Unit": counted.unit,
        "Timestamp": datetime.fromtimestamp(counted.second, UTC),
        "Values": [value for value, _ in often],
        "Counts": [float(number) for _, number in often],
    }
