"""From Kinesis records to user records: unpack what the KPL packed, drop what was processed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.kcl.record_processor import KinesisClientRecord
from consumers.kcl.shard import HashKeyRange
from services.kinesis.aggregation import MAGIC, all_belong, unpack

log = logging.getLogger(__name__)


def to_client_records(
    records: Sequence[Mapping[str, Any]],
    hash_key_range: HashKeyRange | None,
    checkpoint: ExtendedSequenceNumber,
) -> Sequence[KinesisClientRecord]:
    """User records after `checkpoint`, from records in boto3's shape.

    An aggregated record with any user record outside `hash_key_range` is left out as a whole, as
    in KCL: it was packed before a reshard, and the KPL puts its records again where they belong.
    Without a range (leases of old libraries have none) nothing is left out.
    """
    unpacked: list[KinesisClientRecord] = []
    for record in records:
        if record["Data"].startswith(MAGIC):
            unpacked += _unpack(record, hash_key_range)
        else:
            unpacked.append(_plain(record))
    return after_checkpoint(unpacked, checkpoint)


def after_checkpoint(
    records: Sequence[KinesisClientRecord], checkpoint: ExtendedSequenceNumber
) -> Sequence[KinesisClientRecord]:
    """Without the first ones at or before the checkpoint: a restart reads AT the checkpointed
    Kinesis record, because it may hold user records still to be processed."""
    if checkpoint.is_sentinel and not checkpoint.is_shard_end:
        return records
    done = 0
    while done < len(records) and records[done].position <= checkpoint:
        done += 1
    return records[done:] if done else records


def _plain(record: Mapping[str, Any]) -> KinesisClientRecord:
    return KinesisClientRecord(
        record["SequenceNumber"],
        0,
        record["PartitionKey"],
        record["Data"],
        record["ApproximateArrivalTimestamp"],
    )


def _unpack(
    record: Mapping[str, Any], hash_key_range: HashKeyRange | None
) -> list[KinesisClientRecord]:
    packed = unpack(record["Data"])
    if packed is None:
        return [_plain(record)]
    if hash_key_range is not None and not all_belong(packed, *hash_key_range):
        log.warning(
            "Aggregated record %s is left out: it was packed for another shard's hash keys, "
            "and its producer puts it again.", record["SequenceNumber"],
        )  # fmt: skip
        return []
    return [
        KinesisClientRecord(
            record["SequenceNumber"],
            place,
            user_record.partition_key,
            user_record.data,
            record["ApproximateArrivalTimestamp"],
            user_record.explicit_hash_key,
            True,
        )
        for place, user_record in enumerate(packed)
    ]
