"""A delivery reaches S3 inside the engine, and everything that S3 does with a put happens."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote_plus

import pytest
from botocore.exceptions import ClientError

from tests.services.awslambda.functions import deploy
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


FORWARD = """
import boto3, json, os

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


def test_a_function_and_a_topic_are_told_of_a_delivered_object(lake: Lake) -> None:
    sqs, sns = lake.engine.client("sqs"), lake.engine.client("sns")
    awslambda = lake.engine.client("lambda")
    urls = {
        name: sqs.create_queue(QueueName=f"{lake.name}-{name}")["QueueUrl"]
        for name in ("lambda", "sns")
    }
    function = deploy(awslambda, FORWARD, Environment={"Variables": {"QUEUE": urls["lambda"]}})
    described = awslambda.get_function(FunctionName=function)["Configuration"]
    topic = sns.create_topic(Name=lake.name)["TopicArn"]
    attributes = sqs.get_queue_attributes(QueueUrl=urls["sns"], AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["Attributes"]["QueueArn"])
    awslambda.add_permission(
        FunctionName=function,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    created = {"Events": ["s3:ObjectCreated:*"]}
    only_data = {"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "data/"}]}}}
    lake.s3.put_bucket_notification_configuration(
        Bucket=lake.name,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": described["FunctionArn"], **created, **only_data}
            ],
            "TopicConfigurations": [{"TopicArn": topic, **created}],
        },
    )
    stream = lake.create(seconds=0, Prefix="data/!{timestamp:yyyy}/", ErrorOutputPrefix="errors/")
    lake.put(stream, b"x")
    (key,) = lake.wait_for(1)

    def told(name: str) -> list[Any]:
        found = sqs.receive_message(QueueUrl=urls[name], WaitTimeSeconds=1).get("Messages", ())
        bodies = [json.loads(message["Body"]) for message in found]
        opened = [json.loads(b["Message"]) if "Message" in b else b for b in bodies]
        return [record for body in opened for record in body.get("Records", ())]

    for name in ("lambda", "sns"):
        (record,) = wait_until(partial(told, name), 60)
        assert (record["eventSource"], record["eventName"]) == ("aws:s3", "ObjectCreated:Put")
        assert record["s3"]["object"]["key"] == quote_plus(key, safe="/")
        assert record["s3"]["object"]["size"] == 1


def delivered_beside_put(lake: Lake, bucket: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What S3 tells of an object that Firehose wrote, and of one that a client put."""
    stream = lake.create(
        seconds=0,
        BucketARN=f"arn:aws:s3:::{bucket}",
        Prefix="data/!{timestamp:yyyy}/",
        ErrorOutputPrefix="errors/",
    )
    lake.put(stream, b"delivered")

    def keys() -> list[str]:
        listed = lake.s3.list_objects_v2(Bucket=bucket).get("Contents", ())
        return [item["Key"] for item in listed]

    (key,) = wait_until(keys)
    lake.s3.put_object(
        Bucket=bucket, Key="data/put", Body=b"delivered", ContentType="application/octet-stream"
    )

    def shown(name: str) -> dict[str, Any]:
        told = lake.s3.head_object(Bucket=bucket, Key=name, ChecksumMode="ENABLED")
        own = ("ResponseMetadata", "LastModified", "VersionId")
        return {name: value for name, value in told.items() if name not in own}

    return shown(key), shown("data/put")


def test_a_default_retention_locks_a_delivered_object(lake: Lake) -> None:
    bucket = f"{lake.name}-locked"
    lake.s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    lake.s3.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}},
        },
    )
    delivered, put = delivered_beside_put(lake, bucket)
    until = [told.pop("ObjectLockRetainUntilDate") for told in (delivered, put)]
    assert abs(until[0] - until[1]) < timedelta(minutes=2)
    assert delivered == put
    assert delivered["ObjectLockMode"] == "GOVERNANCE"
    (version,) = lake.s3.list_object_versions(Bucket=bucket, Prefix="data/2")["Versions"]
    with pytest.raises(ClientError) as refused:
        lake.s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    assert refused.value.response["Error"]["Code"] == "AccessDenied"


def test_lifecycle_policy_and_a_key_of_the_bucket_hold_for_a_delivered_object(lake: Lake) -> None:
    key_id = lake.engine.client("kms").create_key()["KeyMetadata"]["Arn"]
    encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_id}
    lake.s3.put_bucket_encryption(
        Bucket=lake.name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": encryption, "BucketKeyEnabled": True}]
        },
    )
    lake.s3.put_bucket_lifecycle_configuration(
        Bucket=lake.name,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "three-days",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "data/"},
                    "Expiration": {"Days": 3},
                }
            ]
        },
    )
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{lake.name}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    lake.s3.put_bucket_policy(Bucket=lake.name, Policy=json.dumps(policy))
    delivered, put = delivered_beside_put(lake, lake.name)
    assert delivered == put
    assert 'rule-id="three-days"' in delivered["Expiration"]
    assert delivered["SSEKMSKeyId"] == key_id
    assert delivered["BucketKeyEnabled"]


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
