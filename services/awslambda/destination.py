"""Sends the record of an invocation or of a batch to a destination, whichever service that is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: A boto3 client for the service and the place that an ARN names.
ClientOf = Callable[[str, str], Any]


@dataclass(frozen=True)
class Delivery:
    """`record` goes to the ARN `destination`; to S3 it goes as `object_key`, with `stored` added.

    `detail_type` and `source_arn` are what EventBridge sees besides.
    """

    destination: str
    record: Mapping[str, Any]
    object_key: str = ""
    stored: Mapping[str, Any] | None = None
    detail_type: str = ""
    source_arn: str = ""


def deliver(delivery: Delivery, client_of: ClientOf) -> None:
    """Raises what the client raises, ValueError for a service that is no destination."""
    service = delivery.destination.split(":")[2]
    if service not in _SENDERS:
        raise ValueError(f"Lambda does not send to {delivery.destination}.")
    _SENDERS[service](client_of(service, delivery.destination), delivery)


def _to_sqs(client: Any, delivery: Delivery) -> None:
    client.send_message(
        QueueUrl=queue_url(client, delivery.destination), MessageBody=json.dumps(delivery.record)
    )


def queue_url(client: Any, arn: str) -> str:
    url: str = client.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    return url


def _to_sns(client: Any, delivery: Delivery) -> None:
    client.publish(TopicArn=delivery.destination, Message=json.dumps(delivery.record))


def _to_s3(client: Any, delivery: Delivery) -> None:
    content = {**delivery.record, **(delivery.stored or {})}
    client.put_object(
        Bucket=delivery.destination.rpartition(":")[2],
        Key=delivery.object_key,
        Body=json.dumps(content).encode(),
    )


def _to_lambda(client: Any, delivery: Delivery) -> None:
    client.invoke(
        FunctionName=delivery.destination,
        InvocationType="Event",
        Payload=json.dumps(delivery.record).encode(),
    )


def _to_events(client: Any, delivery: Delivery) -> None:
    entry = {
        "EventBusName": delivery.destination,
        "Source": "lambda",
        "DetailType": delivery.detail_type,
        "Resources": [delivery.destination, delivery.source_arn],
        "Detail": json.dumps(delivery.record),
    }
    answer = client.put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise ValueError(f"{delivery.destination} refused the event: {answer['Entries']}")


_SENDERS: Mapping[str, Callable[[Any, Delivery], None]] = {
    "sqs": _to_sqs,
    "sns": _to_sns,
    "s3": _to_s3,
    "lambda": _to_lambda,
    "events": _to_events,
}
