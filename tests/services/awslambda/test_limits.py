"""Lambda's quotas on payloads."""

from __future__ import annotations

import pytest

from services.awslambda.limits import (
    MAXIMUM_EVENT_BYTES,
    MAXIMUM_REQUEST_BYTES,
    refuse_payload,
)


def padded(size: int) -> bytes:
    return b'"' + b"x" * (size - 2) + b'"'


@pytest.mark.parametrize("payload", [b"", b"{}", b"null", b'"text"', padded(MAXIMUM_REQUEST_BYTES)])
def test_a_payload_within_the_limit_is_taken(payload: bytes) -> None:
    assert refuse_payload(payload, is_event=False) is None


@pytest.mark.parametrize(
    ("size", "is_event"), [(MAXIMUM_REQUEST_BYTES + 1, False), (MAXIMUM_EVENT_BYTES + 1, True)]
)
def test_a_payload_over_the_limit_is_refused_with_its_size_and_the_limit(
    size: int, is_event: bool
) -> None:
    refusal = refuse_payload(padded(size), is_event=is_event)
    assert refusal is not None
    assert (refusal.code, refusal.status) == ("RequestEntityTooLargeException", 413)
    assert f"{size} byte payload" in refusal.message
    assert f"limit {size - 1} bytes" in refusal.message


@pytest.mark.parametrize("payload", [b"{", b"'text'", b"\xff", b"[" * 100_000])
def test_a_payload_that_is_no_json_is_refused(payload: bytes) -> None:
    refusal = refuse_payload(payload, is_event=False)
    assert refusal is not None
    assert refusal.code == "InvalidRequestContentException"
