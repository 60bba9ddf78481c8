"""Which create and update requests AWS refuses beyond its model's constraints, in its words.

The messages were read off AWS's answers where somebody published them (Terraform's and CDK's
issue threads); the others follow their wording.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any

from services.firehose import partitioning, processors
from services.firehose.destination_type import (
    DESTINATION_TYPES,
    UNSUPPORTED_TYPES,
    DestinationType,
)
from services.firehose.errors import InvalidArgument
from services.firehose.prefix import (
    MAX_EVALUATED_LENGTH,
    PARTITION_KEY_FROM_LAMBDA,
    PARTITION_KEY_FROM_QUERY,
    PARTITION_NAMESPACES,
    Expression,
    InvalidPrefix,
    expressions,
    has_expressions,
    parse,
)

type Content = Mapping[str, Any]

_LEAST_MBS_OF_LARGE_BUFFERS = 64
_LEAST_SECONDS_OF_PARTITIONS = 60


def requested_type(request: Content, member: str) -> DestinationType:
    """The one destination that the request names; `member` is `configuration` or `update`."""
    for name in UNSUPPORTED_TYPES:
        if _member_of(name, member) in request:
            raise InvalidArgument(
                f"{_member_of(name, member)} is not available on this engine; it delivers to: "
                f"{', '.join(DESTINATION_TYPES)}."
            )
    found = [kind for kind in DESTINATION_TYPES.values() if getattr(kind, member) in request]
    if len(found) != 1:
        raise InvalidArgument("Exactly one destination configuration is supported for a Firehose")
    return found[0]


def _member_of(name: str, member: str) -> str:
    return f"{name}Destination{member.title()}"


def check_create(request: Content) -> DestinationType:
    """The destination type of a create request. Raises InvalidArgument."""
    kind = requested_type(request, "configuration")
    _refuse_first(source_violations(request))
    _refuse_first(
        encryption_violations(
            request.get("DeliveryStreamEncryptionConfigurationInput"),
            request.get("DeliveryStreamType", "DirectPut"),
        )
    )
    check_destination(kind, request[kind.configuration])
    return kind


def check_destination(kind: DestinationType, content: Content) -> None:
    """A complete configuration of a destination (after an update's merge, too)."""
    _refuse_first(destination_violations(kind, content))


def _refuse_first(violations: Iterator[str]) -> None:
    message = next(violations, None)
    if message is not None:
        raise InvalidArgument(message)


def source_violations(request: Content) -> Iterator[str]:
    kind = request.get("DeliveryStreamType", "DirectPut")
    if kind in ("MSKAsSource", "DatabaseAsSource"):
        yield (
            f"DeliveryStreamType {kind} is not available on this engine; "
            "use DirectPut or KinesisStreamAsSource."
        )
    has_source = request.get("KinesisStreamSourceConfiguration") is not None
    if kind == "KinesisStreamAsSource" and not has_source:
        yield "KinesisSourceStreamConfig is mandatory for KinesisStreamAsSource stream type."
    if kind != "KinesisStreamAsSource" and has_source:
        yield (
            "KinesisSourceStreamConfig is only applicable for KinesisStreamAsSource stream type."
        )


def encryption_violations(wanted: Content | None, stream_type: str) -> Iterator[str]:
    if wanted is None:
        return
    if stream_type not in ("DirectPut", "DatabaseAsSource"):
        yield (
            "Server side encryption from firehose is only allowed for direct put delivery streams "
            "and database as a source delivery streams"
        )
    if wanted["KeyType"] == "CUSTOMER_MANAGED_CMK" and not wanted.get("KeyARN"):
        yield "KeyARN has to be specified when KeyType is CUSTOMER_MANAGED_CMK"
    if wanted["KeyType"] == "AWS_OWNED_CMK" and wanted.get("KeyARN"):
        yield "KeyARN cannot be specified when KeyType is AWS_OWNED_CMK"


def destination_violations(kind: DestinationType, content: Content) -> Iterator[str]:
    is_partitioned = _is_enabled(content, "DynamicPartitioningConfiguration")
    if kind.s3_member is None:
        yield from prefix_violations(content)
        yield from partition_namespace_violations(content, is_partitioned)
    else:
        yield from _bucket_violations(content[kind.s3_member])
    yield from buffering_violations(content.get("BufferingHints"))
    yield from processors.violations(content.get("ProcessingConfiguration") or {}, is_partitioned)
    if is_partitioned:
        yield from partitioning_violations(content)
    yield from conversion_violations(content)
    yield from backup_violations(content)
    yield from time_zone_violations(content)
    yield from _OWN_RULES.get(kind.name, lambda _: iter(()))(content)


def _is_enabled(content: Content, member: str) -> bool:
    # Naming a format conversion enables it; partitioning has to be enabled in so many words.
    wanted = content.get(member)
    default = member == "DataFormatConversionConfiguration"
    return wanted is not None and bool(wanted.get("Enabled", default))


def _bucket_violations(content: Content) -> Iterator[str]:
    yield from prefix_violations(content)
    yield from partition_namespace_violations(content, is_partitioned=False)
    yield from buffering_violations(content.get("BufferingHints"))


def prefix_violations(content: Content) -> Iterator[str]:
    for message in _prefix_rules(content.get("Prefix") or "", content.get("ErrorOutputPrefix")):
        # The misspelling is AWS's own.
        yield f"Ths supplied prefix(es) do not satisfy the following constraint: {message}"


def _prefix_rules(prefix: str, error_output_prefix: str | None) -> Iterator[str]:
    error_type = Expression("firehose", "error-output-type")
    named = (
        ("Prefix", "prefix", prefix),
        ("ErrorOutputPrefix",) * 2 + (error_output_prefix or "",),
    )
    for name, words, text in named:
        try:
            parts = parse(text, name)
        except InvalidPrefix as refused:
            yield str(refused)
            return
        # At least one character for each expression.
        if sum(len(part) if isinstance(part, str) else 1 for part in parts) > MAX_EVALUATED_LENGTH:
            yield f"Length of evaluated {words} cannot be greater than {MAX_EVALUATED_LENGTH}"
    if has_expressions(prefix) and not error_output_prefix:
        yield "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"
    if error_type in expressions(prefix):
        yield "Prefix must not contain any occurrence of !{firehose:error-output-type}"
    if has_expressions(error_output_prefix or "") and error_type not in expressions(
        error_output_prefix or ""
    ):
        yield (
            "ErrorOutputPrefix must contain at least one occurrence of "
            "!{firehose:error-output-type}"
        )


def partition_namespace_violations(content: Content, is_partitioned: bool) -> Iterator[str]:
    if _namespaces(content.get("ErrorOutputPrefix")) & set(PARTITION_NAMESPACES):
        yield "Dynamic Partitioning Namespaces can't be part of an error prefix expression"
    if not is_partitioned and _namespaces(content.get("Prefix")) & set(PARTITION_NAMESPACES):
        yield (
            "Dynamic Partitioning Namespaces can only be part of a prefix expression when "
            "Dynamic Partitioning is enabled."
        )


def _namespaces(prefix: str | None) -> set[str]:
    return {part.namespace for part in expressions(prefix or "")}


def buffering_violations(hints: Content | None) -> Iterator[str]:
    if hints and (hints.get("SizeInMBs") is None) != (hints.get("IntervalInSeconds") is None):
        yield "Both SizeInMBs and IntervalInSeconds are required to configure buffering hints."


def partitioning_violations(content: Content) -> Iterator[str]:
    processing = content.get("ProcessingConfiguration") or {}
    kinds = {p["Type"]: processors.parameters(p) for p in processing.get("Processors") or ()}
    namespaces = _namespaces(content.get("Prefix"))
    if not processing.get("Enabled") or not kinds.keys() & {"Lambda", "MetadataExtraction"}:
        yield "Processing Configuration is not enabled when DataPartitioning is enabled"
    if not namespaces & set(PARTITION_NAMESPACES):
        yield (
            "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning "
            "is enabled"
        )
    if PARTITION_KEY_FROM_LAMBDA in namespaces and "Lambda" not in kinds:
        yield (
            "Lambda should be present when S3 Prefix contains keys from partitionKeyFromLambda "
            "namespace"
        )
    if PARTITION_KEY_FROM_QUERY in namespaces and "MetadataExtraction" not in kinds:
        yield (
            "MetadataExtraction processor should be present when S3 Prefix has "
            "partitionKeyFromQuery namespace"
        )
    if "MetadataExtraction" in kinds:
        yield from _query_violations(kinds["MetadataExtraction"], content.get("Prefix") or "")
    yield from _large_buffer_violations(content, "Dynamic Partitioning")
    hints = content.get("BufferingHints") or {}
    if hints.get("IntervalInSeconds", 300) < _LEAST_SECONDS_OF_PARTITIONS:
        yield (
            "BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic "
            "Partitioning is enabled."
        )


def _query_violations(parameters: Mapping[str, str], prefix: str) -> Iterator[str]:
    query = parameters.get("MetadataExtractionQuery", "")
    try:
        keys = partitioning.keys_of_query(query)
    except partitioning.InvalidQuery as refused:
        yield f"MetaDataExtraction JQ Query is invalid: {refused}"
        return
    in_prefix = {e.value for e in expressions(prefix) if e.namespace == PARTITION_KEY_FROM_QUERY}
    if keys is not None and keys - in_prefix:
        yield (
            "MetaDataExtraction JQ Query can't contain keys that are not present in the S3 Prefix "
            "expression"
        )


def _large_buffer_violations(content: Content, feature: str) -> Iterator[str]:
    size = (content.get("BufferingHints") or {}).get("SizeInMBs")
    if size is not None and size < _LEAST_MBS_OF_LARGE_BUFFERS:
        yield f"BufferingHints.SizeInMBs must be at least 64 when {feature} is enabled."


def conversion_violations(content: Content) -> Iterator[str]:
    if not _is_enabled(content, "DataFormatConversionConfiguration"):
        return
    conversion = content["DataFormatConversionConfiguration"]
    for member in (
        "SchemaConfiguration",
        "InputFormatConfiguration",
        "OutputFormatConfiguration",
    ):
        if conversion.get(member) is None:
            yield f"{member} must not be null"
    yield from _one_of(conversion, "InputFormatConfiguration", "Deserializer")
    yield from _one_of(conversion, "OutputFormatConfiguration", "Serializer")
    for member in ("RoleARN", "DatabaseName", "TableName"):
        if not (conversion.get("SchemaConfiguration") or {}).get(member):
            yield f"SchemaConfiguration.{member} must not be null"
    if content.get("CompressionFormat", "UNCOMPRESSED") != "UNCOMPRESSED":
        yield (
            "The S3 destination's compression format must be set to UNCOMPRESSED when data format "
            "conversion is enabled"
        )
    yield from _large_buffer_violations(content, "data format conversion")


def _one_of(conversion: Content, member: str, choice: str) -> Iterator[str]:
    chosen = (conversion.get(member) or {}).get(choice)
    present = [name for name, value in (chosen or {}).items() if value is not None]
    if not present:
        yield f"{choice} must not be null"
    elif len(present) > 1:
        yield f"More than one {choice.lower()} specified. Only one may be chosen."


def backup_violations(content: Content) -> Iterator[str]:
    backup = content.get("S3BackupConfiguration")
    if content.get("S3BackupMode") == "Enabled" and backup is None:
        yield "S3 backup destination configuration is required when enabling S3 backup."
    if backup is not None:
        yield from _bucket_violations(backup)


def time_zone_violations(content: Content) -> Iterator[str]:
    name = content.get("CustomTimeZone")
    if name and name not in zoneinfo.available_timezones():
        yield f"CustomTimeZone {name} is not a supported time zone."


def _search_violations(content: Content) -> Iterator[str]:
    if content.get("DomainARN") and content.get("ClusterEndpoint"):
        yield (
            "Cannot provide both Elasticsearch cluster endpoint and domain ARN. Provide either "
            "the cluster endpoint or domain arn."
        )
    if not content.get("DomainARN") and not content.get("ClusterEndpoint"):
        yield "Provide either the Elasticsearch cluster endpoint or domain arn."


def _opensearch_violations(content: Content) -> Iterator[str]:
    yield from _search_violations(content)
    if content.get("TypeName"):
        yield (
            "Types are deprecated in Elasticsearch version 7+ and all OpenSearch versions. "
            "TypeName must be empty."
        )


def _serverless_violations(content: Content) -> Iterator[str]:
    if not content.get("CollectionEndpoint"):
        yield "CollectionEndpoint must be provided for AmazonOpenSearchServerless destinations."


def _http_violations(content: Content) -> Iterator[str]:
    attributes = (content.get("RequestConfiguration") or {}).get("CommonAttributes") or []
    names = [attribute["AttributeName"] for attribute in attributes]
    for name in names:
        if names.count(name) > 1:
            yield f"Http Endpoint Common Attributes have duplicate name {name}"


_OWN_RULES = {
    "Elasticsearch": _search_violations,
    "Amazonopensearchservice": _opensearch_violations,
    "AmazonOpenSearchServerless": _serverless_violations,
    "HttpEndpoint": _http_violations,
}
