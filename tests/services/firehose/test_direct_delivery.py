"""A delivery reaches S3 inside the engine, and everything that S3 does with a put happens."""

from __future__ import annotations

import json
from typing import Any

from tests.services.firehose.lake import ROLE, Lake, processing, processor
from tests.waiting import wait_until

QUERY = processor(
    "MetadataExtraction",
    MetadataExtractionQuery="{page: .page}",
    JsonParsingEngine="JQ-1.6",
)


def test_a_delivered_object_is_versioned_encrypted_and_checked_as_one_that_a_client_put(
    lake: Lake,
) -> None:
    lake.s3.put_bucket_versioning(Bucket=lake.name, VersioningConfiguration={"Status": "Enabled"})
    kms = {"SSEAlgorithm": "aws:kms"}
    lake.s3.put_bucket_encryption(
        Bucket=lake.name,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": kms}]},
    )
    stream = lake.create(seconds=0)
    lake.put(stream, b"delivered")
    (key,) = lake.wait_for(1)
    lake.s3.put_object(
        Bucket=lake.name, Key="put", Body=b"delivered", ContentType="application/octet-stream"
    )

    def shown(name: str) -> dict[str, Any]:
        head = lake.s3.head_object(Bucket=lake.name, Key=name, ChecksumMode="ENABLED")
        wanted = ("ETag", "ContentLength", "ContentType", "ServerSideEncryption", "SSEKMSKeyId")
        checksums = ("ChecksumCRC32", "ChecksumType")
        return {name: head.get(name) for name in (*wanted, *checksums)} | {
            "is_versioned": head.get("VersionId", "null") != "null"
        }

    assert shown(key) == shown("put")
    assert shown(key)["ServerSideEncryption"] == "aws:kms"
    assert shown(key)["is_versioned"]


def test_the_bucket_s_notifications_and_eventbridge_tell_of_a_delivered_object(lake: Lake) -> None:
    sqs, events = lake.engine.client("sqs"), lake.engine.client("events")
    queues = {name: sqs.create_queue(QueueName=f"{lake.name}-{name}") for name in ("s3", "events")}
    urls = {name: queue["QueueUrl"] for name, queue in queues.items()}
    arns = {
        name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        for name, url in urls.items()
    }
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [lake.name]}}}
    events.put_rule(Name=lake.name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=lake.name, Targets=[{"Id": "queue", "Arn": arns["events"]}])
    lake.s3.put_bucket_notification_configuration(
        Bucket=lake.name,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arns["s3"], "Events": ["s3:ObjectCreated:Put"]}],
            "EventBridgeConfiguration": {},
        },
    )
    stream = lake.create(seconds=0)
    lake.put(stream, b"x")
    (key,) = lake.wait_for(1)

    def told(name: str) -> list[Any]:
        found = sqs.receive_message(QueueUrl=urls[name], WaitTimeSeconds=1).get("Messages", ())
        bodies = [json.loads(message["Body"]) for message in found]
        return [body for body in bodies if body.get("Event") != "s3:TestEvent"]

    (notification,) = wait_until(lambda: told("s3"))
    (record,) = notification["Records"]
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["s3"]["object"]["key"] == key.replace("+", "%2B")
    (event,) = wait_until(lambda: told("events"))
    assert (event["detail-type"], event["detail"]["object"]["key"]) == ("Object Created", key)


def test_four_hundred_partitions_are_one_object_each(lake: Lake) -> None:
    stream = lake.create_with(
        ExtendedS3DestinationConfiguration={
            **lake.bucket,
            "RoleARN": ROLE,
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
            "Prefix": "page=!{partitionKeyFromQuery:page}/",
            "ErrorOutputPrefix": "errors/",
            "DynamicPartitioningConfiguration": {"Enabled": True},
            "ProcessingConfiguration": processing(QUERY),
        }
    )
    lake.put_json(stream, *({"page": n} for n in range(400)))
    # Whatever came in before the interval ended is in its objects, processed or not.
    lake.engine.advance_clock(61)
    keys = lake.wait_for(400)
    assert len(keys) == 400
    assert {key.partition("/")[0] for key in keys} == {f"page={n}" for n in range(400)}
