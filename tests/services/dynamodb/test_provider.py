"""DynamoDB through boto3."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
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


def test_items_of_every_operation_come_back(engine: Any, table: str) -> None:
    dynamodb = engine.client("dynamodb")
    puts = [{"PutRequest": {"Item": {"pk": {"S": str(i)}}}} for i in range(25)]
    assert not dynamodb.batch_write_item(RequestItems={table: puts})["UnprocessedItems"]
    dynamodb.update_item(
        TableName=table,
        Key={"pk": {"S": "0"}},
        UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    dynamodb.delete_item(TableName=table, Key={"pk": {"S": "1"}})
    assert dynamodb.get_item(TableName=table, Key={"pk": {"S": "0"}})["Item"]["n"] == {"N": "1"}
    assert dynamodb.scan(TableName=table, Select="COUNT")["Count"] == 24
    keys = {table: {"Keys": [{"pk": {"S": "0"}}, {"pk": {"S": "1"}}]}}
    assert len(dynamodb.batch_get_item(RequestItems=keys)["Responses"][table]) == 1


def test_a_missing_table_is_told_as_aws_tells_it(engine: Any, table: str) -> None:
    with pytest.raises(ClientError) as refusal:
        engine.client("dynamodb").get_item(TableName="missing", Key={"pk": {"S": "a"}})
    assert refusal.value.response["Error"] == {
        "Code": "ResourceNotFoundException",
        "Message": "Requested resource not found",
    }


def test_another_region_has_tables_of_its_own(engine: Any, table: str) -> None:
    with pytest.raises(ClientError, match="not found"):
        engine.client("dynamodb", "eu-west-1").scan(TableName=table)


def test_of_many_conditional_writes_at_once_exactly_one_wins(engine: Any, table: str) -> None:
    dynamodb = engine.client("dynamodb")

    def take(worker: int) -> bool:
        try:
            dynamodb.update_item(
                TableName=table,
                Key={"pk": {"S": "lease"}},
                UpdateExpression="SET taker = :me",
                ConditionExpression="attribute_not_exists(taker)",
                ExpressionAttributeValues={":me": {"N": str(worker)}},
            )
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(16) as workers:
        assert sum(workers.map(take, range(64))) == 1
