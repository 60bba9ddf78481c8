"""Schedules call their targets, through boto3 and on the engine's clock."""

from __future__ import annotations

import json
import signal
import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from services.localstack.engine import start
from services.settings import Settings
from tests.conftest import EngineUnderTest
from tests.services.awslambda.functions import deploy
from tests.services.awslambda.test_triggers import REPORTER
from tests.waiting import OFTEN, wait_until

ROLE = "arn:aws:iam::000000000000:role/scheduler"
OFF = {"Mode": "OFF"}


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:us-east-1:000000000000:{resource}"


def name_of(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def queue(engine: EngineUnderTest, kind: str) -> tuple[str, str]:
    """(ARN, URL) of a new one."""
    name = name_of(kind)
    url = engine.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return arn("sqs", name), url


def messages(engine: EngineUnderTest, url: str, count: int = 1) -> list[dict[str, Any]]:
    """So many messages of a queue."""
    sqs, found = engine.client("sqs"), []

    def receive() -> bool:
        answer = sqs.receive_message(
            QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=1, MaxNumberOfMessages=10
        )
        for message in answer.get("Messages", ()):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message)
        return len(found) >= count

    wait_until(receive, 60)
    return found


def target(target_arn: str, **more: Any) -> dict[str, Any]:
    return {"Arn": target_arn, "RoleArn": ROLE, **more}


def at(moment: float) -> str:
    return f"at({datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S})"


def exists(engine: EngineUnderTest, name: str) -> bool:
    scheduler = engine.client("scheduler")
    try:
        scheduler.get_schedule(Name=name)
    except scheduler.exceptions.ResourceNotFoundException:
        return False
    return True


def test_a_rate_calls_its_function_at_once_and_when_the_clock_is_moved(
    engine: EngineUnderTest,
) -> None:
    scheduler, sqs = engine.client("scheduler"), engine.client("sqs")
    function = deploy(engine.client("lambda"), REPORTER)
    url = sqs.create_queue(QueueName=function)["QueueUrl"]
    text = {"arn": "<aws.scheduler.schedule-arn>", "attempt": "<aws.scheduler.attempt-number>"}
    made = scheduler.create_schedule(
        Name=function,
        ScheduleExpression="rate(10 minutes)",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        Target=target(arn("lambda", f"function:{function}"), Input=json.dumps(text)),
    )
    expected = {"arn": made["ScheduleArn"], "attempt": "1"}
    assert json.loads(messages(engine, url)[0]["Body"]) == expected
    engine.advance_clock(600)
    assert json.loads(messages(engine, url)[0]["Body"]) == expected
    scheduler.delete_schedule(Name=function)


def test_each_turn_that_the_clock_is_moved_over_calls_the_target_with_its_own_time(
    engine: EngineUnderTest,
) -> None:
    kinesis, scheduler, name = engine.client("kinesis"), engine.client("scheduler"), name_of("each")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=OFTEN)
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression="rate(1 minute)",
        StartDate=datetime.fromtimestamp(engine.advance_clock(0), UTC) + timedelta(hours=1),
        FlexibleTimeWindow=OFF,
        Target=target(
            arn("kinesis", f"stream/{name}"),
            KinesisParameters={"PartitionKey": "key"},
            Input="<aws.scheduler.scheduled-time>",
        ),
    )
    engine.advance_clock(3600 + 5 * 60)
    shard = kinesis.get_shard_iterator(
        StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = wait_until(
        lambda: len(found := kinesis.get_records(ShardIterator=shard)["Records"]) >= 6 and found, 60
    )
    times = [datetime.fromisoformat(record["Data"].decode()) for record in records]
    assert [later - earlier for earlier, later in pairwise(times)] == [timedelta(minutes=1)] * 5
    scheduler.delete_schedule(Name=name)


def test_a_moment_sends_to_a_queue_once_and_the_schedule_goes(engine: EngineUnderTest) -> None:
    scheduler, name = engine.client("scheduler"), name_of("once")
    (queue_arn, url), moment = queue(engine, "once"), engine.advance_clock(0) + 3600
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression=at(moment),
        ScheduleExpressionTimezone="UTC",
        FlexibleTimeWindow=OFF,
        ActionAfterCompletion="DELETE",
        Target=target(queue_arn, Input="due at <aws.scheduler.scheduled-time>"),
    )
    engine.advance_clock(3500)
    assert exists(engine, name)
    engine.advance_clock(200)
    due = f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert [m["Body"] for m in messages(engine, url)] == [f"due at {due}"]
    wait_until(lambda: not exists(engine, name), 60)


