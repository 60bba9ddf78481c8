"""Requests and answers beside botocore's service model: nothing is left out, nothing is made up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from services.clock import FixedClock
from services.kinesis.arn import Caller as Place
from services.kinesis.operations import NOT_BUILT, OPERATIONS
from services.kinesis.request_shapes import REQUEST_SHAPES
from services.kinesis.subscription import subscribe
from services.kinesis.validation import Shape as OurShape
from tests.services.kinesis.conftest import Caller, make

MODEL = ServiceModel(Loader().load_service_model("kinesis", "service-2"))
SHARD = "shardId-000000000000"
KINDS = {"long": "Integer"}

#: Where we differ, each with its reason.
KNOWN = {
    # Tells the lengths with the list's own sentence, as AWS does.
    "RemoveTagsFromStream.TagKeys[]": "minimum, maximum",
    "UntagResource.TagKeys[]": "minimum, maximum",
    # Older clients name the stream.
    "UpdateMaxRecordSize.StreamName": "is ours alone",
}


def differences(path: str, theirs: Shape, ours: OurShape) -> Iterator[tuple[str, str]]:
    """Where, and what."""
    if KINDS.get(theirs.type_name, theirs.type_name.capitalize()) != ours.kind:
        yield path, "kind"
    if ours.kind == "Structure":
        yield from _of_members(path, theirs, ours)
        return
    wrong = [what for what, (a, b) in _constraints(theirs, ours).items() if a != b]
    if wrong:
        yield path, ", ".join(wrong)
    if ours.kind == "List" and ours.member is not None:
        yield from differences(f"{path}[]", theirs.member, ours.member)


def _of_members(path: str, theirs: Any, ours: OurShape) -> Iterator[tuple[str, str]]:
    for name in theirs.members.keys() ^ ours.members.keys():
        yield f"{path}.{name}", "is ours alone" if name in ours.members else "is missing"
    for name in theirs.members.keys() & ours.members.keys():
        if (name in theirs.required_members) != ours.members[name].required:
            yield f"{path}.{name}", "required"
        yield from differences(f"{path}.{name}", theirs.members[name], ours.members[name])


def _constraints(theirs: Any, ours: OurShape) -> dict[str, tuple[Any, Any]]:
    rules = theirs.metadata
    found: dict[str, tuple[Any, Any]] = {
        "minimum": (rules.get("min"), ours.minimum),
        "maximum": (rules.get("max"), ours.maximum),
        "choices": (set(rules.get("enum", ())), set(ours.choices)),
        # AWS's sentences show these without the brackets.
        "pattern": (rules.get("pattern", "").replace("^(0|", "0|").replace(")$", ""), ours.pattern),
    }
    if ours.kind == "Map":
        found["key_lengths"] = (_lengths(theirs.key), ours.key_lengths)
        found["value_lengths"] = (_lengths(theirs.value), ours.value_lengths)
    return found


def _lengths(shape: Shape) -> tuple[Any, Any]:
    return shape.metadata.get("min"), shape.metadata.get("max")


def test_every_operation_is_built_or_refused() -> None:
    built = {*OPERATIONS, "SubscribeToShard"}

    assert built | set(NOT_BUILT) == set(MODEL.operation_names)
    assert not built & set(NOT_BUILT)


@pytest.mark.parametrize("operation", sorted(REQUEST_SHAPES))
def test_a_request_is_checked_as_the_model_says(operation: str) -> None:
    theirs = MODEL.operation_model(operation).input_shape

    found = dict(differences(operation, theirs, REQUEST_SHAPES[operation]))

    assert found == {where: what for where, what in KNOWN.items() if where in found}


TYPES: dict[str, set[type]] = {
    "structure": {dict},
    "list": {list},
    "map": {dict},
    "string": {str},
    "boolean": {bool},
    "integer": {int},
    "long": {int},
    "timestamp": {int, float},
    "blob": {bytes},
}


def wrong_members(path: str, answer: Any, shape: Any) -> Iterator[str]:
    """What of an answer the model does not know, or misses."""
    if type(answer) not in TYPES[shape.type_name]:
        yield f"{path} is {answer!r}"
    elif shape.type_name == "structure":
        yield from (f"{path}.{name} is unknown" for name in answer.keys() - shape.members.keys())
        yield from (f"{path}.{n} is missing" for n in set(shape.required_members) - answer.keys())
        for name in answer.keys() & shape.members.keys():
            yield from wrong_members(f"{path}.{name}", answer[name], shape.members[name])
    elif shape.type_name == "list":
        for item in answer:
            yield from wrong_members(f"{path}[]", item, shape.member)
    elif shape.metadata.get("enum") and answer not in shape.metadata["enum"]:
        yield f"{path} is {answer!r}"


ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
DEMAND_ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/d"
STREAM = {"StreamName": "s"}
RECORD = {"Data": b"x", "PartitionKey": "k"}
#: One call of every operation, in an order in which all succeed.
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("UpdateAccountSettings", {"MinimumThroughputBillingCommitment": {"Status": "ENABLED"}}),
    ("DescribeAccountSettings", {}),
    ("CreateStream", STREAM | {"ShardCount": 2, "Tags": {"a": "b"}}),
    ("CreateStream", {"StreamName": "d", "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}),
    ("DescribeLimits", {}),
    ("ListStreams", {"Limit": 1}),
    ("DescribeStream", STREAM),
    ("ListShards", STREAM | {"MaxResults": 1}),
    ("PutRecord", STREAM | RECORD),
    ("PutRecords", STREAM | {"Records": [RECORD] * 3}),
    ("GetShardIterator", STREAM | {"ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}),
    ("GetRecords", {}),
    ("AddTagsToStream", STREAM | {"Tags": {"c": "d"}}),
    ("ListTagsForStream", STREAM),
    ("RemoveTagsFromStream", STREAM | {"TagKeys": ["c"]}),
    ("TagResource", {"ResourceARN": ARN, "Tags": {"e": ""}}),
    ("ListTagsForResource", {"ResourceARN": ARN}),
    ("UntagResource", {"ResourceARN": ARN, "TagKeys": ["e"]}),
    ("PutResourcePolicy", {"ResourceARN": ARN, "Policy": "{}"}),
    ("GetResourcePolicy", {"ResourceARN": ARN}),
    ("DeleteResourcePolicy", {"ResourceARN": ARN}),
    ("RegisterStreamConsumer", {"StreamARN": ARN, "ConsumerName": "one"}),
    ("RegisterStreamConsumer", {"StreamARN": ARN, "ConsumerName": "two"}),
    ("ListStreamConsumers", {"StreamARN": ARN, "MaxResults": 1}),
    ("DescribeStreamConsumer", {"StreamARN": ARN, "ConsumerName": "one"}),
    ("DeregisterStreamConsumer", {"StreamARN": ARN, "ConsumerName": "two"}),
    ("StartStreamEncryption", STREAM | {"EncryptionType": "KMS", "KeyId": "k"}),
    ("StopStreamEncryption", STREAM | {"EncryptionType": "KMS", "KeyId": "k"}),
    ("EnableEnhancedMonitoring", STREAM | {"ShardLevelMetrics": ["ALL"]}),
    ("DisableEnhancedMonitoring", STREAM | {"ShardLevelMetrics": ["IncomingBytes"]}),
    ("IncreaseStreamRetentionPeriod", STREAM | {"RetentionPeriodHours": 48}),
    ("DecreaseStreamRetentionPeriod", STREAM | {"RetentionPeriodHours": 24}),
    ("UpdateMaxRecordSize", {"StreamARN": ARN, "MaxRecordSizeInKiB": 2048}),
    ("SplitShard", STREAM | {"ShardToSplit": SHARD, "NewStartingHashKey": str(2**126)}),
    (
        "MergeShards",
        STREAM
        | {
            "ShardToMerge": "shardId-000000000002",
            "AdjacentShardToMerge": "shardId-000000000003",
        },
    ),
    ("UpdateShardCount", STREAM | {"TargetShardCount": 3, "ScalingType": "UNIFORM_SCALING"}),
    ("UpdateStreamWarmThroughput", {"StreamName": "d", "WarmThroughputMiBps": 8}),
    (
        "UpdateStreamRecordDistributionStrategy",
        {"StreamARN": DEMAND_ARN, "RecordDistributionStrategy": "AUTO"},
    ),
    ("DescribeStreamSummary", {"StreamName": "d"}),
    ("DescribeStreamSummary", STREAM),
    (
        "UpdateStreamMode",
        {"StreamARN": DEMAND_ARN, "StreamModeDetails": {"StreamMode": "PROVISIONED"}},
    ),
    ("DeleteStream", {"StreamName": "d"}),
]


def test_every_answer_has_the_models_members() -> None:
    assert {operation for operation, _ in CALLS} == set(OPERATIONS)
    clock = FixedClock()
    call, iterator, wrong = make(clock), "", list[str]()

    for operation, request in CALLS:
        clock.advance(1)
        more = {"ShardIterator": iterator} if operation == "GetRecords" else {}
        answer = call(operation, **request, **more)
        iterator = answer.get("ShardIterator", iterator)
        shape = MODEL.operation_model(operation).output_shape
        if shape is None:
            assert answer == {}, operation
        else:
            wrong += wrong_members(operation, answer, shape)

    assert wrong == []


def test_an_event_has_the_models_members(call: Caller) -> None:
    call("CreateStream", **STREAM, ShardCount=1)
    consumer = call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="one")["Consumer"]
    call("PutRecord", **STREAM, **RECORD)
    subscription = subscribe(
        call.kinesis,
        Place(call.account_id, call.region),
        {
            "ConsumerARN": consumer["ConsumerARN"],
            "ShardId": SHARD,
            "StartingPosition": {"Type": "TRIM_HORIZON"},
        },
    )
    events: list[dict[str, Any]] = []

    def push(event: dict[str, Any]) -> None:
        events.append(event)
        if len(events) == 1:
            call("SplitShard", **STREAM, ShardToSplit=SHARD, NewStartingHashKey=str(2**127))

    subscription.run(push)

    stream = MODEL.operation_model("SubscribeToShard").output_shape.members["EventStream"]
    shape = stream.members["SubscribeToShardEvent"]
    wrong = [line for event in events for line in wrong_members("event", event, shape)]
    # The last event of a shard has nothing to go on from.
    assert wrong in ([], ["event.ContinuationSequenceNumber is missing"])
    assert "ChildShards" in events[-1]
