"""What happens in queues reaches CloudWatch, value for value, in few calls."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from services.localstack.sqs.queue_metrics import Counted, requests
from services.metric_data import MOST_DATA, MOST_VALUES
from tests.conftest import EngineUnderTest
from tests.waiting import wait_until


def counted(queue: str, second: int = 0) -> Counted:
    return Counted("000000000000", "us-east-1", queue, "SentMessageSize", "Bytes", second)


def test_values_of_a_second_are_one_datum_and_none_is_lost() -> None:
    values = {counted("q"): Counter({5.0: 3, 7.0: 1}), counted("q", 1): Counter({5.0: 1})}
    (request,) = requests(values)
    assert request.account_id == "000000000000"
    assert [(d["Values"], d["Counts"], d["Timestamp"].timestamp()) for d in request.data] == [
        ([5.0, 7.0], [3.0, 1.0], 0),
        ([5.0], [1.0], 1),
    ]


def test_a_call_holds_no_more_than_cloudwatch_takes() -> None:
    sizes = Counter(dict.fromkeys((float(n) for n in range(2 * MOST_VALUES + 1)), 1))
    values = {counted(f"q{n}"): Counter({1.0: 1}) for n in range(MOST_DATA)}
    pages = list(requests(values | {counted("sizes"): sizes}))
    assert [len(page.data) for page in pages] == [MOST_DATA, 3]
    assert all(len(datum["Values"]) <= MOST_VALUES for page in pages for datum in page.data)
    told = sum(len(datum["Values"]) for page in pages for datum in page.data)
    assert told == MOST_DATA + 2 * MOST_VALUES + 1


def test_cloudwatch_knows_every_message(engine: EngineUnderTest) -> None:
    sqs, cloudwatch = engine.client("sqs"), engine.client("cloudwatch")
    url = sqs.create_queue(QueueName="counted")["QueueUrl"]
    began = datetime.now(UTC) - timedelta(minutes=1)
    bodies = ["x" * (1 + n % 7) for n in range(40)]
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)
    taken = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    for message in taken:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def told(metric: str, unit: str) -> dict[str, Any]:
        points: list[dict[str, Any]] = cloudwatch.get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName=metric,
            Dimensions=[{"Name": "QueueName", "Value": "counted"}],
            StartTime=began,
            EndTime=began + timedelta(minutes=5),
            Period=300,
            Statistics=["SampleCount", "Sum", "Minimum", "Maximum"],
            Unit=unit,
        )["Datapoints"]
        names = ("SampleCount", "Sum", "Minimum", "Maximum")
        # LocalStack reads one statistic after the other: what comes in between is in some of them.
        return {name: sum(point.get(name, 0) for point in points) for name in names}

    sizes = [len(body) for body in bodies]
    wait_until(lambda: told("NumberOfMessagesDeleted", "Count")["Sum"] == len(taken))
    assert told("NumberOfMessagesSent", "Count")["Sum"] == len(bodies)
    assert told("SentMessageSize", "Bytes") == {
        "SampleCount": len(bodies),
        "Sum": sum(sizes),
        "Minimum": min(sizes),
        "Maximum": max(sizes),
    }
    assert told("NumberOfMessagesReceived", "Count")["Sum"] == len(taken)
