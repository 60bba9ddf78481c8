"""What functions write becomes log events as CloudWatch shows them on AWS."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.awslambda import log_lines
from services.awslambda.log_lines import LogEvent, Report

FRAME = b"\xa5\x5a\x00\x03"


def frame(message: bytes, millis: int) -> bytes:
    return FRAME + struct.pack(">IQ", len(message), millis * 1000) + message


def test_each_line_of_plain_output_is_one_event() -> None:
    assert log_lines.events(b"one\n\ntwo\n", 5) == (LogEvent(5, "one"), LogEvent(5, "two"))


def test_a_framed_message_with_many_lines_stays_one_event_with_its_own_time() -> None:
    output = b"before\n" + frame(b"two\nlines\n", 70) + b"after\n"
    assert log_lines.events(output, 50) == (
        LogEvent(50, "before"),
        LogEvent(70, "two\nlines"),
        LogEvent(70, "after"),
    )


def test_bytes_that_are_no_text_are_shown_as_replacement_characters() -> None:
    (event,) = log_lines.events(b"a\xff\xfeb", 1)
    assert event.message == "a\ufffd\ufffdb"


def test_a_frame_that_was_cut_by_a_kill_is_shown_as_far_as_it_came() -> None:
    (event,) = log_lines.events(frame(b"a long message", 9)[:-4], 1)
    assert event.message == "a long mes"


def test_a_line_longer_than_cloudwatch_takes_is_split() -> None:
    found = log_lines.events(b"x" * (log_lines.MAXIMUM_EVENT_BYTES + 10), 1)
    assert [len(event.message) for event in found] == [log_lines.MAXIMUM_EVENT_BYTES, 10]


@given(st.binary(max_size=400))
def test_any_output_gives_events_in_order_of_time_that_cloudwatch_accepts(output: bytes) -> None:
    found = log_lines.events(output, 1)
    times = [event.timestamp for event in found]
    assert times == sorted(times)
    assert all(event.message.strip() for event in found)


@given(st.lists(st.text(st.characters(codec="ascii"), min_size=1).map(str.strip).filter(bool)))
def test_framed_messages_come_back_as_they_were_written(messages: list[str]) -> None:
    output = b"".join(frame(message.encode(), 7) for message in messages)
    assert [event.message for event in log_lines.events(output, 1)] == messages


def test_the_report_line_is_worded_as_on_aws() -> None:
    figures = Report(
        request_id="r",
        version="1",
        duration_seconds=0.00123,
        memory_size_in_mb=128,
        max_memory_used_in_mb=30,
        init_seconds=0.1005,
    )
    assert log_lines.report(figures) == (
        "REPORT RequestId: r\tDuration: 1.23 ms\tBilled Duration: 102 ms\tMemory Size: 128 MB"
        "\tMax Memory Used: 30 MB\tInit Duration: 100.50 ms\t"
    )


def test_the_json_report_has_the_same_figures() -> None:
    figures = Report(
        request_id="r",
        version="1",
        duration_seconds=3.0,
        memory_size_in_mb=128,
        max_memory_used_in_mb=30,
        status="timeout",
    )
    assert log_lines.report_record(figures) == {
        "requestId": "r",
        "metrics": {
            "durationMs": 3000.0,
            "billedDurationMs": 3000,
            "memorySizeMB": 128,
            "maxMemoryUsedMB": 30,
        },
        "status": "timeout",
    }


@pytest.mark.parametrize(
    ("event_type", "status", "level", "is_kept"),
    [
        ("platform.start", "", "DEBUG", True),
        ("platform.start", "", "INFO", True),
        ("platform.start", "", "WARN", False),
        ("platform.report", "", "WARN", False),
        ("platform.report", "timeout", "WARN", True),
    ],
)
def test_a_json_line_is_kept_from_its_level_on(
    event_type: str, status: str, level: str, is_kept: bool
) -> None:
    lines = log_lines.platform_event(event_type, {"n": 1}, 0.5, level, status)
    wanted = {"time": "1970-01-01T00:00:00.500Z", "type": event_type, "record": {"n": 1}}
    assert [json.loads(line) for line in lines] == ([wanted] if is_kept else [])


def test_the_time_out_line_carries_time_request_and_limit() -> None:
    line = log_lines.timed_out("r", 3, 1_700_000_000.5)
    assert line == "2023-11-14T22:13:20.500Z r Task timed out after 3.00 seconds"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (0, "Runtime exited without providing a reason"),
        (3, "Runtime exited with error: exit status 3"),
        (-9, "Runtime exited with error: signal: killed"),
        (-11, "Runtime exited with error: signal: segmentation fault"),
        (-64, "Runtime exited with error: signal: 64"),
    ],
)
def test_the_end_of_a_runtime_is_worded_as_on_aws(code: int, reason: str) -> None:
    assert log_lines.exit_reason(code, log_lines.SIGNAL_NAMES) == reason
