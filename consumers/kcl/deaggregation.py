"""From Kinesis records to user records: unpack what the KPL packed, drop what was processed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.kcl.record_processor import KinesisClientRecord
from consumers.kcl.shard import HashKeyRange


def to_client_records(
    records: Sequence[Mapping[str, Any]],
    hash_key_range: HashKeyRange | None,
    checkpoint: ExtendedSequenceNumber,
) -> Sequence[KinesisClientRecord]:
    """User records after `checkpoint`, from records in boto3's shape."""
    unpacked = [
        KinesisClientRecord(
            record["SequenceNumber"],
            0,
            record["PartitionKey"],
            record["Data"],
            record["ApproximateArrivalTimestamp"],
        )
        for record in records
    ]
    return after_checkpoint(unpacked, checkpoint)


def after_checkpoint(
    records: Sequence[KinesisClientRecord], checkpoint: ExtendedSequenceNumber
) -> Sequence[KinesisClientRecord]:
    """Without the first ones at or before the checkpoint: a restart reads AT the checkpointed
    Kinesis record, because it may hold user records still to be processed."""
    if checkpoint.is_sentinel:
        return records
    done = 0
    while done < len(records) and records[done].position <= checkpoint:
        done += 1
    return records[done:] if done else records
