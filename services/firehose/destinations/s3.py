"""Objects in an S3 bucket: the records one after the other, compressed or converted."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from services.firehose import object_name, partitioning
from services.firehose.buffers import DESTINATION, ERROR, Delivery
from services.firehose.compression import CONTENT_ENCODINGS, compress
from services.firehose.destinations.destination import (
    Delivered,
    DeliveryError,
    FailedRecord,
    Outcome,
    StreamIdentity,
    TryAgain,
)
from services.firehose.prefix import PrefixContext, at, evaluate, evaluate_error_prefix
from services.firehose.record import plain_data


class Converted(NamedTuple):
    """A file of another format, and the records that do not fit it."""

    content: bytes | None
    records: int
    failed: Sequence[FailedRecord]


class Converter(Protocol):
    """Turns packed groups into one Parquet or ORC file."""

    def convert(self, contents: Iterable[bytes], now: float) -> Converted:
        """Raises ConversionUnavailable when the schema cannot be had."""


class ConversionUnavailable(Exception):
    """The table that a conversion needs is not there; the delivery waits for it."""

    def __init__(self, error: DeliveryError) -> None:
        super().__init__(error.message)
        self.error = error


class S3Destination:
    """One S3DestinationConfiguration. A repeated delivery writes the same bytes to the same key."""

    def __init__(
        self,
        stream: StreamIdentity,
        configuration: Mapping[str, Any],
        version_id: int,
        client: Callable[[], Any],
        converter: Converter | None = None,
    ) -> None:
        self._stream = stream
        self._configuration = configuration
        self._version_id = str(version_id)
        self._client = client
        self._converter = converter

    def target(self, buffer: str, oldest_arrival: float) -> dict[str, Any]:
        when = at(oldest_arrival, self._configuration.get("CustomTimeZone"))
        name, _, detail = buffer.partition(":")
        context = PrefixContext(when)
        if name == ERROR:
            prefix = evaluate_error_prefix(
                self._configuration.get("ErrorOutputPrefix"),
                self._configuration.get("Prefix"),
                PrefixContext(when, error_output_type=detail),
            )
        else:
            wanted = self._configuration.get("Prefix") or ""
            if name == DESTINATION and detail:
                wanted, keys = partitioning.partition_from(detail)
                context = PrefixContext(when, partition_keys=keys)
            prefix = evaluate(wanted, context)
        suffix = object_name.suffix(
            self._stream.name, self._version_id, when, str(uuid.uuid4()), self._extension(name)
        )
        return {"key": prefix + suffix}

    def _extension(self, buffer_name: str) -> str:
        if buffer_name == ERROR:
            compression_only = {"CompressionFormat": self._configuration["CompressionFormat"]}
            return object_name.extension(compression_only)
        return object_name.extension(self._configuration)

    def deliver(self, delivery: Delivery, contents: Iterable[bytes], now: float) -> Outcome:
        records = sum(group.record_count for group in delivery.groups)
        size = sum(group.size for group in delivery.groups)
        failed: Sequence[FailedRecord] = ()
        try:
            if self._converter is not None and delivery.buffer.startswith(DESTINATION):
                converted = self._converter.convert(contents, now)
                records, failed = converted.records, converted.failed
                body = converted.content
            else:
                body = self._compressed(delivery.target["key"], contents)
            if body is not None:
                self._put(delivery.target["key"], body)
        except ConversionUnavailable as unavailable:
            return TryAgain(unavailable.error)
        except ClientError as error:
            return TryAgain(_error_of(error, self._bucket))
        except BotoCoreError as error:
            return TryAgain(DeliveryError("S3.ServiceUnavailable", str(error)))
        return Delivered(records, size, failed)

    def _compressed(self, key: str, contents: Iterable[bytes]) -> bytes:
        plain = b"".join(map(plain_data, contents))
        name = key.rpartition("/")[2]
        return compress(self._configuration["CompressionFormat"], plain, name)

    def _put(self, key: str, body: bytes) -> None:
        parameters: dict[str, Any] = {"ContentType": "application/octet-stream"}
        encoding = CONTENT_ENCODINGS.get(self._configuration["CompressionFormat"])
        if encoding is not None:
            parameters["ContentEncoding"] = encoding
        encryption = self._configuration["EncryptionConfiguration"].get("KMSEncryptionConfig")
        if encryption:
            parameters["ServerSideEncryption"] = "aws:kms"
            parameters["SSEKMSKeyId"] = encryption["AWSKMSKeyARN"]
        self._client().put_object(Bucket=self._bucket, Key=key, Body=body, **parameters)

    @property
    def _bucket(self) -> str:
        arn: str = self._configuration["BucketARN"]
        return arn.rpartition(":::")[2]


def _error_of(error: ClientError, bucket: str) -> DeliveryError:
    """In the words of https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html"""
    code = error.response["Error"]["Code"]
    if code == "NoSuchBucket":
        return DeliveryError(
            "S3.NoSuchBucket",
            f"The specified S3 bucket {bucket} does not exist. Create the bucket or use a "
            "different bucket that does exist.",
        )
    return DeliveryError(f"S3.{code}", error.response["Error"].get("Message", code))
