"""The Lambda Runtime API: what a runtime's requests mean, and what it is told."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator

import pytest

from services.awslambda.limits import MAXIMUM_RESPONSE_BYTES
from services.awslambda.runtime_api import RuntimeApi, Work, post
from tests.waiting import wait_until

PREFIX = "/2018-06-01/runtime"


@pytest.mark.parametrize(
    ("path", "kind", "request_id", "status"),
    [
        (f"{PREFIX}/invocation/r-1/response", "response", "r-1", 202),
        (f"{PREFIX}/invocation/r-1/error", "error", "r-1", 202),
        (f"{PREFIX}/init/error", "init_error", "", 202),
    ],
)
def test_a_post_tells_what_became_of_the_invocation(
    path: str, kind: str, request_id: str, status: int
) -> None:
    event, answer = post(path, b"{}", {})
    assert event is not None
    assert (event.kind, event.request_id, event.body) == (kind, request_id, b"{}")
    assert answer.status == status


def test_a_post_elsewhere_is_not_found() -> None:
    event, answer = post("/2018-06-01/runtime/elsewhere", b"", {})
    assert event is None
    assert answer.status == 404


def test_an_extension_hears_that_there_are_none_here() -> None:
    event, answer = post("/2020-01-01/extension/register", b"{}", {})
    assert event is None
    assert answer.status == 501
    assert json.loads(answer.body)["errorType"] == "Extension.NotSupported"


def test_a_response_over_six_megabytes_is_refused() -> None:
    event, answer = post(f"{PREFIX}/invocation/r/response", b"x" * (MAXIMUM_RESPONSE_BYTES + 1), {})
    assert event is not None
    assert event.kind == "too_large"
    assert answer.status == 413


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    api = RuntimeApi(on_idle=lambda: None, on_work=lambda: None)
    yield api
    api.close()


def test_the_runtime_waits_for_work_and_receives_it_with_its_headers(api: RuntimeApi) -> None:
    runtime = http.client.HTTPConnection(api.address)
    runtime.request("GET", f"{PREFIX}/invocation/next")
    assert api.next_event(time.monotonic() + 30).kind == "ready"
    api.offer(
        Work(request_id="r", payload=b"[1]", invoked_function_arn="arn", deadline=1.5, trace_id="t")
    )
    answer = runtime.getresponse()
    assert answer.read() == b"[1]"
    assert answer.getheader("Lambda-Runtime-Aws-Request-Id") == "r"
    assert answer.getheader("Lambda-Runtime-Invoked-Function-Arn") == "arn"
    assert answer.getheader("Lambda-Runtime-Deadline-Ms") == "1500"
    assert answer.getheader("Lambda-Runtime-Client-Context") is None
    runtime.close()


def test_a_response_sent_in_chunks_arrives_whole(api: RuntimeApi) -> None:
    runtime = http.client.HTTPConnection(api.address)
    path = f"{PREFIX}/invocation/r/response"
    headers = {"Transfer-Encoding": "chunked"}
    runtime.request("POST", path, iter([b"[1", b",2]"]), headers, encode_chunked=True)
    assert runtime.getresponse().status == 202
    assert api.next_event(time.monotonic() + 30).body == b"[1,2]"
    runtime.close()


def test_no_thread_is_left_after_closing() -> None:
    before = threading.active_count()
    api = RuntimeApi(on_idle=lambda: None, on_work=lambda: None)
    runtime = http.client.HTTPConnection(api.address)
    runtime.request("GET", f"{PREFIX}/invocation/next")
    api.next_event(time.monotonic() + 30)
    api.close()
    runtime.close()
    wait_until(lambda: threading.active_count() <= before)
