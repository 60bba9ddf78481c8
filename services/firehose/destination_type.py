"""The kinds of destination and how their configuration is requested, updated and described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DISABLED = {"Enabled": False}
_S3_HINTS = {"SizeInMBs": 5, "IntervalInSeconds": 300}
_RETRIES = {"DurationInSeconds": 300}


@dataclass(frozen=True)
class DestinationType:
    """`name` is what the API's members begin with: `ExtendedS3` of
    `ExtendedS3DestinationConfiguration`, `…Update`, `…Description`."""

    name: str
    #: What the error output prefix and its metrics call it.
    error_output_type: str
    metric_name: str
    defaults: Mapping[str, Any]
    #: The member that holds the bucket for backups and failures; None: the destination is one.
    s3_member: str | None = "S3Configuration"
    #: S3BackupMode values under which all source records go to the backup bucket.
    backs_up_everything: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_search(self) -> bool:
        """OpenSearch, Elasticsearch or OpenSearch Serverless."""
        return self.defaults.get("S3BackupMode") == "FailedDocumentsOnly"

    @property
    def configuration(self) -> str:
        return f"{self.name}DestinationConfiguration"

    @property
    def update(self) -> str:
        return f"{self.name}DestinationUpdate"

    @property
    def description(self) -> str:
        return f"{self.name}DestinationDescription"


_S3_DEFAULTS = {
    "BufferingHints": _S3_HINTS,
    "CompressionFormat": "UNCOMPRESSED",
    "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
    "CloudWatchLoggingOptions": DISABLED,
}
_SEARCH_DEFAULTS = {
    "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
    "RetryOptions": _RETRIES,
    "IndexRotationPeriod": "OneDay",
    "TypeName": "",
    "S3BackupMode": "FailedDocumentsOnly",
    "ProcessingConfiguration": {"Enabled": False, "Processors": []},
    "CloudWatchLoggingOptions": DISABLED,
    "DocumentIdOptions": {"DefaultDocumentIdFormat": "FIREHOSE_DEFAULT"},
}
_SERVERLESS_DEFAULTS = {
    name: value
    for name, value in _SEARCH_DEFAULTS.items()
    if name not in ("IndexRotationPeriod", "TypeName", "DocumentIdOptions")
}
_ALL_DOCUMENTS = frozenset({"AllDocuments"})

DESTINATION_TYPES = {
    kind.name: kind
    for kind in (
        DestinationType(
            "ExtendedS3",
            "processing-failed",
            "DeliveryToS3",
            {
                **_S3_DEFAULTS,
                "S3BackupMode": "Disabled",
                "ProcessingConfiguration": {"Enabled": False, "Processors": []},
            },
            s3_member=None,
            backs_up_everything=frozenset({"Enabled"}),
        ),
        DestinationType(
            "S3", "processing-failed", "DeliveryToS3", {**_S3_DEFAULTS}, s3_member=None
        ),
        DestinationType(
            "Amazonopensearchservice",
            "AmazonOpenSearchService-failed",
            "DeliveryToAmazonOpenSearchService",
            _SEARCH_DEFAULTS,
            backs_up_everything=_ALL_DOCUMENTS,
        ),
        DestinationType(
            "Elasticsearch",
            "elasticsearch-failed",
            "DeliveryToElasticsearch",
            _SEARCH_DEFAULTS,
            backs_up_everything=_ALL_DOCUMENTS,
        ),
        DestinationType(
            "AmazonOpenSearchServerless",
            "AmazonOpenSearchServerless-failed",
            "DeliveryToAmazonOpenSearchServerless",
            _SERVERLESS_DEFAULTS,
            backs_up_everything=_ALL_DOCUMENTS,
        ),
        DestinationType(
            "HttpEndpoint",
            "http-endpoint-failed",
            "DeliveryToHttpEndpoint",
            {
                "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
                "RetryOptions": _RETRIES,
                "RequestConfiguration": {"ContentEncoding": "NONE", "CommonAttributes": []},
                "S3BackupMode": "FailedDataOnly",
                "ProcessingConfiguration": {"Enabled": False, "Processors": []},
                "CloudWatchLoggingOptions": DISABLED,
            },
            backs_up_everything=frozenset({"AllData"}),
        ),
    )
}
#: AWS has these too; this engine has nothing to deliver to.
UNSUPPORTED_TYPES = ("Redshift", "Splunk", "Snowflake", "Iceberg")


def with_defaults(content: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The content completed, at every depth where the default has something to say."""
    result = {name: value for name, value in content.items() if value is not None}
    for name, value in defaults.items():
        if name not in result:
            result[name] = dict(value) if isinstance(value, Mapping) else value
        elif isinstance(value, Mapping) and name != "EncryptionConfiguration":
            result[name] = with_defaults(result[name], value)
    return result


def s3_with_defaults(content: Mapping[str, Any]) -> dict[str, Any]:
    """An S3DestinationConfiguration completed."""
    return with_defaults(content, _S3_DEFAULTS)
