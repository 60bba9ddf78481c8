"""Load on every service that the labs use: what writers make, and how it is counted again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.services.awslambda.functions import package, wait_until_active
from tests.waiting import OFTEN

ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/story"
RESULTS = "s3://story-results/"
#: Puts each record's text where the test finds it, without a service of the engine.
COPIES = """
import base64, os

def handler(event, context):
    with open(os.environ["FILE"], "a") as file:
        for record in event["Records"]:
            file.write(base64.b64decode(record["kinesis"]["data"]).decode() + "\\n")
"""
CODE = {"ZipFile": package({"app.py": COPIES})}


class Clients:
    """boto3 clients that give up at once: a call that failed may or may not have been done."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._made: dict[str, Any] = {}

    def __getattr__(self, service: str) -> Any:
        if service not in self._made:
            session = boto3.Session("test", "test", region_name="us-east-1")
            config = Config(retries={"max_attempts": 0}, read_timeout=120, connect_timeout=5)
            name = "lambda" if service == "functions" else service
            self._made[service] = session.client(name, endpoint_url=self.url, config=config)
        return self._made[service]


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{name}"


def prepare(aws: Clients, copied_to: Path) -> None:
    """What writers write to, and what goes on by itself."""
    for queue in ("sent", "published", "told", "ticks", "turns", "went-off"):
        aws.sqs.create_queue(QueueName=queue)
    for topic, queue in (("story", "published"), ("went-off", "went-off")):
        aws.sns.create_topic(Name=topic)
        aws.sns.subscribe(TopicArn=arn("sns", topic), Protocol="sqs", Endpoint=arn("sqs", queue))
    aws.logs.create_log_group(logGroupName="story")
    aws.logs.create_log_stream(logGroupName="story", logStreamName="s")
    for bucket in ("story", "story-results", "delivered"):
        aws.s3.create_bucket(Bucket=bucket)
    tell(aws, "story", "told")
    aws.dynamodb.create_table(
        TableName="story",
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.glue.create_database(DatabaseInput={"Name": "story"})
    aws.firehose.create_delivery_stream(
        DeliveryStreamName="story",
        ExtendedS3DestinationConfiguration={
            "BucketARN": "arn:aws:s3:::delivered",
            "RoleARN": ROLE,
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 10},
        },
    )
    _prepare_mapping(aws, copied_to)
    _prepare_what_goes_on(aws)


def tell(aws: Clients, bucket: str, queue: str) -> None:
    """Each new object of the bucket is told to the queue."""
    told = {"QueueArn": arn("sqs", queue), "Events": ["s3:ObjectCreated:*"]}
    aws.s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [told]}
    )


def _prepare_mapping(aws: Clients, copied_to: Path) -> None:
    aws.kinesis.create_stream(StreamName="story", ShardCount=2)
    aws.kinesis.get_waiter("stream_exists").wait(StreamName="story", WaiterConfig=OFTEN)
    make_function(aws, "copies", Environment={"Variables": {"FILE": str(copied_to)}})
    wait_until_active(aws.functions, "copies")
    aws.functions.create_event_source_mapping(
        FunctionName="copies",
        EventSourceArn=arn("kinesis", "stream/story"),
        StartingPosition="TRIM_HORIZON",
    )


def _prepare_what_goes_on(aws: Clients) -> None:
    make_alarm(aws, "watches", AlarmActions=[arn("sns", "went-off")], Period=10)
    aws.events.put_rule(Name="each-minute", ScheduleExpression="rate(1 minute)")
    aws.events.put_targets(
        Rule="each-minute",
        Targets=[{"Id": "q", "Arn": arn("sqs", "ticks"), "Input": '{"tick": 1}'}],
    )
    make_schedule(aws, "each-hour", "rate(1 hour)")


def make_function(aws: Clients, name: str, **more: Any) -> None:
    wanted = {"Runtime": "python3.13", "Role": ROLE, "Handler": "app.handler", "Timeout": 30}
    aws.functions.create_function(FunctionName=name, Code=CODE, **(wanted | more))


def make_alarm(aws: Clients, name: str, **more: Any) -> None:
    wanted = {
        "Namespace": "story",
        "MetricName": name,
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    aws.cloudwatch.put_metric_alarm(AlarmName=name, **(wanted | more))


def make_schedule(aws: Clients, name: str, expression: str) -> None:
    aws.scheduler.create_schedule(
        Name=name,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn("sqs", "turns"), "RoleArn": ROLE, "Input": name},
    )


def make_stack(aws: Clients, name: str) -> None:
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"of-{name}"}}
    template = json.dumps({"Resources": {"Topic": topic}})
    aws.cloudformation.create_stack(StackName=name, TemplateBody=template)


def query(aws: Clients, sql: str) -> str:
    """The id of a query that was started."""
    started = aws.athena.start_query_execution(
        QueryString=sql, ResultConfiguration={"OutputLocation": RESULTS}
    )
    return str(started["QueryExecutionId"])


