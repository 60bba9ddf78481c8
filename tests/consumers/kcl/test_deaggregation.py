"""User records out of Kinesis records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aws_kinesis_agg.aggregator
from hypothesis import given
from hypothesis import strategies as st

from consumers.kcl.deaggregation import to_client_records
from consumers.kcl.extended_sequence_number import TRIM_HORIZON, ExtendedSequenceNumber
from consumers.kcl.shard import LAST_HASH_KEY, HashKeyRange
from services.kinesis.aggregation import AggregatedUserRecord, pack

ALL = HashKeyRange(0, LAST_HASH_KEY)
START = ExtendedSequenceNumber(TRIM_HORIZON)


def kinesis_record(data: bytes, number: int = 7) -> Mapping[str, Any]:
    return {
        "SequenceNumber": str(number),
        "PartitionKey": "outer",
        "Data": data,
        "ApproximateArrivalTimestamp": datetime(2026, 7, 1, tzinfo=UTC),
    }


def packed(*hash_keys: int) -> bytes:
    return pack(
        AggregatedUserRecord(f"key-{i}", b"data-%d" % i, str(hash_key))
        for i, hash_key in enumerate(hash_keys)
    )


def test_a_plain_record_has_sub_sequence_number_zero() -> None:
    (record,) = to_client_records([kinesis_record(b"plain")], ALL, START)
    assert (record.sub_sequence_number, record.aggregated, record.data) == (0, False, b"plain")


def test_user_records_take_place_number_and_arrival_from_their_kinesis_record() -> None:
    outer = kinesis_record(packed(1, 2, 3))
    records = to_client_records([outer], ALL, START)
    assert [str(record.position) for record in records] == ["7", "7-1", "7-2"]
    assert {record.approximate_arrival_timestamp for record in records} == {
        outer["ApproximateArrivalTimestamp"]
    }
    assert [record.explicit_hash_key for record in records] == ["1", "2", "3"]


def test_one_user_record_outside_the_shard_drops_its_whole_aggregate_and_nothing_else() -> None:
    records = to_client_records(
        [kinesis_record(packed(1, 2), 7), kinesis_record(packed(1, 200), 8)],
        HashKeyRange(0, 99),
        START,
    )
    assert [record.sequence_number for record in records] == ["7", "7"]


def test_a_checkpoint_inside_an_aggregate_leaves_its_later_user_records() -> None:
    records = to_client_records(
        [kinesis_record(packed(1, 2, 3), 7), kinesis_record(b"next", 8)],
        ALL,
        ExtendedSequenceNumber("7", 1),
    )
    assert [str(record.position) for record in records] == ["7-2", "8"]


def test_a_broken_aggregate_is_an_ordinary_record() -> None:
    data = packed(1, 2)[:-1] + b"?"
    (record,) = to_client_records([kinesis_record(data)], ALL, START)
    assert record.data == data


@given(st.lists(st.tuples(st.text(min_size=1, max_size=20), st.binary(max_size=200)), min_size=1))
def test_what_amazons_python_aggregator_packs_is_unpacked_as_it_was(
    users: list[tuple[str, bytes]],
) -> None:
    aggregator = aws_kinesis_agg.aggregator.RecordAggregator()
    for key, data in users:
        assert aggregator.add_user_record(key, data) is None
    _, _, data = aggregator.clear_and_get().get_contents()
    records = to_client_records([kinesis_record(data)], ALL, START)
    assert [(record.partition_key, record.data) for record in records] == users
