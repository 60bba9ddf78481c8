"""Rows that are there again; files of others and damaged ones that are refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from services.localstack.state.rows import StateRefused, StateRows
from tests.waiting import wait_until

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


def test_what_leaves_soon_is_gone_shortly_after_and_at_the_latest_when_the_file_is_closed(
    tmp_path: Path,
) -> None:
    rows = StateRows(tmp_path / "sns", MADE_BY)
    names = [f"publication/{n:03d}" for n in range(120)]
    rows.write([(name, b"1") for name in names])
    for name in names[:-1]:
        rows.remove_soon(name)
    wait_until(lambda: rows.below() == [(names[-1], b"1")])
    rows.remove_soon(names[-1])
    rows.close()
    again = StateRows(tmp_path / "sns", MADE_BY)
    assert again.below() == []
    again.settle()
    again.write([("publication/1", b"1"), ("publication/2", b"2")])
    again.remove_soon("publication/1")
    assert again.below() == [("publication/2", b"2")]
    again.close()


def test_what_could_not_leave_leaves_as_soon_as_there_is_room(tmp_path: Path) -> None:
    rows = StateRows(tmp_path / "sns", MADE_BY)
    rows.write([("publication/1", b"1")])
    other = sqlite3.connect(tmp_path / "sns", isolation_level=None)
    rows._database.execute("PRAGMA busy_timeout=0")
    other.execute("BEGIN IMMEDIATE")  # nobody else can write now
    rows.settle()
    rows.remove_soon("publication/1")
    assert rows.below() == [("publication/1", b"1")]
    other.execute("COMMIT")
    other.close()
    rows.close()
    assert reopened(tmp_path / "sns") == []


def reopened(file: Path) -> list[tuple[str, bytes]]:
    rows = StateRows(file, MADE_BY)
    found = rows.below()
    rows.close()
    return found


def test_the_first_form_of_the_file_is_read_and_gets_the_present_number(tmp_path: Path) -> None:
    rows = StateRows(tmp_path / "sqs", MADE_BY)
    rows.write([("store/a", b"1")])
    rows._database.execute("PRAGMA user_version=1")
    rows.close()
    assert reopened(tmp_path / "sqs") == [("store/a", b"1")]
    database = sqlite3.connect(tmp_path / "sqs")
    assert database.execute("PRAGMA user_version").fetchone() == (2,)
    database.close()
