"""A delivery stream's errors as CloudWatch Logs events."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from services.clock import Clock
from services.firehose.configuration import Configuration
from services.firehose.destinations.destination import DeliveryError, StreamIdentity

LOG = logging.getLogger(__name__)


class CloudWatchErrorLog:
    """Writes to the group and stream of CloudWatchLoggingOptions, where these are enabled.

    `clock` is the one CloudWatch Logs goes by, the machine's: it drops events that are more than
    two hours ahead of it, as those of a clock that was moved would be.
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
    """

    def __init__(self, stream: StreamIdentity, clock: Clock, client: Callable[[], Any]) -> None:
        self._stream = stream
        self._clock = clock
        self._client = client

    def write(self, errors: Sequence[DeliveryError], configuration: Configuration) -> None:
        options = configuration.content.get("CloudWatchLoggingOptions") or {}
        if not options.get("Enabled") or not options.get("LogGroupName"):
            return
        events = [self._event(error, configuration) for error in errors]
        try:
            self._put(options["LogGroupName"], options.get("LogStreamName", ""), events)
        except (ClientError, BotoCoreError) as error:
            # Delivery goes on without its log, as on AWS; the engine's own log tells.
            LOG.warning("%s cannot write its error log: %s", self._stream.arn, error)

    def _put(self, group: str, stream: str, events: list[dict[str, Any]]) -> None:
        logs = self._client()
        try:
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        except logs.exceptions.ResourceNotFoundException:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def _event(self, error: DeliveryError, configuration: Configuration) -> dict[str, Any]:
        message = {
            "deliveryStreamARN": self._stream.arn,
            "destination": _destination(configuration, error),
            "deliveryStreamVersionId": configuration.version_id,
            "message": error.message,
            "errorCode": error.code,
        }
        if transform := configuration.processors.transform:
            message["processor"] = transform.lambda_arn
        return {"timestamp": int(self._clock.now() * 1000), "message": json.dumps(message)}


def _destination(configuration: Configuration, error: DeliveryError) -> str:
    """Where it was to go: a bucket's or a domain's ARN, or an address."""
    content = configuration.content
    addresses = (
        content.get("DomainARN"),
        content.get("ClusterEndpoint"),
        content.get("CollectionEndpoint"),
        (content.get("EndpointConfiguration") or {}).get("Url"),
    )
    bucket: str = configuration.bucket["BucketARN"]
    if error.code.startswith("S3."):
        return bucket
    return next((address for address in addresses if address), bucket)
