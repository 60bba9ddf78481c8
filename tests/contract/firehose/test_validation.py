"""Contract: the combinations that CreateDeliveryStream refuses, in AWS's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.firehose.conftest import ROLE, Firehose
from tests.services.firehose.test_validation import (
    CONVERSION,
    LAMBDA,
    METADATA,
    PARTITIONED,
    processing,
    processor,
)

Refused = Callable[..., dict[str, str]]
ERRORS = "errors/!{firehose:error-output-type}/"
#: What to add to a plain destination, and AWS's message (its part that is published).
CASES: list[tuple[str, dict[str, Any], str]] = [
    (
        "expressions-without-error-prefix",
        {"Prefix": "a/!{timestamp:yyyy}/"},
        "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions",
    ),
    (
        "error-prefix-without-type",
        {"ErrorOutputPrefix": "e/!{timestamp:yyyy}/"},
        "ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}",
    ),
    (
        "error-type-in-prefix",
        {"Prefix": "!{firehose:error-output-type}/", "ErrorOutputPrefix": ERRORS},
        "Prefix must not contain any occurrence of !{firehose:error-output-type}",
    ),
    ("unclosed-expression", {"Prefix": "!{timestamp:yyyy"}, "Invalid expression usage"),
    (
        "unknown-namespace",
        {"ErrorOutputPrefix": "!{time:yyyy}"},
        "Namespace to the left of colon (time) is an invalid keyword!",
    ),
    (
        "prefix-too-long",
        {"Prefix": "x" * 513},
        "Length of evaluated prefix cannot be greater than 512",
    ),
    (
        "keys-without-partitioning",
        {"Prefix": PARTITIONED["Prefix"], "ErrorOutputPrefix": ERRORS},
        "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic "
        "Partitioning is enabled.",
    ),
    (
        "partitions-without-keys",
        {**PARTITIONED, "Prefix": "a/"},
        "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is "
        "enabled",
    ),
    (
        "partitions-in-small-buffers",
        {**PARTITIONED, "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60}},
        "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.",
    ),
    (
        "metadata-without-partitioning",
        {"ProcessingConfiguration": processing(METADATA)},
        "can only be present when Dynamic Partitioning is enabled.",
    ),
    (
        "no-processor",
        {"ProcessingConfiguration": processing()},
        "A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is "
        "enabled.",
    ),
    (
        "two-transforms",
        {"ProcessingConfiguration": processing(LAMBDA, LAMBDA)},
        "Cannot have more than 1 Lambda processor.",
    ),
    (
        "transform-without-function",
        {"ProcessingConfiguration": processing(processor("Lambda"))},
        "LambdaArn is required when Lambda processor is used.",
    ),
    (
        "conversion-with-compression",
        {"DataFormatConversionConfiguration": CONVERSION, "CompressionFormat": "GZIP"},
        "The S3 destination's compression format must be set to UNCOMPRESSED when data format "
        "conversion is enabled",
    ),
    (
        "conversion-in-small-buffers",
        {
            "DataFormatConversionConfiguration": CONVERSION,
            "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60},
        },
        "BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled.",
    ),
    (
        "backup-without-bucket",
        {"S3BackupMode": "Enabled"},
        "S3 backup destination configuration is required when enabling S3 backup.",
    ),
]


@pytest.mark.parametrize(
    ("content", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_combination_is_refused(
    firehose: Firehose, refused: Refused, content: dict[str, Any], message: str
) -> None:
    error = refused(
        firehose.client.create_delivery_stream,
        DeliveryStreamName=firehose.name(),
        ExtendedS3DestinationConfiguration={**firehose.destination, **content},
    )
    assert error["Code"] == "InvalidArgumentException"
    assert message in error["Message"]


def test_one_buffering_hint_needs_the_other(firehose: Firehose, refused: Refused) -> None:
    for hints in ({"SizeInMBs": 5}, {"IntervalInSeconds": 60}):
        error = refused(
            firehose.client.create_delivery_stream,
            DeliveryStreamName=firehose.name(),
            ExtendedS3DestinationConfiguration={**firehose.destination, "BufferingHints": hints},
        )
        assert error["Code"] == "InvalidArgumentException"


def test_exactly_one_destination_is_named(firehose: Firehose, refused: Refused) -> None:
    both = {
        "S3DestinationConfiguration": firehose.destination,
        "ExtendedS3DestinationConfiguration": firehose.destination,
    }
    for destinations in ({}, both):
        error = refused(
            firehose.client.create_delivery_stream,
            DeliveryStreamName=firehose.name(),
            **destinations,
        )
        assert error["Code"] == "InvalidArgumentException"


def test_a_kinesis_source_has_to_be_named(firehose: Firehose, refused: Refused) -> None:
    error = refused(
        firehose.client.create_delivery_stream,
        DeliveryStreamName=firehose.name(),
        DeliveryStreamType="KinesisStreamAsSource",
        ExtendedS3DestinationConfiguration=firehose.destination,
    )
    assert error["Code"] == "InvalidArgumentException"
    assert "KinesisSourceStreamConfig is mandatory" in error["Message"]


def test_a_search_destination_needs_an_address(firehose: Firehose, refused: Refused) -> None:
    error = refused(
        firehose.client.create_delivery_stream,
        DeliveryStreamName=firehose.name(),
        AmazonopensearchserviceDestinationConfiguration={
            "RoleARN": ROLE,
            "IndexName": "i",
            "S3Configuration": firehose.destination,
        },
    )
    assert error["Code"] == "InvalidArgumentException"
    assert "Provide either the Elasticsearch cluster endpoint or domain arn." in error["Message"]


@pytest.mark.parametrize(
    ("request_content", "parts"),
    [
        (
            {"DeliveryStreamName": "a b"},
            ("'a b' at 'deliveryStreamName'", "regular expression pattern: [a-zA-Z0-9_.-]+"),
        ),
        (
            {"DeliveryStreamName": "a" * 65},
            ("at 'deliveryStreamName'", "length less than or equal to 64"),
        ),
        (
            {"BufferingHints": {"SizeInMBs": 129, "IntervalInSeconds": 60}},
            ("'129' at", "bufferingHints.sizeInMBs'", "value less than or equal to 128"),
        ),
        (
            {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 901}},
            ("'901' at", "bufferingHints.intervalInSeconds'", "value less than or equal to 900"),
        ),
        ({"CompressionFormat": "gzip"}, ("'gzip' at", "enum value set: ")),
        ({"RoleARN": None}, ("roleARN'", "Member must not be null")),
    ],
)
def test_the_model_s_constraints_are_told(
    firehose: Firehose, refused: Refused, request_content: dict[str, Any], parts: tuple[str, ...]
) -> None:
    content = dict(request_content)
    name = content.pop("DeliveryStreamName", firehose.name())
    merged = {**firehose.destination, **content}
    error = refused(
        firehose.client.create_delivery_stream,
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={k: v for k, v in merged.items() if v is not None},
    )
    assert error["Code"] == "ValidationException"
    for part in parts:
        assert part in error["Message"]
