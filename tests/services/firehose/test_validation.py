"""Every combination that the create call refuses, in AWS's words."""

from __future__ import annotations

from typing import Any

import pytest

from services.firehose import configuration, constraints
from services.firehose.errors import FirehoseError, InvalidArgument

ROLE = "arn:aws:iam::000000000000:role/firehose"
BUCKET = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::lake"}
WRONG_PREFIX = "Ths supplied prefix(es) do not satisfy the following constraint: "
SCHEMA = {"RoleARN": ROLE, "DatabaseName": "db", "TableName": "t"}
CONVERSION = {
    "SchemaConfiguration": SCHEMA,
    "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
    "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
}
QUERY = "!{partitionKeyFromQuery:device}/"
FROM_LAMBDA = "!{partitionKeyFromLambda:device}/"
ERRORS = "errors/!{firehose:error-output-type}/"


def processor(kind: str, **parameters: str) -> dict[str, Any]:
    listed = [{"ParameterName": k, "ParameterValue": v} for k, v in parameters.items()]
    return {"Type": kind, "Parameters": listed}


def processing(*processors: dict[str, Any]) -> dict[str, Any]:
    return {"Enabled": True, "Processors": list(processors)}


LAMBDA = processor("Lambda", LambdaArn="arn:aws:lambda:us-east-1:000000000000:function:f")
METADATA = processor(
    "MetadataExtraction", MetadataExtractionQuery="{device: .d}", JsonParsingEngine="JQ-1.6"
)
PARTITIONED = {
    "Prefix": QUERY,
    "ErrorOutputPrefix": ERRORS,
    "DynamicPartitioningConfiguration": {"Enabled": True},
    "ProcessingConfiguration": processing(METADATA),
}


def s3(**content: Any) -> dict[str, Any]:
    return {
        "DeliveryStreamName": "s",
        "ExtendedS3DestinationConfiguration": {**BUCKET, **content},
    }


def hints(size: int | None, interval: int | None) -> dict[str, Any]:
    given = {"SizeInMBs": size, "IntervalInSeconds": interval}
    return {"BufferingHints": {k: v for k, v in given.items() if v is not None}}


