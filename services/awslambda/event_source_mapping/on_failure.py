"""Sends the record of a batch that was given up to its destination."""

from __future__ import annotations

import uuid

from services.awslambda.destination import ClientOf, Delivery, deliver
from services.awslambda.event_source_mapping.invocation_record import invocation_record, object_key
from services.awslambda.event_source_mapping.mapping import Mapping
from services.awslambda.event_source_mapping.retrying import Discarded


def send(
    mapping: Mapping, shard_id: str, discarded: Discarded, now: float, client_of: ClientOf
) -> None:
    """To SQS, SNS or S3, as the destination's ARN says. Raises what the client raises."""
    delivery = Delivery(
        mapping.on_failure_destination,
        invocation_record(mapping, shard_id, discarded, now),
        object_key=object_key(mapping, shard_id, now, str(uuid.uuid4())),
        # Only S3 has room for the records themselves.
        stored={"payload": {"Records": [dict(each.event) for each in discarded.records]}},
    )
    deliver(delivery, client_of)
