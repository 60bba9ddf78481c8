"""Shard limits are told and switched on a real engine."""

from __future__ import annotations

import json

import pytest

from scripts.command_line.failures import ExitCode
from tests.conftest import EngineUnderTest
from tests.scripts.command import riacho


def test_shard_limits_are_told_and_switched_while_the_engine_runs(engine: EngineUnderTest) -> None:
    there = ("--endpoint-url", engine.endpoint_url)
    assert "are off" in riacho("limits", *there).stdout
    try:
        assert "1,000 records a second" in riacho("limits", "aws", *there).stdout
        told = riacho("limits", "--json", *there)
        assert json.loads(told.stdout) == {"shard_limits": "aws"}
    finally:
        assert riacho("limits", "off", *there).returncode == 0
    assert engine.engine.admin("kinesis/shard-limits") == {"shard_limits": "off"}


def test_a_limit_that_is_none_is_refused() -> None:
    told = riacho("limits", "maybe")

    assert told.returncode == 2
    assert "'maybe' is not one of 'aws', 'off'" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("command", ["limits", "clock"])
def test_without_an_engine_a_sentence_says_so(command: str) -> None:
    told = riacho(command, "--endpoint-url", "http://127.0.0.1:9")

    assert told.returncode == ExitCode.NOT_RUNNING
    assert told.stderr.startswith("No engine of Riacho's answers at http://127.0.0.1:9 (")
    assert told.stderr.count("\n") == 1
