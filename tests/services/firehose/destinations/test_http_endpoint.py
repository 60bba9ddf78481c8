"""Firehose's HTTP delivery protocol, spoken to a server."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.services.firehose.destinations.endpoints import acknowledged, endpoint
from tests.services.firehose.lake import Lake
from tests.waiting import wait_until


def create(lake: Lake, url: str, **more: Any) -> str:
    return lake.create_with(
        HttpEndpointDestinationConfiguration={
            "EndpointConfiguration": {"Url": url, "Name": "sink", "AccessKey": "secret"},
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
            "S3Configuration": {
                **lake.bucket,
                "ErrorOutputPrefix": "failed/",
                "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
            },
            **more,
        }
    )


@pytest.mark.parametrize("encoding", ["NONE", "GZIP"])
def test_a_request_has_the_records_and_the_protocol_s_headers(lake: Lake, encoding: str) -> None:
    with endpoint(acknowledged) as served:
        stream = create(
            lake,
            served.url + "/in",
            RequestConfiguration={
                "ContentEncoding": encoding,
                "CommonAttributes": [{"AttributeName": "team", "AttributeValue": "blue"}],
            },
        )
        lake.put(stream, b"one", b"two")
        (request,) = wait_until(lambda: served.requests)
    assert request.path == "/in"
    records = [base64.b64decode(record["data"]) for record in request.content["records"]]
    assert records == [b"one", b"two"]
    assert request.headers["x-amz-firehose-protocol-version"] == "1.0"
    assert request.headers["x-amz-firehose-request-id"] == request.content["requestId"]
    assert request.headers["x-amz-firehose-access-key"] == "secret"
    assert request.headers["x-amz-firehose-source-arn"].endswith(stream)
    attributes = json.loads(request.headers["x-amz-firehose-common-attributes"])
    assert attributes == {"commonAttributes": {"team": "blue"}}
    described = lake.firehose.describe_delivery_stream(DeliveryStreamName=stream)
    (destination,) = described["DeliveryStreamDescription"]["Destinations"]
    shown = destination["HttpEndpointDestinationDescription"]["EndpointConfiguration"]
    assert shown == {"Url": served.url + "/in", "Name": "sink"}


def test_an_endpoint_that_does_not_acknowledge_is_asked_again_with_the_same_id(lake: Lake) -> None:
    answers = iter([(500, {}), (200, {"requestId": "another"})])
    with endpoint(lambda request: next(answers, acknowledged(request))) as served:
        stream = create(lake, served.url)
        lake.put(stream, b"x")

        def third() -> bool:
            lake.engine.advance_clock(3)
            return len(served.requests) >= 3

        wait_until(third, every=0.3)
    assert len({request.content["requestId"] for request in served.requests}) == 1


def test_records_that_are_given_up_are_backed_up(lake: Lake) -> None:
    with endpoint(lambda request: (413, {"errorMessage": "no"})) as served:
        stream = create(lake, served.url, RetryOptions={"DurationInSeconds": 0})
        lake.put(stream, b"x")
        (line,) = wait_until(lambda: lake.lines("failed/http-endpoint-failed/"))
    failure = json.loads(line)
    assert base64.b64decode(failure["rawData"]) == b"x"
    assert "413" in failure["errorMessage"]
