"""Sends the record of a batch that was given up to its destination."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from services.awslambda.event_source_mapping.invocation_record import invocation_record, object_key
from services.awslambda.event_source_mapping.mapping import Mapping
from services.awslambda.event_source_mapping.retrying import Discarded

#: A boto3 client for the service and the place that an ARN names.
ClientOf = Callable[[str, str], Any]


def send(
    mapping: Mapping, shard_id: str, discarded: Discarded, now: float, client_of: ClientOf
) -> None:
    """To SQS, SNS or S3, as the destination's ARN says. Raises what the client raises."""
    destination = mapping.on_failure_destination
    record = invocation_record(mapping, shard_id, discarded, now)
    service = destination.split(":")[2]
    client = client_of(service, destination)
    if service == "sqs":
        name = destination.rpartition(":")[2]
        url = client.get_queue_url(QueueName=name)["QueueUrl"]
        client.send_message(QueueUrl=url, MessageBody=json.dumps(record))
    elif service == "sns":
        client.publish(TopicArn=destination, Message=json.dumps(record))
    elif service == "s3":
        # Only S3 has room for the records themselves.
        payload = {"Records": [dict(each.event) for each in discarded.records]}
        client.put_object(
            Bucket=destination.rpartition(":")[2],
            Key=object_key(mapping, shard_id, now, str(uuid.uuid4())),
            Body=json.dumps({**record, "payload": payload}).encode(),
        )
    else:
        raise ValueError(f"Lambda sends failures to SQS, SNS and S3, not to {destination}.")
