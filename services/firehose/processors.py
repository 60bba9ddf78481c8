"""The ProcessingConfiguration as typed values: which processors a delivery stream has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_PROCESSORS = 5
#: Alone in needing dynamic partitioning; AWS names its internal classes in the message.
PARTITIONING_ONLY = ("MetadataExtraction", "RecordDeAggregation")
_DEFAULT_RETRIES = 3
_DEFAULT_BUFFER_MBS = 1.0
_DEFAULT_BUFFER_SECONDS = 60.0


@dataclass(frozen=True)
class LambdaProcessor:
    lambda_arn: str
    number_of_retries: int
    buffer_size_in_mbs: float
    buffer_interval_in_seconds: float


@dataclass(frozen=True)
class Processors:
    """What happens to a record, in the order in which AWS does it (fields top to bottom)."""

    decompression: bool = False
    #: Keep only the messages of CloudWatch Logs events.
    data_message_extraction: bool = False
    #: `JSON` or `DELIMITED`; None leaves records whole.
    sub_record_type: str | None = None
    sub_record_delimiter: str = ""
    transform: LambdaProcessor | None = None
    metadata_extraction_query: str | None = None
    append_delimiter: str | None = None

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> Processors:
        """From a checked ProcessingConfiguration."""
        if not configuration.get("Enabled"):
            return cls()
        found = {p["Type"]: parameters(p) for p in configuration.get("Processors", ())}
        deaggregation = found.get("RecordDeAggregation", {})
        logs = found.get("CloudWatchLogProcessing", {})
        delimiter = found.get("AppendDelimiterToRecord")
        return cls(
            decompression="Decompression" in found,
            data_message_extraction=logs.get("DataMessageExtraction", "").lower() == "true",
            sub_record_type=deaggregation.get("SubRecordType"),
            sub_record_delimiter=deaggregation.get("Delimiter", ""),
            transform=_lambda_processor(found["Lambda"]) if "Lambda" in found else None,
            metadata_extraction_query=found.get("MetadataExtraction", {}).get(
                "MetadataExtractionQuery"
            ),
            append_delimiter=None if delimiter is None else _unescaped(delimiter),
        )

    @property
    def any(self) -> bool:
        return self != Processors()


def parameters(processor: Mapping[str, Any]) -> dict[str, str]:
    """A processor's parameters by name."""
    return {p["ParameterName"]: p["ParameterValue"] for p in processor.get("Parameters") or ()}


def _lambda_processor(found: Mapping[str, str]) -> LambdaProcessor:
    return LambdaProcessor(
        found["LambdaArn"],
        int(found.get("NumberOfRetries", _DEFAULT_RETRIES)),
        float(found.get("BufferSizeInMBs", _DEFAULT_BUFFER_MBS)),
        float(found.get("BufferIntervalInSeconds", _DEFAULT_BUFFER_SECONDS)),
    )


def _unescaped(found: Mapping[str, str]) -> str:
    # `\n` is given as two characters: a parameter value of only white space is not allowed.
    return found.get("Delimiter", "\\n").replace("\\n", "\n").replace("\\t", "\t")


def violations(configuration: Mapping[str, Any], is_partitioned: bool) -> Iterator[str]:
    """What AWS says against a ProcessingConfiguration."""
    if not configuration.get("Enabled"):
        return
    listed = configuration.get("Processors") or []
    if not 1 <= len(listed) <= MAX_PROCESSORS:
        yield (
            "A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is "
            "enabled."
        )
    types = [processor["Type"] for processor in listed]
    for kind in sorted({kind for kind in types if types.count(kind) > 1}):
        yield f"Cannot have more than 1 {kind} processor."
    if "CloudWatchLogProcessing" in types and "Decompression" not in types:
        yield "CloudWatchLogProcessingProcessor can only be enabled with DecompressionProcessor"
    for kind in PARTITIONING_ONLY:
        if kind in types and not is_partitioned:
            yield (
                f"class com.amazonaws.services.firehose.internal.model.{kind}Processor can only "
                "be present when Dynamic Partitioning is enabled."
            )
    for processor in listed:
        check = _CHECKS.get(processor["Type"])
        yield from check(parameters(processor)) if check else ()


def _lambda_violations(found: Mapping[str, str]) -> Iterator[str]:
    if "LambdaArn" not in found:
        yield "LambdaArn is required when Lambda processor is used."
    if ("BufferSizeInMBs" in found) != ("BufferIntervalInSeconds" in found):
        yield (
            "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering "
            "for lambda processor."
        )
    ranges = (
        ("BufferSizeInMBs", 0.2, 3.0, "BufferSizeInMBs for lambda processor"),
        ("BufferIntervalInSeconds", 0, 900, "BufferIntervalInSeconds for lambda processor"),
        ("NumberOfRetries", 0, 300, "Number of retries for lambda"),
    )
    for name, least, most, words in ranges:
        if name in found and not _is_between(found[name], least, most):
            yield f"{words} must be between {least:g} and {most:g}."


def _is_between(text: str, least: float, most: float) -> bool:
    try:
        return least <= float(text) <= most
    except ValueError:
        return False


def _metadata_violations(found: Mapping[str, str]) -> Iterator[str]:
    if found.get("JsonParsingEngine") != "JQ-1.6":
        yield "MetaDataExtraction JSON Parsing Engine has to be one of JQ-1.6"
    if "MetadataExtractionQuery" not in found:
        yield "MetadataExtractionQuery is required when MetadataExtraction processor is used."


def _deaggregation_violations(found: Mapping[str, str]) -> Iterator[str]:
    if found.get("SubRecordType") not in ("JSON", "DELIMITED"):
        yield "SubRecordType has to be one of JSON, DELIMITED"
    if found.get("SubRecordType") == "DELIMITED" and not found.get("Delimiter"):
        yield "Delimiter should be present for DELIMITED"


_CHECKS = {
    "Lambda": _lambda_violations,
    "MetadataExtraction": _metadata_violations,
    "RecordDeAggregation": _deaggregation_violations,
}
