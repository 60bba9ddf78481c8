"""Leases in DynamoDB, in Amazon KCL's exact item format, so that real KCL workers can share them.

The only file here that spells attributes as Amazon does. Attribute names and conditions follow
amazon-kinesis-client's DynamoDBLeaseSerializer (https://github.com/awslabs/amazon-kinesis-client).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from consumers.kcl.errors import LeaseTableOfAnotherShape
from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.kcl.lease import Lease
from consumers.kcl.shard import HashKeyRange

log = logging.getLogger(__name__)

Item = dict[str, dict[str, Any]]

#: How long CreateTable may take before we give up, in seconds; KCL waits as long.
_TABLE_WAIT_SECONDS = 600.0


def to_item(lease: Lease) -> Item:
    """A new lease as DynamoDB wants it: sets never empty, absent instead of NULL or ''."""
    item: Item = {
        "leaseKey": {"S": lease.lease_key},
        "leaseCounter": {"N": str(lease.lease_counter)},
        "ownerSwitchesSinceCheckpoint": {"N": str(lease.owner_switches_since_checkpoint)},
        "checkpoint": {"S": lease.checkpoint.sequence_number},
        "checkpointSubSequenceNumber": {"N": str(lease.checkpoint.sub_sequence_number)},
        # Older workers ignore it; 3.5 keeps rows of other kinds here and tells them apart by it.
        "entityType": {"S": "LEASE"},
    }
    if lease.lease_owner:
        item["leaseOwner"] = {"S": lease.lease_owner}
    if lease.parent_shard_ids:
        item["parentShardId"] = {"SS": sorted(lease.parent_shard_ids)}
    if lease.stream_identifier:
        item["streamName"] = {"S": lease.stream_identifier}
        item["shardId"] = {"S": lease.shard_id}
    return item | _pending(lease) | _meta(lease.child_shard_ids, lease.hash_key_range)


def from_item(item: Mapping[str, Mapping[str, Any]]) -> Lease | None:
    """The lease in an item; None for a row that is something else (KCL 3.5 keeps five kinds).

    Raises KeyError or ValueError when it calls itself a lease and cannot be read.
    """
    if item.get("entityType", {}).get("S", "LEASE") != "LEASE":
        return None
    key = item["leaseKey"]["S"]
    pending = item.get("pendingCheckpoint")
    bounds = (item.get("startingHashKey"), item.get("endingHashKey"))
    return Lease(
        lease_key=key,
        shard_id=item.get("shardId", {}).get("S") or key.rpartition(":")[2],
        lease_owner=item.get("leaseOwner", {}).get("S"),
        lease_counter=int(item["leaseCounter"]["N"]),
        owner_switches_since_checkpoint=_number(item, "ownerSwitchesSinceCheckpoint"),
        checkpoint=ExtendedSequenceNumber(
            item["checkpoint"]["S"], _number(item, "checkpointSubSequenceNumber")
        ),
        pending_checkpoint=ExtendedSequenceNumber(
            pending["S"], _number(item, "pendingCheckpointSubSequenceNumber")
        )
        if pending
        else None,
        # Amazon's create path may have put a number here; only bytes mean anything.
        pending_checkpoint_state=_bytes(item.get("pendingCheckpointState", {})),
        parent_shard_ids=frozenset(item.get("parentShardId", {}).get("SS", ())),
        child_shard_ids=frozenset(item.get("childShardIds", {}).get("SS", ())),
        hash_key_range=HashKeyRange(int(bounds[0]["S"]), int(bounds[1]["S"]))
        if bounds[0] and bounds[1]
        else None,
        checkpoint_owner=item.get("checkpointOwner", {}).get("S"),
        stream_identifier=item.get("streamName", {}).get("S"),
    )


class DynamoDBLeaseTable:
    """The table `application_name`. `stream_identifiers` are not filtered here: callers do."""

    def __init__(
        self,
        client: Any,
        table_name: str,
        *,
        billing_mode: str = "PAY_PER_REQUEST",
        consistent_reads: bool = False,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._billing_mode = billing_mode
        self._consistent_reads = consistent_reads
        self._unreadable: set[str] = set()

    def create_table(self) -> bool:
        """Raises LeaseTableOfAnotherShape when the name is taken by another kind of table."""
        made = False
        if self._describe() is None:
            made = self._create()
        deadline = time.monotonic() + _TABLE_WAIT_SECONDS
        while (table := self._describe()) is None or table["TableStatus"] in ("CREATING",):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"Table {self._table_name!r} is not active after {_TABLE_WAIT_SECONDS:.0f} s."
                )
            time.sleep(0.2)
        self._refuse_another_shape(table)
        return made

    def list_leases(self) -> list[Lease]:
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table_name, ConsistentRead=self._consistent_reads
        )
        read = (self._read(item) for page in pages for item in page["Items"])
        return [lease for lease in read if lease is not None]

    def get_lease(self, lease_key: str) -> Lease | None:
        answer = self._client.get_item(
            TableName=self._table_name,
            Key={"leaseKey": {"S": lease_key}},
            ConsistentRead=True,
        )
        return self._read(answer["Item"]) if "Item" in answer else None

    def create_lease(self, lease: Lease) -> bool:
        try:
            self._client.put_item(
                TableName=self._table_name,
                Item=to_item(lease),
                ConditionExpression="attribute_not_exists(leaseKey)",
            )
        except ClientError as error:
            return _refused(error, False)
        return True

    def renew_lease(self, lease: Lease, *, handing_off: bool = False) -> Lease | None:
        condition = "leaseCounter = :counter"
        if not handing_off:
            condition += " AND attribute_not_exists(checkpointOwner)"
        return self._update(
            lease.lease_key,
            "SET leaseCounter = :next",
            condition,
            {
                ":counter": _n(lease.lease_counter),
                ":next": _n(lease.lease_counter + 1),
            },
        )

    def take_lease(self, lease: Lease, owner: str) -> Lease | None:
        switched = lease.lease_owner is not None and lease.lease_owner != owner
        return self._update(
            lease.lease_key,
            "SET leaseOwner = :owner, leaseCounter = :next REMOVE checkpointOwner "
            "ADD ownerSwitchesSinceCheckpoint :switched",
            "leaseCounter = :counter",
            {
                ":owner": {"S": owner},
                ":counter": _n(lease.lease_counter),
                ":next": _n(lease.lease_counter + 1),
                ":switched": _n(int(switched)),
            },
        )

    def evict_lease(self, lease: Lease) -> bool:
        gone = "checkpointOwner" if lease.checkpoint_owner else "leaseOwner"
        condition, values = _same_owners(lease)
        update = f"REMOVE {gone} ADD leaseCounter :one"
        return (
            self._update(lease.lease_key, update, condition, values | {":one": _n(1)}) is not None
        )

    def transfer_lease(self, lease: Lease) -> bool:
        condition, values = _same_owners(lease)
        update = "REMOVE checkpointOwner ADD leaseCounter :one"
        return (
            self._update(lease.lease_key, update, condition, values | {":one": _n(1)}) is not None
        )

    def update_lease(self, lease: Lease) -> Lease | None:
        written: Item = {
            "checkpoint": {"S": lease.checkpoint.sequence_number},
            "checkpointSubSequenceNumber": _n(lease.checkpoint.sub_sequence_number),
            "ownerSwitchesSinceCheckpoint": _n(lease.owner_switches_since_checkpoint),
            "leaseCounter": _n(lease.lease_counter + 1),
        }
        pending = _pending(lease)
        written |= pending | _meta(lease.child_shard_ids, lease.hash_key_range)
        update = "SET " + ", ".join(f"{name} = :{name}" for name in written)
        if gone := [name for name in _PENDING if name not in pending]:
            update += " REMOVE " + ", ".join(gone)
        values = {f":{name}": value for name, value in written.items()}
        return self._update(
            lease.lease_key,
            update,
            "leaseCounter = :counter",
            values | {":counter": _n(lease.lease_counter)},
        )

    def update_lease_meta(
        self,
        lease_key: str,
        *,
        child_shard_ids: Iterable[str] = (),
        hash_key_range: HashKeyRange | None = None,
    ) -> bool:
        written = _meta(frozenset(child_shard_ids), hash_key_range)
        if not written:
            return True
        update = "SET " + ", ".join(f"{name} = :{name}" for name in written)
        values = {f":{name}": value for name, value in written.items()}
        # Without this condition a lease deleted meanwhile would come back as half a row.
        return self._update(lease_key, update, "attribute_exists(leaseKey)", values) is not None

    def delete_lease(self, lease_key: str) -> None:
        self._client.delete_item(TableName=self._table_name, Key={"leaseKey": {"S": lease_key}})

    def _update(self, lease_key: str, update: str, condition: str, values: Item) -> Lease | None:
        try:
            answer = self._client.update_item(
                TableName=self._table_name,
                Key={"leaseKey": {"S": lease_key}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            return _refused(error, None)
        return from_item(answer["Attributes"])

    def _read(self, item: Mapping[str, Mapping[str, Any]]) -> Lease | None:
        try:
            return from_item(item)
        except (KeyError, ValueError) as error:
            key = str(item.get("leaseKey"))
            if key not in self._unreadable:
                self._unreadable.add(key)
                log.warning(
                    "Row %s of lease table %r is no readable lease (%s: %s); it is left alone.",
                    key, self._table_name, type(error).__name__, error,
                )  # fmt: skip
            return None

    def _describe(self) -> dict[str, Any] | None:
        try:
            table: dict[str, Any] = self._client.describe_table(TableName=self._table_name)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return table

    def _create(self) -> bool:
        provisioned = {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10}
        capacity: dict[str, Any] = {"BillingMode": self._billing_mode}
        if self._billing_mode == "PROVISIONED":
            capacity["ProvisionedThroughput"] = provisioned
        try:
            self._client.create_table(
                TableName=self._table_name,
                AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
                **capacity,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceInUseException":
                return False  # another worker was quicker
            raise
        return True

    def _refuse_another_shape(self, table: Mapping[str, Any]) -> None:
        keys = [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]]
        types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
        if keys != [("leaseKey", "HASH")] or types.get("leaseKey") != "S":
            raise LeaseTableOfAnotherShape(
                f"Table {self._table_name!r} has the key {keys}, but a lease table's only key is "
                "leaseKey (string): the application's name is its lease table's name. "
                "Choose another application name."
            )


_PENDING = ("pendingCheckpoint", "pendingCheckpointSubSequenceNumber", "pendingCheckpointState")


def _pending(lease: Lease) -> Item:
    if lease.pending_checkpoint is None:
        return {}
    pending: Item = {
        "pendingCheckpoint": {"S": lease.pending_checkpoint.sequence_number},
        "pendingCheckpointSubSequenceNumber": _n(lease.pending_checkpoint.sub_sequence_number),
    }
    if lease.pending_checkpoint_state:
        pending["pendingCheckpointState"] = {"B": lease.pending_checkpoint_state}
    return pending


def _meta(child_shard_ids: Iterable[str], hash_key_range: HashKeyRange | None) -> Item:
    meta: Item = {}
    if children := sorted(child_shard_ids):
        meta["childShardIds"] = {"SS": children}
    if hash_key_range is not None:
        meta["startingHashKey"] = {"S": str(hash_key_range.starting_hash_key)}
        meta["endingHashKey"] = {"S": str(hash_key_range.ending_hash_key)}
    return meta


def _same_owners(lease: Lease) -> tuple[str, Item]:
    clauses, values = ["attribute_exists(leaseKey)"], {}
    owners = (("leaseOwner", lease.lease_owner), ("checkpointOwner", lease.checkpoint_owner))
    for name, owner in owners:
        if owner is None:
            clauses.append(f"attribute_not_exists({name})")
        else:
            clauses.append(f"{name} = :{name}")
            values[f":{name}"] = {"S": owner}
    return " AND ".join(clauses), values


def _n(number: int) -> dict[str, str]:
    return {"N": str(number)}


def _number(item: Mapping[str, Mapping[str, Any]], name: str) -> int:
    return int(item[name]["N"]) if name in item else 0


def _bytes(attribute: Mapping[str, Any]) -> bytes | None:
    found = attribute.get("B")
    return None if found is None else bytes(found)


def _refused[T](error: ClientError, answer: T) -> T:
    if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
        return answer
    raise error
