"""Which stream an application reads, told by its checkpoints."""

from __future__ import annotations

from typing import Any

import pytest

from dashboards.facts.flow import read_flow
from dashboards.facts.readers import Reader, readers
from dashboards.facts.streams import LeaseFacts
from tests.conftest import EngineUnderTest

OLD = "49680529326094313040192982073094005643535785025899331586"
YOUNG = "49680529326451124963369472043358577135898158878714494978"
OLD_RECORD = "49680529326094313040192982073095214569355399655073038338"


def shard(number: int, start: str) -> dict[str, Any]:
    return {
        "ShardId": f"shardId-{number:012}",
        "SequenceNumberRange": {"StartingSequenceNumber": start},
    }


def lease(checkpoint: str, owner: str = "w1", key: str = "shardId-000000000000") -> LeaseFacts:
    return LeaseFacts("app", key, owner, 3, checkpoint)


STREAMS = {"old": [shard(0, OLD)], "young": [shard(0, YOUNG)]}


@pytest.mark.parametrize(
    ("leases", "shards", "streams"),
    [
        ([lease(OLD_RECORD)], STREAMS, ["old"]),
        ([lease(YOUNG)], STREAMS, ["young"]),
        ([lease("TRIM_HORIZON")], STREAMS, []),
        ([lease("TRIM_HORIZON")], {"old": STREAMS["old"]}, ["old"]),
        ([lease("LATEST", key="shardId-000000000009")], STREAMS, []),
        ([lease(OLD_RECORD), lease("TRIM_HORIZON", key="gone")], STREAMS, ["old"]),
        ([lease(OLD_RECORD, key="1:old:2:shardId-000000000000")], STREAMS, ["old"]),
        ([], STREAMS, []),
    ],
)
def test_the_checkpoints_tell_the_stream(
    leases: list[LeaseFacts], shards: dict[str, Any], streams: list[str]
) -> None:
    assert [reader.stream_name for reader in readers(leases, shards)] == streams


def test_workers_and_held_leases_are_counted() -> None:
    leases = [lease(OLD_RECORD, "w1"), lease(OLD_RECORD, "w2"), lease(OLD_RECORD, "")]
    assert readers(leases, STREAMS) == [Reader("app", "old", 2, 2)]


def test_the_picture_joins_a_stream_with_the_application_that_reads_it(
    engine: EngineUnderTest, lake: str
) -> None:
    kinesis, dynamodb = engine.client("kinesis"), engine.client("dynamodb")
    put = kinesis.put_record(StreamName=lake, PartitionKey="k", Data=b"{}")
    application = f"{lake}-app"
    dynamodb.create_table(
        TableName=application,
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"leaseKey": put["ShardId"], "leaseOwner": "w1", "checkpoint": put["SequenceNumber"]}
    dynamodb.put_item(
        TableName=application, Item={name: {"S": value} for name, value in item.items()}
    )
    flow = read_flow(engine, 0.0)
    assert flow.problems == ()
    joined = {(edge.source, edge.target) for edge in flow.edges}
    assert (f"stream:{lake}", f"consumer:{application}") in joined
    dynamodb.delete_table(TableName=application)