def test_topics_buses_and_streams_are_targets(engine: EngineUnderTest) -> None:
    scheduler, name = engine.client("scheduler"), name_of("targets")
    queue_arn, url = queue(engine, "targets")
    sns, events, kinesis = (engine.client(s) for s in ("sns", "events", "kinesis"))
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue_arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": queue_arn, "InputPath": "$.detail"}])
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=OFTEN)
    s3 = engine.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket=name)
    engine.client("firehose").create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{name}"},
    )
    targets = {
        "firehose": target(arn("firehose", f"deliverystream/{name}"), Input="of Firehose"),
        "topic": target(topic, Input="of a topic"),
        "bus": target(
            arn("events", "event-bus/default"),
            EventBridgeParameters={"DetailType": "turn", "Source": name},
            Input='{"of":"a bus"}',
        ),
        "stream": target(
            arn("kinesis", f"stream/{name}"),
            KinesisParameters={"PartitionKey": "key"},
            Input="of a stream",
        ),
    }
    for kind, each in targets.items():
        scheduler.create_schedule(
            Name=f"{name}-{kind}",
            ScheduleExpression="cron(0 3 * * ? *)",
            ScheduleExpressionTimezone="America/Sao_Paulo",
            FlexibleTimeWindow=OFF,
            Target=each,
        )
    engine.advance_clock(24 * 3600)
    bodies = sorted(m["Body"] for m in messages(engine, url, 2))
    assert bodies[0] == "of a topic"
    assert json.loads(bodies[1]) == {"of": "a bus"}
    shard = kinesis.get_shard_iterator(
        StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = wait_until(lambda: kinesis.get_records(ShardIterator=shard)["Records"], 60)
    assert [(r["Data"], r["PartitionKey"]) for r in records] == [(b"of a stream", "key")]
    engine.advance_clock(600)
    (item,) = wait_until(lambda: s3.list_objects_v2(Bucket=name).get("Contents"), 60)
    assert s3.get_object(Bucket=name, Key=item["Key"])["Body"].read() == b"of Firehose"
    for kind in targets:
        scheduler.delete_schedule(Name=f"{name}-{kind}")


def test_a_target_that_refuses_leaves_a_dead_letter(engine: EngineUnderTest) -> None:
    name, (dead_arn, url) = name_of("dead"), queue(engine, "dead")
    nobody = arn("lambda", f"function:{name}")
    made = engine.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression="rate(365 days)",
        FlexibleTimeWindow=OFF,
        Target=target(
            nobody,
            Input='{"a": 1}',
            DeadLetterConfig={"Arn": dead_arn},
            RetryPolicy={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
        ),
    )
    (letter,) = messages(engine, url)
    said = {key: each["StringValue"] for key, each in letter["MessageAttributes"].items()}
    assert letter["Body"] == '{"a": 1}'
    assert said["ERROR_CODE"] == "ResourceNotFoundException"
    assert (said["SCHEDULE_ARN"], said["TARGET_ARN"]) == (made["ScheduleArn"], nobody)
    assert said["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    engine.client("scheduler").delete_schedule(Name=name)


def test_only_an_enabled_schedule_runs(engine: EngineUnderTest) -> None:
    scheduler, name, (queue_arn, url) = (
        engine.client("scheduler"),
        name_of("off"),
        queue(engine, "off"),
    )
    wanted = {
        "Name": name,
        "ScheduleExpression": "rate(30 days)",
        "FlexibleTimeWindow": OFF,
        "StartDate": datetime.fromtimestamp(engine.advance_clock(0), UTC) + timedelta(hours=1),
    }
    scheduler.create_schedule(**wanted, State="DISABLED", Target=target(queue_arn, Input="off"))
    engine.advance_clock(1800)
    scheduler.update_schedule(**wanted, Target=target(queue_arn, Input="on"))
    assert scheduler.get_schedule(Name=name)["State"] == "ENABLED"
    engine.advance_clock(1900)
    assert [m["Body"] for m in messages(engine, url)] == ["on"]
    scheduler.delete_schedule(Name=name)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ScheduleExpression": "rate(1 second)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpressionTimezone": "Europe/Nowhere"}, "Europe/Nowhere"),
    ],
)
def test_what_never_runs_is_refused(
    engine: EngineUnderTest, wrong: dict[str, str], told: str
) -> None:
    wanted = {"ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": OFF}
    with pytest.raises(ClientError, match=told) as refused:
        engine.client("scheduler").create_schedule(
            Name=name_of("wrong"), Target=target(arn("sqs", "none")), **(wanted | wrong)
        )
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_schedules_go_on_after_a_kill(tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=tmp_path)
    with start(settings) as process:
        engine = EngineUnderTest(process)
        queue_arn, url = queue(engine, "kill")
        moment = engine.advance_clock(0) + 7200
        for name, expression in (("rate", "rate(1 day)"), ("once", at(moment))):
            engine.client("scheduler").create_schedule(
                Name=name,
                ScheduleExpression=expression,
                FlexibleTimeWindow=OFF,
                Target=target(queue_arn, Input=name),
            )
        assert [m["Body"] for m in messages(engine, url)] == ["rate"]
        process.process.send_signal(signal.SIGKILL)
        process.process.wait()
    with start(settings) as process:
        # Nobody has called Scheduler in this process yet.
        engine = EngineUnderTest(process)
        url = engine.client("sqs").get_queue_url(QueueName=queue_arn.rpartition(":")[2])["QueueUrl"]
        engine.advance_clock(26 * 3600)
        assert {m["Body"] for m in messages(engine, url, 2)} == {"rate", "once"}
