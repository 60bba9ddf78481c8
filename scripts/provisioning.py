"""What a pipeline needs before data flows: stream, lake bucket, orders table, external table."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

WAIT_SECONDS = 60.0


class NotProvisioned(RuntimeError):
    """A resource did not become ready; the message names it and its last state."""


def provision_stream(kinesis: Any, stream_name: str, shard_count: int) -> bool:
    """The stream, ACTIVE; True when it was made, False when it was there."""
    made = _unless_there(
        "ResourceInUseException",
        lambda: kinesis.create_stream(StreamName=stream_name, ShardCount=shard_count),
    )
    wait_for_stream(kinesis, stream_name)
    return made


def wait_for_stream(kinesis: Any, stream_name: str) -> None:
    """Until the stream is ACTIVE, after it was made or resharded."""

    def status() -> str:
        summary = kinesis.describe_stream_summary(StreamName=stream_name)
        return str(summary["StreamDescriptionSummary"]["StreamStatus"])

    _wait(f"Stream {stream_name}", status, "ACTIVE")


def provision_bucket(s3: Any, bucket: str) -> bool:
    """The bucket; True when it was made, False when it was there."""
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        region = s3.meta.region_name
        # us-east-1 is the one region that CreateBucket refuses to be told.
        where = {} if region == "us-east-1" else {"LocationConstraint": region}
        s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": where} if where else {}))
        return True
    return False


def provision_table(dynamodb: Any, table_name: str, hash_key: str = "event_id") -> bool:
    """The table with one key, ACTIVE; True when it was made, False when it was there."""
    made = _unless_there(
        "ResourceInUseException",
        lambda: dynamodb.create_table(
            TableName=table_name,
            KeySchema=[{"AttributeName": hash_key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": hash_key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        ),
    )
    _wait(
        f"Table {table_name}",
        lambda: str(dynamodb.describe_table(TableName=table_name)["Table"]["TableStatus"]),
        "ACTIVE",
    )
    return made


def provision_search_delivery(
    firehose: Any, name: str, *, stream_name: str, endpoint: str, index: str, bucket: str
) -> bool:
    """A delivery stream from a stream into an OpenSearch index; what fails goes to the bucket.

    True when it was made, False when it was there.
    """
    account = "000000000000"
    region = firehose.meta.region_name
    role = f"arn:aws:iam::{account}:role/{name}"
    made = _unless_there(
        "ResourceInUseException",
        lambda: firehose.create_delivery_stream(
            DeliveryStreamName=name,
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration={
                "KinesisStreamARN": f"arn:aws:kinesis:{region}:{account}:stream/{stream_name}",
                "RoleARN": role,
            },
            AmazonopensearchserviceDestinationConfiguration={
                "RoleARN": role,
                "ClusterEndpoint": endpoint,
                "IndexName": index,
                "IndexRotationPeriod": "NoRotation",
                "BufferingHints": {"IntervalInSeconds": 5, "SizeInMBs": 1},
                "RetryOptions": {"DurationInSeconds": 7200},
                "S3BackupMode": "FailedDocumentsOnly",
                "S3Configuration": {"RoleARN": role, "BucketARN": f"arn:aws:s3:::{bucket}"},
            },
        ),
    )

    def status() -> str:
        told = firehose.describe_delivery_stream(DeliveryStreamName=name)
        return str(told["DeliveryStreamDescription"]["DeliveryStreamStatus"])

    _wait(f"Delivery stream {name}", status, "ACTIVE")
    return made


def _unless_there(code: str, make: Callable[[], Any]) -> bool:
    try:
        make()
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise
        return False
    return True


def _wait(name: str, status: Callable[[], str], wanted: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while (state := status()) != wanted:
        if time.monotonic() > deadline:
            raise NotProvisioned(f"{name} is {state} after {WAIT_SECONDS:.0f} s, not {wanted}.")
        time.sleep(0.1)