def search(**content: Any) -> dict[str, Any]:
    return {
        "DeliveryStreamName": "s",
        "AmazonopensearchserviceDestinationConfiguration": {
            "RoleARN": ROLE,
            "IndexName": "i",
            "S3Configuration": BUCKET,
            **content,
        },
    }


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "no destination",
        {"DeliveryStreamName": "s"},
        "Exactly one destination configuration is supported for a Firehose",
    ),
    (
        "two destinations",
        {**s3(), "S3DestinationConfiguration": BUCKET},
        "Exactly one destination configuration is supported for a Firehose",
    ),
    (
        "expressions without an error prefix",
        s3(Prefix="a/!{timestamp:yyyy}/"),
        f"{WRONG_PREFIX}ErrorOutputPrefix cannot be null or empty when Prefix contains expressions",
    ),
    (
        "an error prefix without the error type",
        s3(ErrorOutputPrefix="e/!{timestamp:yyyy}/"),
        f"{WRONG_PREFIX}ErrorOutputPrefix must contain at least one occurrence of "
        "!{firehose:error-output-type}",
    ),
    (
        "the error type in the prefix",
        s3(Prefix="!{firehose:error-output-type}/", ErrorOutputPrefix=ERRORS),
        f"{WRONG_PREFIX}Prefix must not contain any occurrence of !{{firehose:error-output-type}}",
    ),
    (
        "an unclosed expression",
        s3(Prefix="!{timestamp:yyyy"),
        f"{WRONG_PREFIX}Invalid expression usage",
    ),
    (
        "an unknown namespace",
        s3(ErrorOutputPrefix="!{time:yyyy}"),
        f"{WRONG_PREFIX}Namespace to the left of colon (time) is an invalid keyword!",
    ),
    (
        "a letter that is none",
        s3(ErrorOutputPrefix="!{timestamp:f}"),
        f"{WRONG_PREFIX}Invalid conversion character used in the value of the expression in "
        "ErrorOutputPrefix",
    ),
    (
        "a prefix too long",
        s3(Prefix="x" * 513),
        f"{WRONG_PREFIX}Length of evaluated prefix cannot be greater than 512",
    ),
    (
        "partition keys without partitioning",
        s3(Prefix=QUERY, ErrorOutputPrefix=ERRORS),
        "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic "
        "Partitioning is enabled.",
    ),
    (
        "partition keys in the error prefix",
        s3(ErrorOutputPrefix=ERRORS + QUERY),
        "Dynamic Partitioning Namespaces can't be part of an error prefix expression",
    ),
    (
        "size without interval",
        s3(**hints(5, None)),
        "Both SizeInMBs and IntervalInSeconds are required to configure buffering hints.",
    ),
    (
        "interval without size",
        s3(**hints(None, 60)),
        "Both SizeInMBs and IntervalInSeconds are required to configure buffering hints.",
    ),
    (
        "partitioning without a processor",
        s3(**{**PARTITIONED, "ProcessingConfiguration": {"Enabled": False}}),
        "Processing Configuration is not enabled when DataPartitioning is enabled",
    ),
    (
        "partitioning without keys in the prefix",
        s3(**{**PARTITIONED, "Prefix": "a/"}),
        "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is "
        "enabled",
    ),
    (
        "keys of a transform that is not there",
        s3(**{**PARTITIONED, "Prefix": QUERY + FROM_LAMBDA}),
        "Lambda should be present when S3 Prefix contains keys from partitionKeyFromLambda "
        "namespace",
    ),
    (
        "keys of a query that is not there",
        s3(**{**PARTITIONED, "ProcessingConfiguration": processing(LAMBDA)}),
        "MetadataExtraction processor should be present when S3 Prefix has partitionKeyFromQuery "
        "namespace",
    ),
    (
        "a query with a key that the prefix has not",
        s3(
            **{
                **PARTITIONED,
                "ProcessingConfiguration": processing(
                    processor(
                        "MetadataExtraction",
                        MetadataExtractionQuery="{device: .d, other: .o}",
                        JsonParsingEngine="JQ-1.6",
                    )
                ),
            }
        ),
        "MetaDataExtraction JQ Query can't contain keys that are not present in the S3 Prefix "
        "expression",
    ),
    (
        "partitions with small buffers",
        s3(**PARTITIONED, **hints(5, 60)),
        "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.",
    ),
    (
        "partitions with short intervals",
        s3(**PARTITIONED, **hints(64, 30)),
        "BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning "
        "is enabled.",
    ),
    (
        "metadata without partitioning",
        s3(ProcessingConfiguration=processing(METADATA)),
        "class com.amazonaws.services.firehose.internal.model.MetadataExtractionProcessor can "
        "only be present when Dynamic Partitioning is enabled.",
    ),
    (
        "no processor",
        s3(ProcessingConfiguration=processing()),
        "A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is "
        "enabled.",
    ),
    (
        "two transforms",
        s3(ProcessingConfiguration=processing(LAMBDA, LAMBDA)),
        "Cannot have more than 1 Lambda processor.",
    ),
    (
        "a transform of no function",
        s3(ProcessingConfiguration=processing(processor("Lambda"))),
        "LambdaArn is required when Lambda processor is used.",
    ),
    (
        "half of a transform's buffer",
        s3(
            ProcessingConfiguration=processing(
                processor("Lambda", LambdaArn="f", BufferSizeInMBs="1")
            )
        ),
        "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering for "
        "lambda processor.",
    ),
    (
        "a transform's buffer too large",
        s3(
            ProcessingConfiguration=processing(
                processor(
                    "Lambda", LambdaArn="f", BufferSizeInMBs="4", BufferIntervalInSeconds="60"
                )
            )
        ),
        "BufferSizeInMBs for lambda processor must be between 0.2 and 3.",
    ),
    (
        "too many retries",
        s3(
            ProcessingConfiguration=processing(
                processor("Lambda", LambdaArn="f", NumberOfRetries="301")
            )
        ),
        "Number of retries for lambda must be between 0 and 300.",
    ),
    (
        "log messages of what is not decompressed",
        s3(ProcessingConfiguration=processing(processor("CloudWatchLogProcessing"))),
        "CloudWatchLogProcessingProcessor can only be enabled with DecompressionProcessor",
    ),
    (
        "conversion with compression",
        s3(DataFormatConversionConfiguration=CONVERSION, CompressionFormat="GZIP"),
        "The S3 destination's compression format must be set to UNCOMPRESSED when data format "
        "conversion is enabled",
    ),
    (
        "conversion with small buffers",
        s3(DataFormatConversionConfiguration=CONVERSION, **hints(63, 60)),
        "BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled.",
    ),
    (
        "conversion without a schema",
        s3(
            DataFormatConversionConfiguration={
                k: v for k, v in CONVERSION.items() if k != "SchemaConfiguration"
            }
        ),
        "SchemaConfiguration must not be null",
    ),
    (
        "two serializers",
        s3(
            DataFormatConversionConfiguration={
                **CONVERSION,
                "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}, "OrcSerDe": {}}},
            }
        ),
        "More than one serializer specified. Only one may be chosen.",
    ),
    (
        "no deserializer",
        s3(
            DataFormatConversionConfiguration={
                **CONVERSION,
                "InputFormatConfiguration": {"Deserializer": {}},
            }
        ),
        "Deserializer must not be null",
    ),
    (
        "backup without a bucket",
        s3(S3BackupMode="Enabled"),
        "S3 backup destination configuration is required when enabling S3 backup.",
    ),
    (
        "a time zone that is none",
        s3(CustomTimeZone="Mars/Olympus"),
        "CustomTimeZone Mars/Olympus is not a supported time zone.",
    ),
    (
        "a Kinesis source that is not named",
        {**s3(), "DeliveryStreamType": "KinesisStreamAsSource"},
        "KinesisSourceStreamConfig is mandatory for KinesisStreamAsSource stream type.",
    ),
    (
        "encryption of a Kinesis source",
        {
            **s3(),
            "DeliveryStreamType": "KinesisStreamAsSource",
            "KinesisStreamSourceConfiguration": {"KinesisStreamARN": "a", "RoleARN": ROLE},
            "DeliveryStreamEncryptionConfigurationInput": {"KeyType": "AWS_OWNED_CMK"},
        },
        "Server side encryption from firehose is only allowed for direct put delivery streams and "
        "database as a source delivery streams",
    ),
    (
        "a customer's key that is not named",
        {**s3(), "DeliveryStreamEncryptionConfigurationInput": {"KeyType": "CUSTOMER_MANAGED_CMK"}},
        "KeyARN has to be specified when KeyType is CUSTOMER_MANAGED_CMK",
    ),
    (
        "no search endpoint",
        search(),
        "Provide either the Elasticsearch cluster endpoint or domain arn.",
    ),
    (
        "two search endpoints",
        search(DomainARN="arn:aws:es:us-east-1:000000000000:domain/d", ClusterEndpoint="https://x"),
        "Cannot provide both Elasticsearch cluster endpoint and domain ARN. Provide either the "
        "cluster endpoint or domain arn.",
    ),
    (
        "a type in OpenSearch",
        search(ClusterEndpoint="https://x", TypeName="doc"),
        "Types are deprecated in Elasticsearch version 7+ and all OpenSearch versions. TypeName "
        "must be empty.",
    ),
    (
        "an attribute twice",
        {
            "DeliveryStreamName": "s",
            "HttpEndpointDestinationConfiguration": {
                "EndpointConfiguration": {"Url": "https://x"},
                "S3Configuration": BUCKET,
                "RequestConfiguration": {
                    "CommonAttributes": [{"AttributeName": "a", "AttributeValue": "1"}] * 2
                },
            },
        },
        "Http Endpoint Common Attributes have duplicate name a",
    ),
]


