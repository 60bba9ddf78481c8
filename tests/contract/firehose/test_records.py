"""Contract: putting records, and what is refused of them."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.firehose.conftest import ROLE, Firehose
from tests.waiting import wait_until

Refused = Callable[..., dict[str, str]]


def test_a_record_gets_an_id(firehose: Firehose) -> None:
    name = firehose.create(interval=300)
    answer = firehose.client.put_record(DeliveryStreamName=name, Record={"Data": b"x"})
    assert answer["RecordId"]
    assert answer["Encrypted"] is False


def test_every_record_of_a_batch_gets_its_own_id(firehose: Firehose) -> None:
    name = firehose.create(interval=300)
    answer = firehose.put(name, b"a", b"b", b"c")
    assert answer["FailedPutCount"] == 0
    ids = [response["RecordId"] for response in answer["RequestResponses"]]
    assert len(set(ids)) == 3


def test_an_empty_batch_is_refused(firehose: Firehose, refused: Refused) -> None:
    name = firehose.create(interval=300)
    error = refused(firehose.client.put_record_batch, DeliveryStreamName=name, Records=[])
    assert error["Code"] == "ValidationException"
    assert "greater than or equal to 1" in error["Message"]


def test_a_batch_has_at_most_five_hundred_records(firehose: Firehose, refused: Refused) -> None:
    name = firehose.create(interval=300)
    error = refused(
        firehose.client.put_record_batch, DeliveryStreamName=name, Records=[{"Data": b"x"}] * 501
    )
    assert error["Code"] == "ValidationException"
    assert "less than or equal to 500" in error["Message"]


def test_a_batch_has_at_most_four_mebibytes(firehose: Firehose, refused: Refused) -> None:
    name = firehose.create(interval=300)
    records = [{"Data": b"x" * 1_000_000}] * 5
    error = refused(firehose.client.put_record_batch, DeliveryStreamName=name, Records=records)
    assert error["Code"] == "InvalidArgumentException"
    assert "4 MB" in error["Message"]


def test_a_record_has_at_most_a_thousand_kibibytes(firehose: Firehose, refused: Refused) -> None:
    name = firehose.create(interval=300)
    error = refused(
        firehose.client.put_record, DeliveryStreamName=name, Record={"Data": b"x" * 1_024_001}
    )
    assert error["Code"] == "ValidationException"
    assert "less than or equal to 1024000" in error["Message"]


def test_a_record_without_data_is_refused(firehose: Firehose, refused: Refused) -> None:
    name = firehose.create(interval=300)
    error = refused(firehose.client.put_record, DeliveryStreamName=name, Record={})
    assert error["Code"] == "ValidationException"
    assert "Value null at 'record.data'" in error["Message"]


def test_a_delivery_stream_that_reads_from_kinesis_takes_no_puts(
    firehose: Firehose, refused: Refused
) -> None:
    kinesis = firehose.engine.client("kinesis")
    stream = firehose.name()
    kinesis.create_stream(StreamName=stream, ShardCount=1)

    def summary() -> dict[str, str]:
        answer = kinesis.describe_stream_summary(StreamName=stream)
        found: dict[str, str] = answer["StreamDescriptionSummary"]
        return found

    wait_until(lambda: summary()["StreamStatus"] == "ACTIVE", 60)
    name = firehose.create_with(
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={
            "KinesisStreamARN": summary()["StreamARN"],
            "RoleARN": ROLE,
        },
        ExtendedS3DestinationConfiguration=firehose.destination,
    )
    error = refused(
        firehose.client.put_record, DeliveryStreamName=name, Record={"Data": b"directly"}
    )
    kinesis.delete_stream(StreamName=stream)
    assert error == {
        "Code": "InvalidArgumentException",
        "Message": "This operation is not permitted on KinesisStreamAsSource delivery stream type.",
    }