def writes(aws: Clients) -> dict[str, Callable[[str], Any]]:
    """One call of each kind that makes something of this name."""
    queue, topic = f"{aws.url}/{ACCOUNT}/sent", arn("sns", "story")
    log = {"logGroupName": "story", "logStreamName": "s"}
    columns = {"StorageDescriptor": {"Columns": [{"Name": "a", "Type": "int"}]}}
    return {
        "sqs": lambda name: aws.sqs.send_message(QueueUrl=queue, MessageBody=name),
        "sns": lambda name: aws.sns.publish(TopicArn=topic, Message=name),
        "topics": lambda name: aws.sns.create_topic(Name=name),
        "objects": lambda name: aws.s3.put_object(Bucket="story", Key=name, Body=name.encode()),
        "users": lambda name: aws.iam.create_user(UserName=name),
        "parameters": lambda name: aws.ssm.put_parameter(Name=name, Value="v", Type="String"),
        "logs": lambda name: aws.logs.put_log_events(
            **log, logEvents=[{"timestamp": int(time.time() * 1000), "message": name}]
        ),
        "records": lambda name: aws.kinesis.put_record(
            StreamName="story", Data=name.encode(), PartitionKey=name
        ),
        "delivered": lambda name: aws.firehose.put_record(
            DeliveryStreamName="story", Record={"Data": f"{name}\n".encode()}
        ),
        "items": lambda name: aws.dynamodb.put_item(TableName="story", Item={"name": {"S": name}}),
        "functions": lambda name: make_function(aws, name),
        "alarms": lambda name: make_alarm(aws, name),
        "rules": lambda name: aws.events.put_rule(Name=name, EventPattern='{"source": ["x"]}'),
        "schedules": lambda name: make_schedule(aws, name, "rate(30 days)"),
        "stacks": lambda name: make_stack(aws, name),
        "tables": lambda name: aws.glue.create_table(
            DatabaseName="story", TableInput={"Name": name} | columns
        ),
        "queries": lambda name: query(aws, f"SELECT '{name}'"),
    }


#: Of each kind: client, paginator, list in a page, name in an entry, request.
PAGES: dict[str, tuple[str, str, str, str, dict[str, Any]]] = {
    "topics": ("sns", "list_topics", "Topics", "TopicArn", {}),
    "objects": ("s3", "list_objects_v2", "Contents", "Key", {"Bucket": "story"}),
    "users": ("iam", "list_users", "Users", "UserName", {}),
    "parameters": ("ssm", "describe_parameters", "Parameters", "Name", {}),
    "logs": ("logs", "filter_log_events", "events", "message", {"logGroupName": "story"}),
    "functions": ("functions", "list_functions", "Functions", "FunctionName", {}),
    "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", {}),
    "rules": ("events", "list_rules", "Rules", "Name", {}),
    "schedules": ("scheduler", "list_schedules", "Schedules", "Name", {}),
    "tables": ("glue", "get_tables", "TableList", "Name", {"DatabaseName": "story"}),
}


def inventory(aws: Clients) -> dict[str, list[str]]:
    """The names of everything that is there, by kind; messages are not taken."""
    found = {
        kind: [
            str(entry[name]).rpartition(":")[2]
            for page in getattr(aws, client).get_paginator(operation).paginate(**request)
            for entry in page.get(key, ())
        ]
        for kind, (client, operation, key, name, request) in PAGES.items()
    }
    items = aws.dynamodb.get_paginator("scan").paginate(TableName="story")
    found["items"] = [item["name"]["S"] for page in items for item in page["Items"]]
    found["records"] = list(_records(aws))
    found["stacks"] = [stack["StackName"] for stack in settled_stacks(aws)]
    found["queries"] = [told["Query"].split("'")[1] for told in ended_queries(aws)]
    return {
        kind: [name for name in names if name.startswith(f"{kind}-")]
        for kind, names in found.items()
    }


def _records(aws: Clients) -> Iterator[str]:
    for shard in aws.kinesis.list_shards(StreamName="story")["Shards"]:
        iterator = aws.kinesis.get_shard_iterator(
            StreamName="story", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            got = aws.kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            yield from (record["Data"].decode() for record in got["Records"])
            iterator = got["NextShardIterator"]
            if not got["Records"]:
                break


def settled_stacks(aws: Clients) -> list[dict[str, Any]]:
    """Every stack; after a restart none is on its way."""
    pages = aws.cloudformation.get_paginator("describe_stacks").paginate()
    stacks = [stack for page in pages for stack in page["Stacks"]]
    assert not [s for s in stacks if s["StackStatus"].endswith("_IN_PROGRESS")]
    return stacks


def ended_queries(aws: Clients) -> list[dict[str, Any]]:
    """Every query; after a restart none runs, and one that failed says why."""
    pages = aws.athena.get_paginator("list_query_executions").paginate()
    ids = [each for page in pages for each in page["QueryExecutionIds"]]
    told = [
        one
        for first in range(0, len(ids), 50)
        for one in aws.athena.batch_get_query_execution(QueryExecutionIds=ids[first : first + 50])[
            "QueryExecutions"
        ]
    ]
    for one in told:
        status = one["Status"]
        assert status["State"] in ("SUCCEEDED", "FAILED"), one
        assert status["State"] == "SUCCEEDED" or status["StateChangeReason"], one
    return told


def take_all(aws: Clients, queue: str) -> list[str]:
    """Every message of a queue, taken out of it."""
    url, bodies = f"{aws.url}/{ACCOUNT}/{queue}", []
    while got := aws.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2
    ).get("Messages"):
        bodies += [message["Body"] for message in got]
        entries = [{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in got]
        aws.sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return bodies


def delivered(aws: Clients) -> list[str]:
    """Every record in the delivery stream's bucket."""
    pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket="delivered")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    bodies = [aws.s3.get_object(Bucket="delivered", Key=key)["Body"].read() for key in keys]
    return [name for body in bodies for name in body.decode().split()]