@pytest.mark.parametrize(
    ("request_content", "message"),
    [case[1:] for case in REFUSED],
    ids=[case[0].replace(" ", "-") for case in REFUSED],
)
def test_the_create_call_refuses(request_content: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        configuration.create(request_content)
    assert refused.value.message == message


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"Prefix": "plain/"},
        {"Prefix": "a/!{timestamp:yyyy}/", "ErrorOutputPrefix": ERRORS},
        PARTITIONED,
        {"DataFormatConversionConfiguration": CONVERSION},
        {"S3BackupMode": "Enabled", "S3BackupConfiguration": BUCKET},
        {"ProcessingConfiguration": processing(LAMBDA)},
        {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}},
    ],
)
def test_the_create_call_accepts(content: dict[str, Any]) -> None:
    created = configuration.create(s3(**content))
    assert configuration.from_stored(created.stored()) == created


def test_defaults_are_aws_s() -> None:
    created = configuration.create(s3())
    assert created.content["BufferingHints"] == {"SizeInMBs": 5, "IntervalInSeconds": 300}
    assert created.content["CompressionFormat"] == "UNCOMPRESSED"
    assert created.content["S3BackupMode"] == "Disabled"
    converting = configuration.create(s3(DataFormatConversionConfiguration=CONVERSION))
    assert converting.converts
    assert converting.content["BufferingHints"]["SizeInMBs"] == 128


