"""Smaller pieces of the agent: endpoints, globs, splitting, backoff."""

from __future__ import annotations

import re

import pytest

from producer.agent.endpoints import endpoint_for
from producer.agent.files import glob_matcher, is_rotated_name
from producer.agent.sending import Backoff
from producer.agent.splitting import Splitting, truncate

ENGINE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}


@pytest.mark.parametrize(
    ("configured", "region", "environment", "expected"),
    [
        (None, None, ENGINE, ("http://127.0.0.1:4566", None)),
        ("", "sa-east-1", ENGINE, ("http://127.0.0.1:4566", "sa-east-1")),
        (
            "https://kinesis.us-west-2.amazonaws.com",
            None,
            ENGINE,
            ("http://127.0.0.1:4566", "us-west-2"),
        ),
        (
            "firehose.cn-north-1.amazonaws.com.cn",
            None,
            ENGINE,
            ("http://127.0.0.1:4566", "cn-north-1"),
        ),
        (
            "https://vpce-1.kinesis.eu-west-1.vpce.amazonaws.com/",
            "us-east-1",
            ENGINE,
            ("http://127.0.0.1:4566", "us-east-1"),
        ),
        ("http://localhost:5000", None, ENGINE, ("http://localhost:5000", None)),
        ("notamazonaws.example.com", None, ENGINE, ("https://notamazonaws.example.com", None)),
        (None, None, {}, (None, None)),
        (
            "kinesis.us-west-2.amazonaws.com",
            None,
            {},
            ("https://kinesis.us-west-2.amazonaws.com", "us-west-2"),
        ),
    ],
)
def test_awss_hosts_lead_to_the_engine_and_others_stay(
    configured: str | None,
    region: str | None,
    environment: dict[str, str],
    expected: tuple[str | None, str | None],
) -> None:
    assert endpoint_for(configured, region, environment) == expected


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("app.log*", ["app.log", "app.log.1"], ["app_log", "xapp.log"]),
        ("*", ["a", ".hidden"], []),
        ("a?.log", ["ab.log"], ["a.log", "abc.log"]),
        ("[ab]-[!0-9].log", ["a-x.log"], ["c-x.log", "a-1.log"]),
        ("{access,error}.log*", ["access.log", "error.log.1"], ["debug.log"]),
        ("a\\*b", ["a*b"], ["axb"]),
        ("a(b)+.log", ["a(b)+.log"], ["ab.log"]),
    ],
)
def test_globs_are_javas(pattern: str, matching: list[str], others: list[str]) -> None:
    matches = glob_matcher(pattern)
    assert all(map(matches, matching))
    assert not any(map(matches, others))


@pytest.mark.parametrize(
    ("name", "original", "is_rotated"),
    [
        ("app.log.1", "app.log", True),
        ("app.log-20260101", "app.log", True),
        ("app-20260101.log", "app.log", True),
        ("app2.log", "app.log", False),
        ("web.log", "app.log", False),
    ],
)
def test_names_that_rotation_gives(name: str, original: str, is_rotated: bool) -> None:
    assert is_rotated_name(name, original) is is_rotated


def test_lines_are_cut_at_line_feeds_only() -> None:
    assert Splitting().split(b"a\rb\nc\r\n\nd", is_all=True) == [b"a\rb\n", b"c\r\n", b"\n"]


def test_lines_are_packed_together_up_to_a_size() -> None:
    records = Splitting(together_bytes=5).split(b"a\nb\nlonger line\nc\nd", is_all=False)
    assert records == [b"a\nb\n", b"longer line\n", b"c\n"]


def test_a_start_pattern_begins_a_record() -> None:
    splitting = Splitting(re.compile(r"\d"))
    assert splitting.split(b"x\n1\ny\n2\n", is_all=False) == [b"x\n", b"1\ny\n"]
    assert splitting.split(b"x\n1\ny\n2\n", is_all=True) == [b"x\n", b"1\ny\n", b"2\n"]


def test_too_long_a_record_is_cut_and_ends_with_the_terminator() -> None:
    assert truncate(b"x" * 10, 8, b"\n") == b"x" * 7 + b"\n"
    assert truncate(b"x" * 8, 8, b"\n") == b"x" * 8


def test_the_wait_doubles_up_to_the_longest_and_recovers_after_a_success() -> None:
    backoff = Backoff(0.1, 0.5)
    waits = [backoff.failed(0.5) for _ in range(4)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.5])
    assert backoff.failed(0.0) == pytest.approx(0.35)
    assert backoff.failed(1.0) == pytest.approx(0.65)
    backoff.succeeded()
    assert backoff.failed(0.5) == pytest.approx(0.1)
