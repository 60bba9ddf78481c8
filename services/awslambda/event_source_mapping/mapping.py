"""The settings of one event source mapping of a stream, as Lambda's API has them."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """See https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html.

    -1 for `maximum_retry_attempts` and `maximum_record_age_in_seconds` means without end.
    """

    uuid: str
    function_arn: str
    event_source_arn: str
    starting_position: str = "TRIM_HORIZON"
    #: Seconds since 1970; with `AT_TIMESTAMP`.
    starting_position_timestamp: float = 0.0
    batch_size: int = 100
    maximum_batching_window_in_seconds: float = 0.0
    parallelization_factor: int = 1
    maximum_retry_attempts: int = -1
    maximum_record_age_in_seconds: int = -1
    bisect_batch_on_function_error: bool = False
    report_batch_item_failures: bool = False
    tumbling_window_in_seconds: int = 0
    #: The JSON texts of the filter criteria; a record that any of them matches is kept.
    filter_patterns: tuple[str, ...] = ()
    on_failure_destination: str = ""


def from_configuration(configuration: AnyMapping[str, Any]) -> Mapping:
    """From an EventSourceMappingConfiguration of the API."""
    timestamp = configuration.get("StartingPositionTimestamp") or 0.0
    destination = (configuration.get("DestinationConfig") or {}).get("OnFailure") or {}
    filters = (configuration.get("FilterCriteria") or {}).get("Filters") or []
    return Mapping(
        uuid=configuration["UUID"],
        function_arn=configuration["FunctionArn"],
        event_source_arn=configuration["EventSourceArn"],
        starting_position=configuration.get("StartingPosition") or "TRIM_HORIZON",
        starting_position_timestamp=float(
            timestamp.timestamp() if hasattr(timestamp, "timestamp") else timestamp
        ),
        batch_size=configuration["BatchSize"],
        maximum_batching_window_in_seconds=configuration["MaximumBatchingWindowInSeconds"],
        parallelization_factor=configuration["ParallelizationFactor"],
        maximum_retry_attempts=configuration["MaximumRetryAttempts"],
        maximum_record_age_in_seconds=configuration["MaximumRecordAgeInSeconds"],
        bisect_batch_on_function_error=configuration["BisectBatchOnFunctionError"],
        report_batch_item_failures="ReportBatchItemFailures"
        in (configuration.get("FunctionResponseTypes") or []),
        tumbling_window_in_seconds=configuration["TumblingWindowInSeconds"],
        filter_patterns=tuple(each["Pattern"] for each in filters),
        on_failure_destination=destination.get("Destination") or "",
    )
