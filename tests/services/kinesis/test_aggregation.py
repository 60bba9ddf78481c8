from __future__ import annotations

import base64
import hashlib
import warnings
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kinesis.aggregation import (
    MAGIC,
    Aggregate,
    AggregatedUserRecord,
    all_belong,
    pack,
    unpack,
)

LARGEST = 2**128 - 1

partition_keys = st.text(min_size=1, max_size=40)
hash_keys = st.none() | st.integers(0, LARGEST).map(str)
tags = st.lists(st.tuples(st.text(max_size=5), st.none() | st.text(max_size=5)), max_size=2)
user_records = st.builds(
    AggregatedUserRecord,
    partition_keys | st.sampled_from("abc"),
    st.binary(max_size=200) | st.just(b"z" * 20_000),
    hash_keys,
    tags.map(tuple),
)


@pytest.fixture(scope="module")
def amazons() -> ModuleType:
    """The aggregator and deaggregator that Amazon publishes for Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import aws_kinesis_agg.aggregator
        import aws_kinesis_agg.deaggregator
    module: ModuleType = aws_kinesis_agg
    return module


@given(st.lists(user_records, min_size=1, max_size=30))
def test_what_is_packed_is_unpacked_and_its_size_was_known(
    records: list[AggregatedUserRecord],
) -> None:
    aggregate = Aggregate()
    for record in records:
        before, fits = aggregate.pack(), len(pack([*records[: len(aggregate)], record]))
        assert not aggregate.add(record, max_size=fits - 1)
        assert aggregate.pack() == before
        assert aggregate.add(record, max_size=fits)
        assert aggregate.size == fits
    data = aggregate.pack()
    assert len(data) == aggregate.size
    assert unpack(data) == records
    assert data == pack(records)


@given(st.binary(max_size=80))
def test_any_bytes_behind_the_magic_with_a_right_digest_are_read_or_ordinary(body: bytes) -> None:
    records = unpack(MAGIC + body + hashlib.md5(body).digest())
    assert records is None or all(isinstance(r.data, bytes) for r in records)


@given(st.lists(user_records, min_size=1, max_size=5), st.data())
def test_a_changed_byte_makes_an_ordinary_record(
    records: list[AggregatedUserRecord], data: st.DataObject
) -> None:
    packed = bytearray(pack(records))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= 0x41
    assert unpack(bytes(packed)) is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"hello", "no magic"),
        (MAGIC + b"\x00" * 16, "nothing between magic and digest"),
    ],
)
def test_what_is_no_aggregate_is_an_ordinary_record(data: bytes, why: str) -> None:
    assert unpack(data) is None, why


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"\x1a\x04\x08\x00\x1a\x00", "partition key index past the table"),
        (b"\x0a\x01a\x1a\x02\x08\x00", "no data"),
        (b"\x0a\x01a\x1a\x02\x1a\x00", "no partition key"),
        (b"\x0a\x01a\x1a\x06\x08\x00\x10\x00\x1a\x00", "hash key index past the table"),
        (b"\x0a\x01a\x12\x01x\x1a\x06\x08\x00\x10\x00\x1a\x00", "hash key that is no number"),
        (b"\x0a\x7fa", "field past the end"),
        (b"\x0b", "a wire type that protobuf 2 calls a group"),
        (b"\x0a\x02\xff\xfe", "partition key that is no UTF-8"),
    ],
)
def test_a_message_that_cannot_be_read_is_an_ordinary_record(message: bytes, why: str) -> None:
    assert unpack(MAGIC + message + hashlib.md5(message).digest()) is None, why


def test_unknown_fields_are_passed_over() -> None:
    message = b"\x0a\x01a\x28\x01\x31" + bytes(8) + b"\x1a\x05\x08\x00\x1a\x01x"
    records = unpack(MAGIC + message + hashlib.md5(message).digest())
    assert records == [AggregatedUserRecord("a", b"x")]


def test_the_bytes_are_those_of_the_published_format() -> None:
    message = b"\x0a\x01a\x12\x0142"[:3] + b"\x12\x0242" + b"\x1a\x07\x08\x00\x10\x00\x1a\x01x"
    record = AggregatedUserRecord("a", b"x", "42")
    assert pack([record]) == MAGIC + message + hashlib.md5(message).digest()


def test_one_record_outside_the_shard_means_that_not_all_belong() -> None:
    inside, outside = (AggregatedUserRecord("k", b"", h) for h in ("10", "21"))
    assert all_belong([inside], 10, 20)
    assert not all_belong([inside, outside], 10, 20)


def test_without_an_explicit_hash_key_the_md5_of_the_partition_key_decides() -> None:
    expected = int(hashlib.md5("ключ".encode()).hexdigest(), 16)
    assert AggregatedUserRecord("ключ", b"").hash_key == expected


def test_amazons_python_deaggregator_reads_what_we_pack(amazons: ModuleType) -> None:
    records = [AggregatedUserRecord(f"key-{n % 3}", b"data-%d" % n, str(n)) for n in range(300)]
    kinesis_record = {
        "kinesis": {
            "data": base64.b64encode(pack(records)).decode(),
            "partitionKey": "a",
            "sequenceNumber": "49",
            "kinesisSchemaVersion": "1.0",
            "approximateArrivalTimestamp": 0.0,
        },
        "eventID": "",
        "eventSource": "aws:kinesis",
    }
    read = amazons.deaggregator.deaggregate_records([kinesis_record])
    assert [base64.b64decode(r["kinesis"]["data"]) for r in read] == [r.data for r in records]
    assert [r["kinesis"]["partitionKey"] for r in read] == [r.partition_key for r in records]
    assert [r["kinesis"]["explicitHashKey"] for r in read] == [r.explicit_hash_key for r in records]


def test_we_read_what_amazons_python_aggregator_packs(amazons: ModuleType) -> None:
    aggregator = amazons.aggregator.RecordAggregator()
    records = [AggregatedUserRecord(f"key-{n % 3}", b"data-%d" % n, str(n)) for n in range(300)]
    for record in records:
        aggregator.add_user_record(record.partition_key, record.data, record.explicit_hash_key)
    partition_key, hash_key, data = aggregator.clear_and_get().get_contents()
    assert unpack(data) == records
    assert (partition_key, hash_key) == ("key-0", "0")
