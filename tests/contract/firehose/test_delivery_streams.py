"""Contract: making, describing, changing, tagging, deleting delivery streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.contract.firehose.conftest import Firehose
from tests.services.firehose.lake import processing, processor

DESTINATION_ID = "destinationId-000000000001"
Refused = Callable[..., dict[str, str]]


def test_a_new_delivery_stream_is_described_with_its_defaults(firehose: Firehose) -> None:
    name = firehose.create_with(ExtendedS3DestinationConfiguration=firehose.destination)
    described = firehose.describe(name)
    assert described["DeliveryStreamARN"].endswith(f":deliverystream/{name}")
    assert described["DeliveryStreamType"] == "DirectPut"
    assert described["VersionId"] == "1"
    assert described["HasMoreDestinations"] is False
    assert "CreateTimestamp" in described
    (destination,) = described["Destinations"]
    assert destination["DestinationId"] == DESTINATION_ID
    content = destination["ExtendedS3DestinationDescription"]
    assert content["BufferingHints"] == {"SizeInMBs": 5, "IntervalInSeconds": 300}
    assert content["CompressionFormat"] == "UNCOMPRESSED"
    assert content["EncryptionConfiguration"] == {"NoEncryptionConfig": "NoEncryption"}
    assert content["S3BackupMode"] == "Disabled"


def test_an_s3_destination_is_described_under_both_its_names(firehose: Firehose) -> None:
    name = firehose.create_with(S3DestinationConfiguration=firehose.destination)
    (destination,) = firehose.describe(name)["Destinations"]
    for member in ("S3DestinationDescription", "ExtendedS3DestinationDescription"):
        assert destination[member]["BucketARN"] == firehose.destination["BucketARN"]


def test_a_name_is_taken_once(firehose: Firehose, refused: Refused) -> None:
    name = firehose.create()
    error = refused(
        firehose.client.create_delivery_stream,
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration=firehose.destination,
    )
    assert error["Code"] == "ResourceInUseException"
    assert error["Message"].startswith(f"Firehose {name} under accountId ")
    assert error["Message"].endswith(" already exists")


def test_what_is_not_there_is_not_found(firehose: Firehose, refused: Refused) -> None:
    name = firehose.name()
    for call, request in (
        (firehose.client.describe_delivery_stream, {}),
        (firehose.client.delete_delivery_stream, {}),
        (firehose.client.put_record, {"Record": {"Data": b"x"}}),
        (firehose.client.put_record_batch, {"Records": [{"Data": b"x"}]}),
        (firehose.client.list_tags_for_delivery_stream, {}),
    ):
        error = refused(call, DeliveryStreamName=name, **request)
        assert error["Code"] == "ResourceNotFoundException"
        assert error["Message"].startswith(f"Firehose {name} under account ")
        assert error["Message"].endswith(" not found.")


def test_names_are_listed_in_order_and_page_by_page(firehose: Firehose) -> None:
    made = sorted(firehose.create() for _ in range(3))
    first = firehose.client.list_delivery_streams(
        Limit=2, ExclusiveStartDeliveryStreamName=made[0][:-1]
    )
    assert first["DeliveryStreamNames"][0] == made[0]
    after = firehose.client.list_delivery_streams(Limit=1, ExclusiveStartDeliveryStreamName=made[0])
    assert len(after["DeliveryStreamNames"]) == 1
    assert after["DeliveryStreamNames"][0] > made[0]
    kinesis = firehose.client.list_delivery_streams(DeliveryStreamType="KinesisStreamAsSource")
    assert not set(made) & set(kinesis["DeliveryStreamNames"])


def update(firehose: Firehose, name: str, version: str, **changes: Any) -> dict[str, Any]:
    return {
        "DeliveryStreamName": name,
        "CurrentDeliveryStreamVersionId": version,
        "DestinationId": DESTINATION_ID,
        "ExtendedS3DestinationUpdate": changes,
    }


def test_an_update_changes_what_it_names_and_counts_a_version(firehose: Firehose) -> None:
    name = firehose.create(Prefix="a/", CompressionFormat="GZIP", interval=300)
    firehose.client.update_destination(**update(firehose, name, "1", Prefix="b/"))
    described = firehose.describe(name)
    assert described["VersionId"] == "2"
    assert "LastUpdateTimestamp" in described
    content = described["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert (content["Prefix"], content["CompressionFormat"]) == ("b/", "GZIP")
    assert content["BufferingHints"]["IntervalInSeconds"] == 300


def test_an_update_of_another_version_is_refused(firehose: Firehose, refused: Refused) -> None:
    name = firehose.create()
    error = refused(firehose.client.update_destination, **update(firehose, name, "7", Prefix="b/"))
    assert error["Code"] == "ConcurrentModificationException"


def test_an_update_of_another_destination_is_refused(firehose: Firehose, refused: Refused) -> None:
    name = firehose.create()
    request = update(firehose, name, "1", Prefix="b/") | {"DestinationId": "other"}
    error = refused(firehose.client.update_destination, **request)
    assert error["Code"] == "InvalidArgumentException"


def test_an_update_is_checked_like_a_new_stream(firehose: Firehose, refused: Refused) -> None:
    name = firehose.create()
    request = update(firehose, name, "1", Prefix="!{timestamp:yyyy}/")
    error = refused(firehose.client.update_destination, **request)
    assert error["Code"] == "InvalidArgumentException"
    assert "ErrorOutputPrefix cannot be null or empty" in error["Message"]


def test_tags_are_set_replaced_paged_and_removed(firehose: Firehose) -> None:
    client = firehose.client
    name = firehose.create_with(
        ExtendedS3DestinationConfiguration=firehose.destination,
        Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
    )
    client.tag_delivery_stream(DeliveryStreamName=name, Tags=[{"Key": "b", "Value": "3"}])
    listed = client.list_tags_for_delivery_stream(DeliveryStreamName=name)
    assert listed["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "3"}]
    assert listed["HasMoreTags"] is False
    page = client.list_tags_for_delivery_stream(DeliveryStreamName=name, Limit=1)
    assert ([tag["Key"] for tag in page["Tags"]], page["HasMoreTags"]) == (["a"], True)
    client.untag_delivery_stream(DeliveryStreamName=name, TagKeys=["a", "never"])
    rest = client.list_tags_for_delivery_stream(DeliveryStreamName=name, ExclusiveStartTagKey="a")
    assert [tag["Key"] for tag in rest["Tags"]] == ["b"]


def test_encryption_is_switched_on_and_off(firehose: Firehose) -> None:
    name = firehose.create()
    client = firehose.client

    def status() -> str:
        found: str = firehose.describe(name)["DeliveryStreamEncryptionConfiguration"]["Status"]
        return found

    assert status() == "DISABLED"
    client.start_delivery_stream_encryption(
        DeliveryStreamName=name,
        DeliveryStreamEncryptionConfigurationInput={"KeyType": "AWS_OWNED_CMK"},
    )
    assert status() in ("ENABLING", "ENABLED")
    client.stop_delivery_stream_encryption(DeliveryStreamName=name)
    assert status() in ("DISABLING", "DISABLED")


def test_partitioning_is_not_switched_on_by_an_update(firehose: Firehose, refused: Refused) -> None:
    name = firehose.create(interval=300, size=64)
    error = refused(
        firehose.client.update_destination,
        DeliveryStreamName=name,
        CurrentDeliveryStreamVersionId="1",
        DestinationId=firehose.describe(name)["Destinations"][0]["DestinationId"],
        ExtendedS3DestinationUpdate={
            "Prefix": "!{partitionKeyFromQuery:k}/",
            "ErrorOutputPrefix": "errors/",
            "DynamicPartitioningConfiguration": {"Enabled": True},
            "ProcessingConfiguration": processing(
                processor(
                    "MetadataExtraction",
                    MetadataExtractionQuery="{k: .k}",
                    JsonParsingEngine="JQ-1.6",
                )
            ),
        },
    )
    assert error["Code"] == "InvalidArgumentException"


def test_a_backup_is_switched_on_by_an_update_but_not_off(
    firehose: Firehose, refused: Refused
) -> None:
    name = firehose.create(interval=300)
    (described,) = firehose.describe(name)["Destinations"]
    place = {"DeliveryStreamName": name, "DestinationId": described["DestinationId"]}
    firehose.client.update_destination(
        **place,
        CurrentDeliveryStreamVersionId="1",
        ExtendedS3DestinationUpdate={
            "S3BackupMode": "Enabled",
            "S3BackupUpdate": {**firehose.destination, "Prefix": "backup/"},
        },
    )
    (described,) = firehose.describe(name)["Destinations"]
    assert described["ExtendedS3DestinationDescription"]["S3BackupMode"] == "Enabled"
    error = refused(
        firehose.client.update_destination,
        **place,
        CurrentDeliveryStreamVersionId="2",
        ExtendedS3DestinationUpdate={"S3BackupMode": "Disabled"},
    )
    assert error["Code"] == "InvalidArgumentException"
