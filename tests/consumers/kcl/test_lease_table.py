"""What every lease table must do: the one in memory and the one in DynamoDB, row by row."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from consumers.kcl.errors import LeaseTableOfAnotherShape
from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.kcl.lease import Lease, LeaseTable
from consumers.kcl.lease_table_dynamodb import DynamoDBLeaseTable, from_item, to_item
from consumers.kcl.lease_table_memory import MemoryLeaseTable
from consumers.kcl.shard import HashKeyRange
from tests.conftest import EngineUnderTest

FULL = Lease(
    lease_key="shardId-7",
    shard_id="shardId-7",
    lease_owner="bar",
    lease_counter=3,
    owner_switches_since_checkpoint=2,
    checkpoint=ExtendedSequenceNumber("4957", 3),
    pending_checkpoint=ExtendedSequenceNumber("4958", 1),
    pending_checkpoint_state=b"\x00state",
    parent_shard_ids=frozenset({"shardId-1", "shardId-2"}),
    child_shard_ids=frozenset({"shardId-8"}),
    hash_key_range=HashKeyRange(0, 2**128 - 1),
)


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest) -> LeaseTable:
    if request.param == "memory":
        return MemoryLeaseTable()
    engine: EngineUnderTest = request.getfixturevalue("engine")
    made = DynamoDBLeaseTable(engine.client("dynamodb"), f"app-{uuid.uuid4().hex[:8]}")
    assert made.create_table()
    assert not made.create_table()
    return made


def stored(table: LeaseTable, lease: Lease = FULL) -> Lease:
    assert table.create_lease(lease)
    found = table.get_lease(lease.lease_key)
    assert found is not None
    return found


def test_a_lease_comes_back_as_it_was_written(table: LeaseTable) -> None:
    assert stored(table) == FULL
    assert table.list_leases() == [FULL]


def test_the_second_creation_changes_nothing(table: LeaseTable) -> None:
    stored(table)
    assert not table.create_lease(replace(FULL, lease_owner="me"))
    assert table.get_lease("shardId-7") == FULL


def test_renewing_moves_the_counter_once(table: LeaseTable) -> None:
    lease = stored(table)
    renewed = table.renew_lease(lease)
    assert renewed == replace(lease, lease_counter=4)
    assert table.renew_lease(lease) is None


def test_a_lease_in_a_hand_off_is_renewed_only_by_who_knows(table: LeaseTable) -> None:
    lease = stored(table, replace(FULL, lease_owner="new"))
    if isinstance(table, MemoryLeaseTable):
        lease = stored(MemoryLeaseTable(), replace(lease, checkpoint_owner="bar"))
        table = MemoryLeaseTable()
        table.create_lease(lease)
    else:
        assert isinstance(table, DynamoDBLeaseTable)
        _set_checkpoint_owner(table, "bar")
        found = table.get_lease("shardId-7")
        assert found is not None
        lease = found
    assert lease.actual_owner == "bar"
    assert table.renew_lease(lease) is None
    assert table.renew_lease(lease, handing_off=True) is not None


def _set_checkpoint_owner(table: DynamoDBLeaseTable, owner: str) -> None:
    table._client.update_item(
        TableName=table._table_name,
        Key={"leaseKey": {"S": "shardId-7"}},
        UpdateExpression="SET checkpointOwner = :o",
        ExpressionAttributeValues={":o": {"S": owner}},
    )


@pytest.mark.parametrize(("owner", "switches"), [(None, 2), ("bar", 3), ("me", 2)])
def test_taking_counts_a_switch_of_owners(
    table: LeaseTable, owner: str | None, switches: int
) -> None:
    lease = stored(table, replace(FULL, lease_owner=owner))
    taken = table.take_lease(lease, "me")
    assert taken is not None
    assert (taken.lease_owner, taken.lease_counter) == ("me", 4)
    assert taken.owner_switches_since_checkpoint == switches


def test_a_lease_that_was_renewed_meanwhile_is_not_taken(table: LeaseTable) -> None:
    lease = stored(table)
    table.renew_lease(lease)
    assert table.take_lease(lease, "me") is None


def test_an_evicted_lease_has_no_owner_and_another_counter(table: LeaseTable) -> None:
    lease = stored(table)
    assert table.evict_lease(lease)
    evicted = table.get_lease("shardId-7")
    assert evicted == replace(lease, lease_owner=None, lease_counter=4)
    assert not table.evict_lease(lease)
    assert table.evict_lease(evicted)


def test_a_checkpoint_is_written_with_the_counter_it_was_read_with(table: LeaseTable) -> None:
    lease = stored(table)
    wanted = replace(
        lease,
        checkpoint=ExtendedSequenceNumber("5000"),
        pending_checkpoint=None,
        pending_checkpoint_state=None,
        owner_switches_since_checkpoint=0,
    )
    assert table.update_lease(wanted) == replace(wanted, lease_counter=4)
    assert table.get_lease("shardId-7") == replace(wanted, lease_counter=4)
    assert table.update_lease(replace(wanted, checkpoint=ExtendedSequenceNumber("1"))) is None


def test_children_are_told_without_touching_owner_or_counter(table: LeaseTable) -> None:
    lease = stored(table)
    assert table.update_lease_meta("shardId-7", child_shard_ids=["shardId-9", "shardId-8"])
    children = frozenset({"shardId-8", "shardId-9"})
    assert table.get_lease("shardId-7") == replace(lease, child_shard_ids=children)


def test_a_deleted_lease_does_not_come_back_by_an_update(table: LeaseTable) -> None:
    stored(table)
    table.delete_lease("shardId-7")
    table.delete_lease("shardId-7")
    assert not table.update_lease_meta("shardId-7", child_shard_ids=["shardId-8"])
    assert table.get_lease("shardId-7") is None


def test_a_new_lease_has_neither_empty_sets_nor_empty_strings() -> None:
    assert to_item(Lease("shardId-1", "shardId-1")) == {
        "leaseKey": {"S": "shardId-1"},
        "leaseCounter": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "checkpoint": {"S": "TRIM_HORIZON"},
        "checkpointSubSequenceNumber": {"N": "0"},
        "entityType": {"S": "LEASE"},
    }


def test_parents_are_a_string_set_in_spite_of_their_name() -> None:
    assert to_item(FULL)["parentShardId"] == {"SS": ["shardId-1", "shardId-2"]}


def test_a_lease_of_several_streams_names_its_stream() -> None:
    key = "111122223333:clicks:1700000000:shardId-1"
    lease = Lease(key, "shardId-1", stream_identifier="111122223333:clicks:1700000000")
    item = to_item(lease)
    assert item["streamName"] == {"S": "111122223333:clicks:1700000000"}
    assert item["shardId"] == {"S": "shardId-1"}
    assert from_item(item) == lease


@pytest.mark.parametrize("kind", ["LEADER", "WORKER_METRIC_STATS", "STREAM", "TABLE_MIGRATION"])
def test_rows_of_other_kinds_are_no_leases(kind: str) -> None:
    assert from_item({"leaseKey": {"S": "Leader"}, "entityType": {"S": kind}}) is None


def test_a_row_without_a_kind_is_a_lease() -> None:
    item = to_item(FULL)
    del item["entityType"]
    assert from_item(item) == FULL


def test_a_number_as_pending_state_is_tolerated() -> None:
    item = to_item(FULL) | {"pendingCheckpointState": {"N": "3"}}
    lease = from_item(item)
    assert lease is not None
    assert lease.pending_checkpoint_state is None


def test_unreadable_and_foreign_rows_hinder_nothing(engine: EngineUnderTest) -> None:
    client = engine.client("dynamodb")
    table = DynamoDBLeaseTable(client, f"app-{uuid.uuid4().hex[:8]}")
    table.create_table()
    table.create_lease(FULL)
    for item in (
        {"leaseKey": {"S": "broken"}, "leaseCounter": {"N": "1"}},
        {"leaseKey": {"S": "Leader"}, "entityType": {"S": "LEADER"}},
    ):
        client.put_item(TableName=table._table_name, Item=item)
    assert table.list_leases() == [FULL]
    assert table.get_lease("broken") is None


def test_attributes_of_newer_libraries_survive_our_writes(engine: EngineUnderTest) -> None:
    client = engine.client("dynamodb")
    table = DynamoDBLeaseTable(client, f"app-{uuid.uuid4().hex[:8]}")
    table.create_table()
    item = to_item(FULL) | {"somethingNew": {"S": "kept"}}
    client.put_item(TableName=table._table_name, Item=item)
    lease = table.take_lease(FULL, "me")
    assert lease is not None
    for write in _writes(table):
        lease = write(lease) or lease
    found = client.get_item(TableName=table._table_name, Key={"leaseKey": {"S": "shardId-7"}})
    assert found["Item"]["somethingNew"] == {"S": "kept"}


def _writes(table: DynamoDBLeaseTable) -> list[Callable[[Lease], Any]]:
    return [table.renew_lease, table.update_lease]


def test_a_table_of_many_pages_is_listed_whole(engine: EngineUnderTest) -> None:
    table = DynamoDBLeaseTable(engine.client("dynamodb"), f"app-{uuid.uuid4().hex[:8]}")
    table.create_table()
    large = b"x" * 300_000  # a page of a scan is 1 MB
    leases = [replace(FULL, lease_key=f"shardId-{n}", shard_id=f"shardId-{n}") for n in range(9)]
    for lease in leases:
        table.create_lease(replace(lease, pending_checkpoint_state=large))
    assert {lease.lease_key for lease in table.list_leases()} == {x.lease_key for x in leases}


def test_a_table_that_is_being_made_is_waited_for() -> None:
    client = boto3.client(
        "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    about = {
        "KeySchema": [{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "leaseKey", "AttributeType": "S"}],
    }
    with Stubber(client) as stubber:
        stubber.add_client_error("describe_table", "ResourceNotFoundException")
        stubber.add_client_error("create_table", "ResourceInUseException")  # a peer was quicker
        for status in ("CREATING", "CREATING", "ACTIVE"):
            stubber.add_response("describe_table", {"Table": about | {"TableStatus": status}})
        assert not DynamoDBLeaseTable(client, "app").create_table()
        stubber.assert_no_pending_responses()
    client.close()


def test_a_table_with_another_key_is_refused_in_a_sentence(engine: EngineUnderTest) -> None:
    client = engine.client("dynamodb")
    name = f"orders-{uuid.uuid4().hex[:8]}"
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "orderId", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "orderId", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(LeaseTableOfAnotherShape, match="Choose another application name"):
        DynamoDBLeaseTable(client, name).create_table()
