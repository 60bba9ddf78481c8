"""What a ReportBatchItemFailures answer means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.awslambda.event_source_mapping.function_result import first_failed

BATCH = ("10", "11", "12")


def failures(*identifiers: object) -> bytes:
    items = [{"itemIdentifier": identifier} for identifier in identifiers]
    return json.dumps({"batchItemFailures": items}).encode()


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"{}", b'""', b'{"batchItemFailures": []}', b'{"batchItemFailures": null}'],
)
def test_these_answers_are_full_success(payload: bytes) -> None:
    assert first_failed(payload, BATCH) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"no JSON",
        b"[1]",
        b'"text"',
        b'{"batchItemFailures": "11"}',
        b'{"batchItemFailures": [{"wrong": "11"}]}',
        b'{"batchItemFailures": ["11"]}',
        failures(""),
        failures(None),
        failures("unknown"),
        failures("11", "unknown"),
        failures(11),
    ],
)
def test_these_answers_fail_the_whole_batch(payload: bytes) -> None:
    assert first_failed(payload, BATCH) == 0


def test_the_lowest_of_the_returned_records_is_the_checkpoint() -> None:
    assert first_failed(failures("12", "11"), BATCH) == 1


@given(st.binary())
def test_any_answer_means_something(payload: bytes) -> None:
    assert first_failed(payload, BATCH) in (None, 0, 1, 2)
