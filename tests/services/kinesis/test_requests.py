"""Requests of every kind, as bytes: none is answered by a 500, whatever it holds."""

from __future__ import annotations

import base64
import json
from typing import Any

import cbor2
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from services.clock import FixedClock
from services.kinesis.answers import TARGET_PREFIX, answer
from services.kinesis.kinesis import Kinesis
from services.kinesis.operations import NOT_BUILT, OPERATIONS
from services.kinesis.request_shapes import REQUEST_SHAPES
from services.kinesis.storage import MemoryStorage
from services.kinesis.validation import Shape
from services.localstack.data_calls import DataAnswer, DataRequest, StreamingAnswer
from tests.services.kinesis.conftest import ACCOUNT, REGION, Caller, make

JSON, CBOR = "application/x-amz-json-1.1", "application/x-amz-cbor-1.1"


def ask_anything(
    kinesis: Kinesis, operation: str, body: bytes, content_type: str = JSON
) -> DataAnswer | StreamingAnswer:
    request = DataRequest(
        "POST",
        f"{TARGET_PREFIX}.{operation}",
        {"content-type": content_type},
        body,
        REGION,
        ACCOUNT,
    )
    return answer(kinesis, request)


def ask(kinesis: Kinesis, operation: str, body: bytes, content_type: str = JSON) -> DataAnswer:
    answered = ask_anything(kinesis, operation, body, content_type)
    assert isinstance(answered, DataAnswer)
    return answered


ALL_OPERATIONS = sorted({*OPERATIONS, "SubscribeToShard", *NOT_BUILT})
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
CONSUMER = f"arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:{int(FixedClock().now())}"
TEXTS = st.sampled_from(
    [
        "s",
        "",
        "nobody",
        "shardId-000000000000",
        "shardId-000000000001",
        "0",
        "-1",
        str(2**128),
        str(2**127),
        "9" * 60,
        "arn:aws:kinesis:us-east-1:000000000000:stream/s",
        CONSUMER,
        "arn:aws:s3:::bucket",
        "\ud800",
        "é" * 130,
    ]
)


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """Mostly what the service model wants, sometimes anything at all."""
    fitting: dict[str, st.SearchStrategy[Any]] = {
        "String": st.sampled_from(shape.choices) if shape.choices else TEXTS,
        "Integer": st.integers(-1, 20_000),
        "Boolean": st.booleans(),
        "Timestamp": st.floats(-1e12, 1e12) | st.integers(),
        "Blob": st.binary(max_size=50).map(lambda b: base64.b64encode(b).decode()) | TEXTS,
        "Map": st.dictionaries(TEXTS, TEXTS, max_size=3),
    }
    if shape.kind == "Structure":
        return structures(shape)
    if shape.kind == "List" and shape.member is not None:
        return st.lists(values(shape.member), max_size=4)
    return fitting[shape.kind] | ANYTHING


def structures(shape: Shape) -> st.SearchStrategy[Any]:
    members = {name: values(member) for name, member in shape.members.items()}
    return st.fixed_dictionaries({}, optional=members)


def requests() -> st.SearchStrategy[tuple[str, Any]]:
    def of(name: str) -> st.SearchStrategy[tuple[str, Any]]:
        if name in NOT_BUILT:
            return st.tuples(st.just(name), ANYTHING)
        return st.tuples(st.just(name), structures(REQUEST_SHAPES[name]) | ANYTHING)

    return st.sampled_from(ALL_OPERATIONS).flatmap(of)


@settings(max_examples=150, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=6))
def test_no_request_is_answered_by_a_500(calls: list[tuple[str, Any]]) -> None:
    call = make(FixedClock())
    call("CreateStream", StreamName="s", ShardCount=2)
    arn = CONSUMER.partition("/consumer")[0]
    call("RegisterStreamConsumer", StreamARN=arn, ConsumerName="c")
    for operation, request in calls:
        answered = ask_anything(call.kinesis, operation, json.dumps(request).encode())
        assert answered.status in {200, 400}, (operation, request, answered)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALL_OPERATIONS), st.binary(max_size=60), st.sampled_from([JSON, CBOR]))
def test_no_bytes_are_answered_by_a_500(operation: str, body: bytes, content_type: str) -> None:
    kinesis = Kinesis(FixedClock(), MemoryStorage())

    assert ask(kinesis, operation, body, content_type).status in {200, 400}


@settings(max_examples=60, deadline=None)
@given(requests())
def test_json_and_cbor_refuse_the_same(call_made: tuple[str, Any]) -> None:
    operation, request = call_made
    if "Data" in json.dumps(request) or "Timestamp" in json.dumps(request):
        return
    codes = []
    for content_type, encode in ((JSON, lambda r: json.dumps(r).encode()), (CBOR, cbor2.dumps)):
        call = make(FixedClock())
        call("CreateStream", StreamName="s", ShardCount=2)
        try:
            body = encode(request)
        except UnicodeEncodeError:
            return
        answered = ask_anything(call.kinesis, operation, body, content_type)
        codes.append((answered.status, answered.headers.get("x-amzn-ErrorType")))
    assert codes[0] == codes[1]


