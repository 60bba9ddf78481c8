"""When state is written, and what happens when it cannot be read or written."""

from __future__ import annotations

import sqlite3
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from services.localstack.state.keeper import BUSY_SECONDS, IDLE_SECONDS, Keeper
from services.localstack.state.pickling import dumps, loads
from services.localstack.state.rows import StateRows
from tests.waiting import wait_until

MADE_BY = {"localstack-core": "4.14.0"}


class Notes:
    """A service that keeps named values."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.busy = False

    def rows(self) -> Iterable[tuple[str, Any]]:
        return list(self.values.items())

    def put_back(self, rows: Iterable[tuple[str, Any]]) -> None:
        self.values |= dict(rows)

    def bring_back_own_rows(self, file: StateRows) -> None:
        """None."""

    def forget(self) -> None:
        self.values.clear()

    def is_busy(self) -> bool:
        return self.busy


def kept(folder: Path) -> tuple[Keeper, Notes]:
    keeper, notes = Keeper(folder, MADE_BY), Notes()
    keeper.load("notes", notes)
    return keeper, notes


def on_disk(folder: Path) -> dict[str, Any]:
    database = sqlite3.connect(folder / "notes.sqlite3")
    rows = database.execute("SELECT name, content FROM rows").fetchall()
    database.close()
    return {name: loads(content) for name, content in rows}


def test_a_change_is_on_disk_when_its_call_is_answered(tmp_path: Path) -> None:
    keeper, notes = kept(tmp_path / "state")
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    notes.values["a"] = {1: "x"}
    keeper.changed("notes")
    assert on_disk(tmp_path / "state") == {"store/a": {1: "x"}}
    del notes.values["a"]
    keeper.changed("notes")
    assert on_disk(tmp_path / "state") == {}
    keeper.close()


def test_what_changes_by_itself_is_written_soon_while_the_service_is_busy(tmp_path: Path) -> None:
    keeper, notes = kept(tmp_path)
    notes.busy = True
    keeper.changed("notes")
    notes.values["state"] = "CREATE_COMPLETE"
    wait_until(lambda: on_disk(tmp_path) == {"store/state": "CREATE_COMPLETE"})
    keeper.close()
    again = kept(tmp_path)
    assert again[1].values == {"state": "CREATE_COMPLETE"}
    again[0].close()


def test_a_call_after_which_something_goes_on_is_looked_after_at_once(tmp_path: Path) -> None:
    keeper, notes = kept(tmp_path)
    notes.values["state"] = "CREATE_IN_PROGRESS"
    keeper.save_all()
    wait_until(lambda: keeper.next_look("notes") > time.monotonic() + IDLE_SECONDS / 2)
    notes.busy = True
    keeper.changed("notes")
    assert keeper.next_look("notes") <= time.monotonic() + BUSY_SECONDS
    notes.values["state"] = "CREATE_COMPLETE"
    wait_until(lambda: on_disk(tmp_path) == {"store/state": "CREATE_COMPLETE"}, every=0.01)
    keeper.close()


def test_what_was_just_brought_back_is_not_written_down_while_services_start(
    tmp_path: Path,
) -> None:
    keeper, notes = kept(tmp_path)
    notes.values["a"] = "a" * 10_000_000
    keeper.changed("notes")
    keeper.close()
    again, brought_back = kept(tmp_path)
    assert again.next_look("notes") > time.monotonic() + 2 * IDLE_SECONDS
    brought_back.values["a"] = 2
    again.changed("notes")
    assert on_disk(tmp_path) == {"store/a": 2}, "a call's change does not wait for the look"
    again.close()


def test_what_goes_on_at_once_is_looked_at_at_once(tmp_path: Path) -> None:
    keeper, notes = kept(tmp_path)
    notes.values["a"] = 1
    keeper.changed("notes")
    keeper.close()
    again, running = Keeper(tmp_path, MADE_BY), Notes()
    running.busy = True
    again.load("notes", running)
    assert again.next_look("notes") <= time.monotonic() + 2 * BUSY_SECONDS
    again.close()


def test_what_cannot_be_read_is_set_aside_and_the_service_starts_empty(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = StateRows(tmp_path / "notes.sqlite3", MADE_BY)
    rows.write([("store/a", dumps("kept")), ("store/b", b"garbage")])
    rows.close()
    keeper, notes = kept(tmp_path)
    assert notes.values == {}
    assert "notes starts empty" in caplog.text
    (aside,) = tmp_path.glob("notes.sqlite3.set-aside-*")
    assert (aside / "notes.sqlite3").exists()
    notes.values["a"] = "new"
    keeper.changed("notes")
    assert on_disk(tmp_path) == {"store/a": "new"}
    keeper.close()


def test_a_write_that_fails_is_made_up_for_as_soon_as_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, notes = kept(tmp_path)
    written = StateRows.write

    def full(rows: StateRows, *_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    notes.values["a"] = 1
    with monkeypatch.context() as patched:
        patched.setattr(StateRows, "write", full)
        with pytest.raises(sqlite3.OperationalError, match="disk is full"):
            keeper.changed("notes")
    assert StateRows.write is written
    keeper.save_all()
    assert on_disk(tmp_path) == {"store/a": 1}
    keeper.close()