def test_partitioning_is_not_switched_on_by_an_update() -> None:
    current = configuration.create(s3())
    with pytest.raises(InvalidArgument, match="only be enabled when a delivery stream is created"):
        configuration.update(
            current,
            {
                "DestinationId": configuration.DESTINATION_ID,
                "ExtendedS3DestinationUpdate": PARTITIONED,
            },
        )


def test_an_update_keeps_what_it_does_not_name() -> None:
    current = configuration.create(s3(Prefix="a/", CompressionFormat="GZIP"))
    changed = configuration.update(
        current,
        {
            "DestinationId": configuration.DESTINATION_ID,
            "ExtendedS3DestinationUpdate": {"Prefix": "b/"},
        },
    )
    assert (changed.content["Prefix"], changed.content["CompressionFormat"]) == ("b/", "GZIP")
    assert changed.version_id == 2


def test_a_destination_stays_of_its_kind() -> None:
    current = configuration.create(search(ClusterEndpoint="https://x"))
    with pytest.raises(InvalidArgument) as refused:
        configuration.update(
            current,
            {
                "DestinationId": configuration.DESTINATION_ID,
                "ExtendedS3DestinationUpdate": {"Prefix": "b/"},
            },
        )
    assert refused.value.message == (
        "Changing the destination type to or from ExtendedS3 is not supported at this time."
    )


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (
            {"DeliveryStreamName": "with space"},
            "ValidationException",
            "1 validation error detected: Value 'with space' at 'deliveryStreamName' failed to "
            "satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
        (
            {},
            "ValidationException",
            "1 validation error detected: Value null at 'deliveryStreamName' failed to satisfy "
            "constraint: Member must not be null",
        ),
        (
            s3(BufferingHints={"SizeInMBs": 129, "IntervalInSeconds": 901}),
            "ValidationException",
            "2 validation errors detected: Value '129' at 'extendedS3DestinationConfiguration."
            "bufferingHints.sizeInMBs' failed to satisfy constraint: Member must have value less "
            "than or equal to 128; Value '901' at 'extendedS3DestinationConfiguration."
            "bufferingHints.intervalInSeconds' failed to satisfy constraint: Member must have "
            "value less than or equal to 900",
        ),
        (
            s3(CompressionFormat="gzip"),
            "ValidationException",
            "1 validation error detected: Value 'gzip' at 'extendedS3DestinationConfiguration."
            "compressionFormat' failed to satisfy constraint: Member must satisfy enum value set: "
            "[UNCOMPRESSED, GZIP, ZIP, Snappy, HADOOP_SNAPPY]",
        ),
        (
            {"DeliveryStreamName": 7},
            "SerializationException",
            "int can not be converted to string",
        ),
    ],
)
def test_the_model_s_constraints_are_told_in_aws_s_words(
    content: dict[str, Any], code: str, message: str
) -> None:
    with pytest.raises(FirehoseError) as refused:
        constraints.check("CreateDeliveryStream", content)
    assert (refused.value.code, refused.value.message) == (code, message)
