"""Rows that are there again; files of others and damaged ones that are refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from services.localstack.state.rows import StateRefused, StateRows

MADE_BY = {"localstack-core": "4.14.0"}


def test_rows_are_there_again_and_are_found_by_how_they_begin(tmp_path: Path) -> None:
    rows = StateRows(tmp_path / "sqs", MADE_BY)
    rows.write([("store/a", b"1"), ("message/q/1", b"2"), ("message/r/1", b"3")])
    rows.write([("store/a", b"4")], ["message/r/1", "none"])
    rows.remove_below("message/q")
    rows.close()
    again = StateRows(tmp_path / "sqs", MADE_BY, sync=True)
    assert again.below() == [("store/a", b"4")]
    assert again.below("message/") == []
    again.close()


def test_a_write_is_all_or_nothing(tmp_path: Path) -> None:
    rows = StateRows(tmp_path / "sqs", MADE_BY)
    with pytest.raises(sqlite3.Error):
        rows.write([("a", b"1"), ("b", None)])  # type: ignore[list-item]
    assert rows.below() == []
    rows.close()


def test_other_software_a_newer_form_and_foreign_files_are_refused(tmp_path: Path) -> None:
    StateRows(tmp_path / "sqs", MADE_BY).close()
    with pytest.raises(StateRefused, match=r"written by localstack-core 4\.14\.0; this is"):
        StateRows(tmp_path / "sqs", {"localstack-core": "5"})
    database = sqlite3.connect(tmp_path / "sqs")
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(StateRefused, match="version 99"):
        StateRows(tmp_path / "sqs", MADE_BY)
    foreign = sqlite3.connect(tmp_path / "foreign")
    foreign.execute("CREATE TABLE t (a)")
    foreign.close()
    with pytest.raises(StateRefused, match="not a state file"):
        StateRows(tmp_path / "foreign", MADE_BY)


@pytest.mark.parametrize("damage", ["garbage", "half"])
def test_damaged_files_are_refused(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "sqs"
    rows = StateRows(file, MADE_BY)
    rows.write([(f"store/{i}", b"x" * 3000) for i in range(50)])
    rows.close()
    whole = file.read_bytes()
    file.write_bytes(b"garbage" * 1000 if damage == "garbage" else whole[: len(whole) // 2])
    with pytest.raises(StateRefused, match="cannot be read"):
        StateRows(file, MADE_BY)
