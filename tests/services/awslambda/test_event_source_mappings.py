"""Event source mappings through the APIs, against the real engine."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import EngineUnderTest
from tests.services.awslambda.functions import deploy, package, wait_until_active
from tests.waiting import OFTEN, wait_until

#: Puts every invocation it gets into a queue, and fails where a record says `poison`.
REPORTER = """
import base64, boto3, json, os, time
sqs = boto3.client("sqs")

def handler(event, context):
    keep = {name: value for name, value in event.items() if name != "Records"}
    keep["data"] = [base64.b64decode(r["kinesis"]["data"]).decode() for r in event["Records"]]
    keep["at"] = time.time_ns()
    keep["keys"] = [r["kinesis"]["partitionKey"] for r in event["Records"]]
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(keep))
    for record, data in zip(event["Records"], keep["data"]):
        if "poison" in data:
            if os.environ.get("REPORT"):
                failed = {"itemIdentifier": record["kinesis"]["sequenceNumber"]}
                return {"batchItemFailures": [failed]}
            raise ValueError(data)
    return {"state": {"count": event.get("state", {}).get("count", 0) + len(keep["data"])}}
"""


class Setting:
    """A stream, a reporting function, the queue it reports to, and one for failures."""

    def __init__(self, engine: EngineUnderTest, shards: int = 1, **variables: str) -> None:
        self.kinesis, self.sqs = engine.client("kinesis"), engine.client("sqs")
        self.awslambda = engine.client("lambda")
        name = f"esm-{uuid.uuid4().hex[:8]}"
        self.stream = name
        self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=OFTEN)
        description = self.kinesis.describe_stream_summary(StreamName=name)
        self.stream_arn = description["StreamDescriptionSummary"]["StreamARN"]
        self.reports = self.sqs.create_queue(QueueName=f"{name}-reports")["QueueUrl"]
        self.failures = self.sqs.create_queue(QueueName=f"{name}-failures")["QueueUrl"]
        self.failures_arn = f"arn:aws:sqs:us-east-1:000000000000:{name}-failures"
        environment = {"Variables": {"QUEUE": self.reports, **variables}}
        self.function = deploy(self.awslambda, REPORTER, Environment=environment)
        self.seen: list[dict[str, Any]] = []

    def map(self, **settings: Any) -> str:
        wanted = {"StartingPosition": "TRIM_HORIZON", "MaximumRetryAttempts": 1}
        mapping = self.awslambda.create_event_source_mapping(
            FunctionName=self.function, EventSourceArn=self.stream_arn, **(wanted | settings)
        )
        uuid: str = mapping["UUID"]
        wait_until(lambda: self.state(uuid) in ("Enabled", "Disabled"))
        return uuid

    def state(self, mapping: str) -> str:
        state: str = self.awslambda.get_event_source_mapping(UUID=mapping)["State"]
        return state

    def put(self, *data: str, key: str | None = None) -> list[str]:
        records = [{"Data": each.encode(), "PartitionKey": key or each} for each in data]
        answer = self.kinesis.put_records(StreamName=self.stream, Records=records)
        return [record["SequenceNumber"] for record in answer["Records"]]

    def reported(self, is_enough: Callable[..., bool]) -> list[dict[str, Any]]:
        """All reports of the function so far, in order, once `is_enough(reports)`."""

        def look() -> bool:
            self.seen += self.receive(self.reports)
            return is_enough(self.seen)

        wait_until(look, seconds=60)
        return self.seen

    def receive(self, queue: str) -> list[dict[str, Any]]:
        found = self.sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1
        ).get("Messages", [])
        for message in found:
            self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]

    def failed(self) -> dict[str, Any]:
        (record,) = wait_until(lambda: self.receive(self.failures), seconds=60)
        return record


def data_of(reports: list[dict[str, Any]]) -> list[list[str]]:
    return [report["data"] for report in reports]


def flat(reports: list[dict[str, Any]]) -> list[str]:
    return [each for report in reports for each in report["data"]]


def count(reports: list[dict[str, Any]]) -> int:
    return len(flat(reports))


def test_a_new_mapping_answers_as_aws_does(engine: EngineUnderTest) -> None:
    here = Setting(engine)
    mapping = here.awslambda.create_event_source_mapping(
        FunctionName=here.function, EventSourceArn=here.stream_arn, StartingPosition="LATEST"
    )
    assert mapping["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert mapping["State"] == "Creating"
    assert mapping["LastProcessingResult"] == "No records processed"
    assert mapping["BatchSize"] == 100
    assert mapping["MaximumRetryAttempts"] == -1
    assert mapping["DestinationConfig"] == {"OnFailure": {}}
    wait_until(lambda: here.state(mapping["UUID"]) == "Enabled")


def test_records_reach_the_function_in_batches_and_in_order(engine: EngineUnderTest) -> None:
    here = Setting(engine)
    here.put(*[str(number) for number in range(25)], key="k")
    here.map(BatchSize=10)
    reports = here.reported(lambda reports: count(reports) == 25)
    assert [len(data) for data in data_of(reports)] == [10, 10, 5]
    assert flat(reports) == [str(number) for number in range(25)]


def test_a_batching_window_gathers_records(engine: EngineUnderTest) -> None:
    here, witness = Setting(engine), Setting(engine)
    here.map(MaximumBatchingWindowInSeconds=300)
    witness.stream_arn = here.stream_arn
    witness.map()
    for data in ("a", "b"):
        here.put(data, key="k")
        witness.reported(lambda reports, data=data: data in flat(reports))

    def is_over(reports: list[dict[str, Any]]) -> bool:
        # The window begins when its first record is read: a busy machine may do that late.
        return count(reports) == 2 or not engine.advance_clock(301)

    assert data_of(here.reported(is_over)) == [["a", "b"]]


def test_latest_skips_what_was_there_before(engine: EngineUnderTest) -> None:
    here = Setting(engine)
    here.put("old")
    here.map(StartingPosition="LATEST")
    here.put("new")
    assert data_of(here.reported(lambda reports: count(reports) > 0)) == [["new"]]


def test_a_timestamp_begins_with_what_arrived_from_then_on(engine: EngineUnderTest) -> None:
    here = Setting(engine)
    here.put("old")
    moment = engine.advance_clock(60)
    here.put("new")
    here.map(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=moment)
    assert data_of(here.reported(lambda reports: count(reports) > 0)) == [["new"]]


def test_a_filter_keeps_what_matches_and_drops_what_is_no_json(engine: EngineUnderTest) -> None:
    here = Setting(engine)
    pattern = json.dumps({"data": {"kind": ["order"], "total": [{"numeric": [">", 10]}]}})
    here.map(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    wanted = '{"kind": "order", "total": 11}'
    here.put('{"kind": "order", "total": 9}', "no JSON", '{"kind": "view"}', wanted)
    assert data_of(here.reported(lambda reports: count(reports) > 0)) == [[wanted]]


def test_without_bisect_the_whole_batch_is_given_up_after_the_retries(
    engine: EngineUnderTest,
) -> None:
    here = Setting(engine)
    numbers = here.put("a", "poison", "b", key="k")
    here.map(DestinationConfig={"OnFailure": {"Destination": here.failures_arn}})
    record = here.failed()
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    info = record["KinesisBatchInfo"]
    assert (info["startSequenceNumber"], info["endSequenceNumber"]) == (numbers[0], numbers[2])
    assert (info["batchSize"], info["shardId"]) == (3, "shardId-000000000000")
    assert info["streamArn"] == here.stream_arn
    here.put("after", key="k")
    reports = here.reported(lambda reports: "after" in flat(reports))
    assert data_of(reports) == [["a", "poison", "b"], ["a", "poison", "b"], ["after"]]


def test_with_bisect_only_the_poison_is_given_up(engine: EngineUnderTest) -> None:
    here = Setting(engine)
    numbers = here.put("a", "b", "poison", "c", key="k")
    here.map(
        MaximumRetryAttempts=0,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": here.failures_arn}},
    )
    info = here.failed()["KinesisBatchInfo"]
    assert (info["startSequenceNumber"], info["batchSize"]) == (numbers[2], 1)
    reports = here.reported(lambda reports: ["c"] in data_of(reports))
    assert data_of(reports) == [
        ["a", "b", "poison", "c"],
        ["a", "b"],
        ["poison", "c"],
        ["poison"],
        ["c"],
    ]


def test_a_reported_failure_is_the_checkpoint(engine: EngineUnderTest) -> None:
    here = Setting(engine, REPORT="1")
    numbers = here.put("a", "poison", "b", key="k")
    here.map(
        MaximumRetryAttempts=0,
        BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": here.failures_arn}},
    )
    record = here.failed()
    assert record["KinesisBatchInfo"]["startSequenceNumber"] == numbers[1]
    assert record["KinesisBatchInfo"]["batchSize"] == 1
    assert record["responseContext"]["functionError"] is None
    reports = here.reported(lambda reports: ["b"] in data_of(reports))
    assert data_of(reports) == [["a", "poison", "b"], ["poison", "b"], ["poison"], ["b"]]


def test_records_that_grew_too_old_are_given_up_without_an_invocation(
    engine: EngineUnderTest,
) -> None:
    here = Setting(engine)
    here.put("old", key="k")
    engine.advance_clock(120)
    here.put("new", key="k")
    here.map(
        MaximumRecordAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": here.failures_arn}},
    )
    record = here.failed()
    assert record["requestContext"]["condition"] == "RecordAgeExceeded"
    assert "responseContext" not in record
    assert data_of(here.reported(lambda reports: count(reports) > 0)) == [["new"]]


def test_a_failure_in_s3_has_the_records_themselves(engine: EngineUnderTest) -> None:
    here, s3 = Setting(engine), engine.client("s3", s3={"addressing_style": "path"})
    bucket = f"{here.stream}-failures"
    s3.create_bucket(Bucket=bucket)
    (number,) = here.put("poison")
    mapping = here.map(
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    found = wait_until(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"), seconds=60)
    key = found[0]["Key"]
    assert key.startswith(f"aws/lambda/{mapping}/shardId-000000000000/")
    content = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert content.pop("payload")["Records"][0]["kinesis"]["partitionKey"] == "poison"
    assert _told_of(content) == _failure_of(here, number)


def test_parallel_batches_of_one_shard_keep_the_order_of_each_key(
    engine: EngineUnderTest,
) -> None:
    here = Setting(engine)
    here.map(ParallelizationFactor=4, BatchSize=5)
    for number in range(20):
        here.kinesis.put_records(
            StreamName=here.stream,
            Records=[{"Data": f"{key}{number}", "PartitionKey": key} for key in "abcdefgh"],
        )
    reports = here.reported(lambda reports: count(reports) == 160)
    # The queue keeps no order between messages that were sent at once; the function's clock does.
    reports = sorted(reports, key=lambda report: report["at"])
    for key in "abcdefgh":
        mine = [data for data in flat(reports) if data.startswith(key)]
        assert mine == [f"{key}{number}" for number in range(20)]
    lanes = [set(report["keys"]) for report in reports]
    assert all(len(lane) < 8 for lane in lanes)


def test_a_tumbling_window_carries_its_state_to_a_final_invocation(
    engine: EngineUnderTest,
) -> None:
    here = Setting(engine)
    here.map(TumblingWindowInSeconds=30, BatchSize=2)
    here.put("a", "b", "c", key="k")
    here.reported(lambda reports: count(reports) == 3)
    engine.advance_clock(31)
    reports = here.reported(lambda reports: reports[-1]["isFinalInvokeForWindow"])
    final = reports[-1]
    assert final["data"] == []
    assert final["shardId"] == "shardId-000000000000"
    assert final["isWindowTerminatedEarly"] is False
    in_window = [report for report in reports if report["window"] == final["window"]]
    counted = sum(len(report["data"]) for report in in_window)
    assert final["state"] == {"count": counted}


def test_a_tumbling_window_ends_with_its_shard_and_the_children_begin_their_own(
    engine: EngineUnderTest,
) -> None:
    here = Setting(engine)
    here.map(TumblingWindowInSeconds=900)
    before = [f"before {number}" for number in range(8)]
    after = [f"after {number}" for number in range(8)]
    here.put(*before)
    here.reported(lambda reports: count(reports) == 8)
    here.kinesis.update_shard_count(
        StreamName=here.stream, TargetShardCount=2, ScalingType="UNIFORM_SCALING"
    )
    # The parent's window would last for minutes: its shard's end closes it.
    here.reported(lambda reports: any(report["isFinalInvokeForWindow"] for report in reports))
    here.kinesis.get_waiter("stream_exists").wait(StreamName=here.stream, WaiterConfig=OFTEN)
    here.put(*after)
    here.reported(lambda reports: count(reports) == 16)
    engine.advance_clock(901)

    def finals(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [report for report in reports if report["isFinalInvokeForWindow"]]

    children = {"shardId-000000000001", "shardId-000000000002"}
    reports = here.reported(
        lambda reports: {final["shardId"] for final in finals(reports)} >= children
    )
    counted = dict.fromkeys(("shardId-000000000000", *children), 0)
    for final in finals(reports):
        counted[final["shardId"]] += final["state"]["count"]
    assert counted.pop("shardId-000000000000") == 8
    assert sum(counted.values()) == 8
    assert sorted(flat(reports)) == sorted(before + after)


def test_a_failure_reaches_the_subscribers_of_a_topic(engine: EngineUnderTest) -> None:
    here, sns = Setting(engine), engine.client("sns")
    topic = sns.create_topic(Name=f"{here.stream}-failures")["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=here.failures_arn, Attributes=raw)
    (number,) = here.put("poison")
    here.map(MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": topic}})
    assert _told_of(here.failed()) == _failure_of(here, number)


def _failure_of(here: Setting, number: str) -> dict[str, Any]:
    """The record of one poisoned record, without its times and its request."""
    return {
        "version": "1.0",
        "requestContext": {
            "functionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{here.function}",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": number,
            "endSequenceNumber": number,
            "batchSize": 1,
            "streamArn": here.stream_arn,
        },
    }


def _told_of(record: dict[str, Any]) -> dict[str, Any]:
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z"
    assert re.fullmatch(moment, record.pop("timestamp"))
    for name in ("approximateArrivalOfFirstRecord", "approximateArrivalOfLastRecord"):
        assert re.fullmatch(moment, record["KinesisBatchInfo"].pop(name))
    assert len(record["requestContext"].pop("requestId")) == 36
    return record


def test_children_of_a_reshard_are_read_after_their_parent(engine: EngineUnderTest) -> None:
    here = Setting(engine)
    here.map(BatchSize=1)
    before = [f"before {number}" for number in range(5)]
    after = [f"after {number}" for number in range(5)]
    here.put(*before, key="k")
    here.kinesis.update_shard_count(
        StreamName=here.stream, TargetShardCount=2, ScalingType="UNIFORM_SCALING"
    )
    wait_until(
        lambda: (
            here.kinesis.describe_stream_summary(StreamName=here.stream)[
                "StreamDescriptionSummary"
            ]["StreamStatus"]
            == "ACTIVE"
        )
    )
    here.put(*after, key="k")
    reports = here.reported(lambda reports: count(reports) == 10)
    assert flat(reports) == before + after


def test_a_disabled_mapping_goes_on_where_it_stopped(engine: EngineUnderTest) -> None:
    here = Setting(engine)
    mapping = here.map()
    here.put("one", key="k")
    here.reported(lambda reports: count(reports) == 1)
    here.awslambda.update_event_source_mapping(UUID=mapping, Enabled=False)
    wait_until(lambda: here.state(mapping) == "Disabled")
    here.put("two", key="k")
    here.awslambda.update_event_source_mapping(UUID=mapping, Enabled=True)
    assert data_of(here.reported(lambda reports: count(reports) == 2)) == [["one"], ["two"]]


def test_a_deleted_mapping_is_gone(engine: EngineUnderTest) -> None:
    here = Setting(engine)
    mapping = here.map()
    here.awslambda.delete_event_source_mapping(UUID=mapping)

    def is_gone() -> bool:
        try:
            here.awslambda.get_event_source_mapping(UUID=mapping)
        except ClientError as error:
            return bool(error.response["Error"]["Code"] == "ResourceNotFoundException")
        return False

    wait_until(is_gone)


def test_a_mapping_of_a_stream_that_is_not_there_is_refused(engine: EngineUnderTest) -> None:
    here = Setting(engine)
    here.stream_arn = "arn:aws:kinesis:us-east-1:000000000000:stream/nowhere"
    with pytest.raises(ClientError, match="Stream not found") as raised:
        here.map()
    assert raised.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_a_function_that_is_updated_while_its_mapping_reads_takes_over(
    engine: EngineUnderTest,
) -> None:
    here = Setting(engine)
    here.map()
    here.put("one", key="k")
    here.reported(lambda reports: count(reports) == 1)
    code = package({"app.py": REPORTER.replace(".decode()", ".decode().upper()")})
    here.awslambda.update_function_code(FunctionName=here.function, ZipFile=code)
    wait_until_active(here.awslambda, here.function)
    here.put("two", key="k")
    assert data_of(here.reported(lambda reports: count(reports) == 2)) == [["one"], ["TWO"]]


SQS_CONSUMER = """
import boto3, json, os
sqs = boto3.client("sqs")

