"""DynamoDB through boto3."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def table(engine: Any) -> Any:
    dynamodb = engine.client("dynamodb")
    name = f"table-{uuid.uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    yield name
    dynamodb.delete_table(TableName=name)


def test_only_one_of_two_conditional_writes_wins(engine: Any, table: str) -> None:
    dynamodb = engine.client("dynamodb")
    first = {"TableName": table, "Item": {"pk": {"S": "a"}}}
    dynamodb.put_item(**first, ConditionExpression="attribute_not_exists(pk)")
    with pytest.raises(ClientError) as refusal:
        dynamodb.put_item(**first, ConditionExpression="attribute_not_exists(pk)")
    assert refusal.value.response["Error"]["Code"] == "ConditionalCheckFailedException"


def test_a_change_appears_in_the_tables_stream(engine: Any, table: str) -> None:
    engine.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "a"}})
    streams = engine.client("dynamodbstreams")
    stream_arn = streams.list_streams(TableName=table)["Streams"][0]["StreamArn"]
    shard = streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]["Shards"][0]
    iterator = streams.get_shard_iterator(
        StreamArn=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = streams.get_records(ShardIterator=iterator)["Records"]
    assert [r["eventName"] for r in records] == ["INSERT"]
