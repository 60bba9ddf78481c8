"""Tags (both of AWS's interfaces) and resource policies."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from services.kinesis.arn import Caller, consumer_name
from services.kinesis.errors import KinesisError, invalid_argument, resource_not_found
from services.kinesis.live_stream import LiveStream
from services.kinesis.operation import Answer, Operation, Request

if TYPE_CHECKING:
    from services.kinesis.kinesis import Kinesis

_MOST_TAGS = 50
_TAG_TEXT = re.compile(r"[\w\s.:/=+\-@]*")


class Tagged(NamedTuple):
    """A stream or one of its consumers, and its tags."""

    live: LiveStream
    tags: dict[str, str]


def check_tags(tags: dict[str, str], *, already: int = 0) -> None:
    """Raises InvalidArgumentException for letters AWS does not take, or too many tags."""
    if not all(_TAG_TEXT.fullmatch(text or "") for pair in tags.items() for text in pair):
        raise invalid_argument(
            "Some tags contain invalid characters. Valid characters: "
            "Unicode letters, digits, white space, _ . / = + - % @."
        )
    if already + len(tags) > _MOST_TAGS:
        raise invalid_argument(f"A resource cannot have more than {_MOST_TAGS} tags.")


def _add(tagged: Tagged, tags: dict[str, str]) -> Answer:
    with tagged.live.lock:
        kept = [key for key in tagged.tags if key not in tags]
        check_tags(tags, already=len(kept))
        tagged.tags.update({key: value or "" for key, value in tags.items()})
        tagged.live.save()
    return {}


def _remove(tagged: Tagged, keys: list[str]) -> Answer:
    with tagged.live.lock:
        check_tags(dict.fromkeys(keys, ""))
        for key in keys:
            tagged.tags.pop(key, None)
        tagged.live.save()
    return {}


def _of_stream(kinesis: Kinesis, caller: Caller, request: Request) -> Tagged:
    live = kinesis.find(caller, request)
    return Tagged(live, live.state.tags)


def _of_resource(kinesis: Kinesis, request: Request) -> Tagged:
    arn = request["ResourceARN"]
    live = kinesis.find_arn(arn)
    if (name := consumer_name(arn)) is None:
        return Tagged(live, live.state.tags)
    consumer = live.state.consumers.get(name.split(":")[0])
    if consumer is None:
        raise resource_not_found(f"Consumer {arn} not found.")
    return Tagged(live, consumer.tags)


def add_tags_to_stream(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    return _add(_of_stream(kinesis, caller, request), request["Tags"])


def remove_tags_from_stream(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    return _remove(_of_stream(kinesis, caller, request), request["TagKeys"])


def list_tags_for_stream(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    tags = _of_stream(kinesis, caller, request).tags
    limit, after = request.get("Limit") or _MOST_TAGS, request.get("ExclusiveStartTagKey")
    keys = [key for key in sorted(tags) if after is None or key > after]
    page = [{"Key": key, "Value": tags[key]} for key in keys[:limit]]
    return {"Tags": page, "HasMoreTags": len(keys) > limit}


def tag_resource(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    return _add(_of_resource(kinesis, request), request["Tags"])


def untag_resource(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    return _remove(_of_resource(kinesis, request), request["TagKeys"])


def list_tags_for_resource(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    tags = _of_resource(kinesis, request).tags
    return {"Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}


def put_resource_policy(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    tagged, policy = _of_resource(kinesis, request), request["Policy"]
    try:
        json.loads(policy)
    except ValueError:
        raise KinesisError("ValidationException", "The policy is not valid JSON.") from None
    with tagged.live.lock:
        tagged.live.state.policies[request["ResourceARN"]] = policy
        tagged.live.save()
    return {}


def get_resource_policy(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    policies = _of_resource(kinesis, request).live.state.policies
    return {"Policy": policies.get(request["ResourceARN"], "{}")}


def delete_resource_policy(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, arn = _of_resource(kinesis, request).live, request["ResourceARN"]
    with live.lock:
        if live.state.policies.pop(arn, None) is None:
            raise resource_not_found(f"No resource policy found for resource ARN {arn}")
        live.save()
    return {}


OPERATIONS_ON_TAGS: dict[str, Operation] = {
    "AddTagsToStream": add_tags_to_stream,
    "DeleteResourcePolicy": delete_resource_policy,
    "GetResourcePolicy": get_resource_policy,
    "ListTagsForResource": list_tags_for_resource,
    "ListTagsForStream": list_tags_for_stream,
    "PutResourcePolicy": put_resource_policy,
    "RemoveTagsFromStream": remove_tags_from_stream,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