def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    sources = sorted({record["eventSource"] for record in event["Records"]})
    message = json.dumps([sources, bodies])
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=message)
    failed = [r["messageId"] for r in event["Records"] if r["body"] == "poison"]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
"""


def test_of_a_queue_only_the_reported_messages_come_again_and_then_to_its_dead_letters(
    engine: EngineUnderTest,
) -> None:
    sqs, awslambda = engine.client("sqs"), engine.client("lambda")
    name = f"sqs-{uuid.uuid4().hex[:8]}"
    reports = sqs.create_queue(QueueName=f"{name}-reports")["QueueUrl"]
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    redrive = {
        "deadLetterTargetArn": f"arn:aws:sqs:us-east-1:000000000000:{name}-dead",
        "maxReceiveCount": "1",
    }
    attributes = {"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "0"}
    queue = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    environment = {"Variables": {"QUEUE": reports}}
    awslambda.create_event_source_mapping(
        FunctionName=deploy(awslambda, SQS_CONSUMER, Environment=environment),
        EventSourceArn=f"arn:aws:sqs:us-east-1:000000000000:{name}",
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": [{"prefix": "p"}]})}]},
    )
    for body in ("pear", "poison", "apple"):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    seen: list[list[Any]] = []

    def all_seen() -> bool:
        for message in sqs.receive_message(
            QueueUrl=reports, WaitTimeSeconds=1, MaxNumberOfMessages=10
        ).get("Messages", ()):
            seen.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=reports, ReceiptHandle=message["ReceiptHandle"])
        return {body for _, bodies in seen for body in bodies} == {"pear", "poison"}

    wait_until(all_seen, seconds=60)
    assert all(sources == ["aws:sqs"] for sources, _ in seen)
    (letter,) = wait_until(
        lambda: sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=1).get("Messages"), seconds=60
    )
    assert letter["Body"] == "poison"


DDB_REPORTER = """
import boto3, json, os
sqs = boto3.client("sqs")