def test_a_record_travels_as_json(call: Caller, clock: FixedClock) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)
    body = {
        "StreamName": "s",
        "Records": [{"Data": base64.b64encode(b"\x00\xff").decode(), "PartitionKey": "k"}],
    }

    put = json.loads(ask(call.kinesis, "PutRecords", json.dumps(body).encode()).body)
    iterator = call.iterator("s", "shardId-000000000000", "TRIM_HORIZON")
    got = ask(call.kinesis, "GetRecords", json.dumps({"ShardIterator": iterator}).encode())

    assert got.headers["Content-Type"] == JSON
    assert json.loads(got.body)["Records"] == [
        {
            "SequenceNumber": put["Records"][0]["SequenceNumber"],
            "ApproximateArrivalTimestamp": clock.now(),
            "Data": "AP8=",
            "PartitionKey": "k",
        }
    ]


def test_a_record_travels_as_cbor_with_milliseconds(call: Caller, clock: FixedClock) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)
    body = {"StreamName": "s", "Records": [{"Data": b"\x00\xff", "PartitionKey": "k"}]}
    ask(call.kinesis, "PutRecords", cbor2.dumps(body), CBOR)
    iterator = call.iterator("s", "shardId-000000000000", "TRIM_HORIZON")

    got = ask(call.kinesis, "GetRecords", cbor2.dumps({"ShardIterator": iterator}), CBOR)

    assert got.headers["Content-Type"] == CBOR
    [record] = cbor2.loads(got.body)["Records"]
    assert record["Data"] == b"\x00\xff"
    assert record["ApproximateArrivalTimestamp"] == clock.now() * 1000


def test_a_cbor_timestamp_is_in_milliseconds_as_the_java_sdk_writes_it(
    call: Caller, clock: FixedClock
) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)
    moment = int(clock.now() * 1000)
    # An object of unknown length, and tag 1 before the number.
    body = (
        b"\xbf"
        + cbor2.dumps("StreamName")
        + cbor2.dumps("s")
        + cbor2.dumps("ShardId")
        + cbor2.dumps("shardId-000000000000")
        + cbor2.dumps("ShardIteratorType")
        + cbor2.dumps("AT_TIMESTAMP")
        + cbor2.dumps("Timestamp")
        + b"\xc1"
        + cbor2.dumps(moment)
        + b"\xff"
    )

    answered = ask(call.kinesis, "GetShardIterator", body, CBOR)
    too_late = ask(
        call.kinesis,
        "GetShardIterator",
        body.replace(cbor2.dumps(moment), cbor2.dumps(moment + 1)),
        CBOR,
    )

    assert answered.status == 200
    assert f"timestampInMillis: {moment + 1}" in cbor2.loads(too_late.body)["message"]


@pytest.mark.parametrize("content_type", [JSON, CBOR])
def test_an_error_says_its_type_in_a_header_and_in_the_body(
    call: Caller, content_type: str
) -> None:
    encode = cbor2.dumps if content_type == CBOR else lambda r: json.dumps(r).encode()
    decode = cbor2.loads if content_type == CBOR else json.loads

    answered = ask(call.kinesis, "DescribeStream", encode({"StreamName": "nobody"}), content_type)

    assert answered.status == 400
    assert answered.headers["x-amzn-ErrorType"] == "ResourceNotFoundException"
    assert decode(answered.body) == {
        "__type": "ResourceNotFoundException",
        "message": "Stream nobody under account 000000000000 not found.",
    }


@pytest.mark.parametrize("operation", [*NOT_BUILT, "Nonsense"])
def test_an_operation_that_is_not_built_is_unknown(call: Caller, operation: str) -> None:
    answered = ask(call.kinesis, operation, b"{}")

    assert (answered.status, json.loads(answered.body)) == (
        400,
        {"__type": "UnknownOperationException"},
    )


def test_an_operation_without_output_has_no_body(call: Caller) -> None:
    answered = ask(call.kinesis, "CreateStream", b'{"StreamName": "s", "ShardCount": 1}')

    assert (answered.status, answered.body) == (200, b"")


@pytest.mark.parametrize("text", ["a", "a===", "AP8", "ä", "A P8="])
def test_data_that_is_not_base64_is_refused(call: Caller, text: str) -> None:
    call("CreateStream", StreamName="s", ShardCount=1)
    body = {"StreamName": "s", "Data": text, "PartitionKey": "k"}

    answered = ask(call.kinesis, "PutRecord", json.dumps(body).encode())

    assert answered.headers["x-amzn-ErrorType"] == "SerializationException"


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        (
            "StreamName",
            1,
            "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not "
            "be converted to an String",
        ),
        ("StreamName", ["s"], "Start of list found where not expected"),
        ("StreamName", {}, "Start of structure or map found where not expected."),
        ("Limit", "1", "class java.lang.String can not be converted to an Integer"),
        ("Limit", True, "class java.lang.Boolean can not be converted to an Integer"),
    ],
)
def test_a_wrong_type_is_told_in_awss_words(
    call: Caller, member: str, value: Any, message: str
) -> None:
    answered = ask(call.kinesis, "DescribeStream", json.dumps({member: value}).encode())

    assert json.loads(answered.body) == {"__type": "SerializationException", "message": message}
