"""Positions that outlive the engine."""

from __future__ import annotations

from pathlib import Path

from services.awslambda.event_source_mapping.positions import SHARD_END, Positions
from services.awslambda.event_source_mapping.tumbling_window import Window


def test_positions_and_the_open_window_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "positions" / "u.json"
    first = Positions(path)
    assert first.start(5.0) == 5.0
    first.checkpoint("a", "17", Window(0, 30, {"n": 1}))
    first.checkpoint("b", SHARD_END)
    again = Positions(path)
    assert again.start(99.0) == 5.0
    assert again.sequence_number("a") == "17"
    assert again.window("a") == Window(0, 30, {"n": 1})
    assert again.sequence_number("c") is None
    assert again.ended() == {"b"}


def test_deleted_positions_leave_no_file_and_come_not_back(tmp_path: Path) -> None:
    path = tmp_path / "u.json"
    positions = Positions(path)
    positions.checkpoint("a", "1")
    positions.delete()
    positions.checkpoint("a", "2")
    assert list(tmp_path.iterdir()) == []


def test_without_a_path_positions_live_in_memory() -> None:
    positions = Positions(None)
    positions.checkpoint("a", "1")
    assert positions.sequence_number("a") == "1"