def handler(event, context):
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event["Records"]))
"""


@pytest.mark.slow
def test_changes_of_a_table_reach_the_function(engine: EngineUnderTest) -> None:
    dynamodb, awslambda, sqs = (engine.client(name) for name in ("dynamodb", "lambda", "sqs"))
    name = f"table-{uuid.uuid4().hex[:8]}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    table = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=OFTEN)
    function = deploy(awslambda, DDB_REPORTER, Environment={"Variables": {"QUEUE": queue}})
    pattern = json.dumps({"eventName": ["MODIFY"]})
    awslambda.create_event_source_mapping(
        FunctionName=function,
        EventSourceArn=table["TableDescription"]["LatestStreamArn"],
        StartingPosition="TRIM_HORIZON",
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
    )
    for value in ("1", "2"):
        dynamodb.put_item(TableName=name, Item={"id": {"S": "a"}, "n": {"N": value}})
    (message,) = wait_until(
        lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"), seconds=60
    )
    (record,) = json.loads(message["Body"])
    assert record["eventSource"] == "aws:dynamodb"
    assert record["eventName"] == "MODIFY"
    assert record["dynamodb"]["NewImage"]["n"] == {"N": "2"}
    assert record["dynamodb"]["OldImage"]["n"] == {"N": "1"}
    assert len(record["eventID"]) == 32
