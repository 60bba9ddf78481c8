"""Registered consumers (enhanced fan-out)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kinesis import shard_iterator
from services.kinesis.arn import Caller, consumer_name
from services.kinesis.errors import (
    invalid_argument,
    limit_exceeded,
    resource_in_use,
    resource_not_found,
)
from services.kinesis.live_stream import LiveStream
from services.kinesis.operation import Answer, Operation, Request, require_created_at
from services.kinesis.operations_on_tags import check_tags
from services.kinesis.stream import CREATING, ON_DEMAND, Consumer, describe_consumer

if TYPE_CHECKING:
    from services.kinesis.kinesis import Kinesis

_MOST_CONSUMERS = 20
_MOST_CONSUMERS_WITH_ADVANTAGE = 50
_MOST_CREATING = 5
_PAGE = 100


def has_commitment(kinesis: Kinesis, account_id: str) -> bool:
    """Whether the account has On-demand Advantage."""
    return kinesis.account_settings.get(account_id, {}).get("Status") == "ENABLED"


def register_consumer(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    name, tags = request["ConsumerName"], request.get("Tags") or {}
    check_tags(tags)
    with live.lock:
        if name in live.state.consumers:
            raise resource_in_use(
                f"Consumer {name} under stream {live.state.name} already exists for account "
                f"{live.state.account_id}."
            )
        _check_limits(kinesis, live, now)
        consumer = Consumer(name, now, now + kinesis.status_seconds, dict(tags))
        live.state.consumers[name] = consumer
        live.save()
        return {"Consumer": describe_consumer(live.state, consumer, now)}


def _check_limits(kinesis: Kinesis, live: LiveStream, now: float) -> None:
    """https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html"""
    state = live.state
    most = _MOST_CONSUMERS
    if state.mode == ON_DEMAND and has_commitment(kinesis, state.account_id):
        most = _MOST_CONSUMERS_WITH_ADVANTAGE
    if len(state.consumers) >= most:
        raise limit_exceeded(
            f"Stream {state.name} under account {state.account_id} has {most} registered "
            "consumers, which is the limit."
        )
    statuses = [consumer.status(now) for consumer in state.consumers.values()]
    if kinesis.shard_limits and statuses.count(CREATING) >= _MOST_CREATING:
        raise limit_exceeded(
            f"Stream {state.name} under account {state.account_id} has {_MOST_CREATING} consumers "
            f"in the {CREATING} state, which is the limit."
        )


def find_consumer(
    kinesis: Kinesis, caller: Caller, request: Request
) -> tuple[LiveStream, Consumer]:
    """By its ARN, or by its stream and name. Raises ResourceNotFoundException."""
    if (arn := request.get("ConsumerARN")) is not None:
        live = kinesis.find_arn(arn)
        name, _, created = (consumer_name(arn) or "").partition(":")
        consumer = live.state.consumers.get(name)
        if consumer is None or str(int(consumer.created_at)) != created:
            raise resource_not_found(f"Consumer {arn}, account {live.state.account_id} not found.")
        named = request.get("StreamARN", live.state.arn), request.get("ConsumerName", name)
        if named != (live.state.arn, name):
            raise invalid_argument(
                f"ConsumerARN {arn} is not that of consumer {named[1]} of stream {named[0]}."
            )
        return live, consumer
    if request.get("StreamARN") is None or request.get("ConsumerName") is None:
        raise invalid_argument("Provide either ConsumerARN, or both StreamARN and ConsumerName.")
    live, name = kinesis.find(caller, request), str(request["ConsumerName"])
    consumer = live.state.consumers.get(name)
    if consumer is None:
        raise resource_not_found(f"Consumer {name}, account {live.state.account_id} not found.")
    return live, consumer


def deregister_consumer(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, consumer = find_consumer(kinesis, caller, request)
    with live.lock:
        live.state.consumers.pop(consumer.name, None)
        live.state.policies.pop(live.state.consumer_arn(consumer), None)
        live.save()
    return {}


def describe_stream_consumer(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, consumer = find_consumer(kinesis, caller, request)
    described = describe_consumer(live.state, consumer, kinesis.clock.now())
    return {"ConsumerDescription": {**described, "StreamARN": live.state.arn}}


def list_stream_consumers(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    if request.get("NextToken") is not None and request.get("StreamCreationTimestamp") is not None:
        raise invalid_argument("NextToken and StreamCreationTimestamp cannot be provided together.")
    require_created_at(live, request)
    after = _name_of_page(request.get("NextToken"))
    limit = min(request.get("MaxResults") or _PAGE, _PAGE)
    with live.lock:
        consumers = [c for _, c in sorted(live.state.consumers.items()) if c.name > after]
        page = [describe_consumer(live.state, consumer, now) for consumer in consumers[:limit]]
    answer: Answer = {"Consumers": page}
    if len(consumers) > limit:
        answer["NextToken"] = shard_iterator.seal([consumers[limit - 1].name])
    return answer


def _name_of_page(token: str | None) -> str:
    if token is None:
        return ""
    try:
        [name] = shard_iterator.unseal(token)
        return str(name)
    except ValueError:
        raise invalid_argument(f"NextToken {token} is invalid.") from None


OPERATIONS_ON_CONSUMERS: dict[str, Operation] = {
    "DeregisterStreamConsumer": deregister_consumer,
    "DescribeStreamConsumer": describe_stream_consumer,
    "ListStreamConsumers": list_stream_consumers,
    "RegisterStreamConsumer": register_consumer,
}
