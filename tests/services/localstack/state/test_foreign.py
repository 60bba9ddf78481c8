"""A state of somebody else that would call something while it is read does not load."""

from __future__ import annotations

import ast
import os
import pickle
import sqlite3
import threading
from collections import OrderedDict, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.localstack.data_folder import Identity
from services.localstack.engine import Engine
from services.localstack.s3.journal import Journal, Row
from services.localstack.state import archive, foreign
from services.localstack.state.archive import ArchiveRefused
from services.localstack.state.foreign import ForeignRefused
from services.localstack.state.keeper import Keeper
from services.localstack.state.pickling import dumps
from services.localstack.state.pieces import cut
from services.localstack.state.rows import StateRows
from services.settings import from_environment
from tests.services.localstack.state.test_pickling import Evil

MADE_BY = {"localstack-core": "4.14.0"}
HARMLESS = {
    "when": datetime(2026, 1, 1, tzinfo=UTC),
    "zone": ZoneInfo("Europe/Berlin"),
    "amount": Decimal("1.50"),
    "nested": defaultdict(list, {"a": [1, (2, b"3"), {4}]}),
    "ordered": OrderedDict(a=threading.RLock()),
    "object": Identity(1, "h", 2, 3.0),
    "class": Engine,
}
EVIL = {
    "os": Evil(os.system, "touch /tmp/never"),
    "builtins": Evil(eval, "1"),
    "a class of ours": Evil(Keeper, Path("/tmp/never"), {}),
    "a function of ours": Evil(from_environment, {}),
    "within": [{"a": ({"b": Evil(os.system, "true")},)}],
    "as a key": {Evil(os.system, "true"): 1},
    "a chain": Evil(Evil, os.system, "true"),
}

EVIL_AFTER_A_WHILE = pickle.dumps(["x" * 20_000, EVIL["os"]])


def state(folder: Path, place: str, content: bytes) -> Path:
    """A folder whose only row or pickle is this."""
    file = folder / place
    file.parent.mkdir(parents=True)
    if place.startswith("state/"):
        rows = StateRows(file, MADE_BY)
        rows.write([("store/0", content)])
        rows.close()
    elif place.startswith("s3/"):
        journal = Journal(file)
        journal.write([Row("object", "b", "k", content)])
        journal.close()
    else:
        file.write_bytes(content)
    return folder


PLACES = ("state/sqs.sqlite3", "s3/journal.sqlite3", "lambda/functions.pickle", "dynamodb.tables")


@pytest.mark.parametrize("place", PLACES)
def test_what_an_engine_wrote_is_taken(tmp_path: Path, place: str) -> None:
    foreign.check(state(tmp_path / "data", place, dumps(HARMLESS)))


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
@pytest.mark.parametrize("place", PLACES)
def test_an_archive_that_would_call_something_is_refused(
    tmp_path: Path, place: str, evil: object
) -> None:
    archive.save(state(tmp_path / "evil", place, pickle.dumps(evil)), tmp_path / "lab.tgz", MADE_BY)
    words = rf"lab\.tgz holds {place}, which would call or name .*: no saved state does"
    with pytest.raises(ArchiveRefused, match=words):
        archive.load(tmp_path / "lab.tgz", tmp_path / "data", MADE_BY)
    assert not archive.has_state(tmp_path / "data")
    assert not Path("/tmp/never").exists()


def test_pieces_are_looked_at_together(tmp_path: Path) -> None:
    for name, content in (("good", dumps(["x" * 20_000, 1])), ("evil", EVIL_AFTER_A_WHILE)):
        (tmp_path / name / "state").mkdir(parents=True)
        rows = StateRows(tmp_path / name / "state/sns.sqlite3", MADE_BY)
        rows.write(cut("0", content))
        rows.close()
    foreign.check(tmp_path / "good")
    with pytest.raises(ForeignRefused, match=r"would call or name (posix|os)\.system"):
        foreign.check(tmp_path / "evil")


def test_objects_whose_names_look_like_pieces_are_looked_at_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "s3").mkdir()
    journal = Journal(tmp_path / "s3/journal.sqlite3")
    evil = pickle.dumps(EVIL["os"])
    journal.write(
        [Row("object", "b", "store/a", dumps(1)), Row("object", "b", "store/a#000001", evil)]
    )
    journal.close()
    with pytest.raises(ForeignRefused, match=r"would call or name (posix|os)\.system"):
        foreign.check(tmp_path)


@pytest.mark.parametrize("place", PLACES)
def test_garbage_where_a_row_should_be_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(ForeignRefused, match="cannot be read"):
        foreign.check(state(tmp_path / "data", place, b"\x80\x05garbage"))


@pytest.mark.parametrize("damage", ["garbage", "half", "view", "text"])
def test_a_file_of_rows_that_is_none_is_refused(tmp_path: Path, damage: str) -> None:
    folder = state(tmp_path / "data", "state/sns.sqlite3", dumps("x" * 20_000))
    file = folder / "state/sns.sqlite3"
    if damage == "garbage":
        file.write_bytes(b"garbage" * 1000)
    elif damage == "half":
        file.write_bytes(file.read_bytes()[:9000])
    else:
        odd = {
            "view": "CREATE VIEW v AS SELECT 1",
            "text": "UPDATE rows SET content = 'text'",
        }
        database = sqlite3.connect(file, isolation_level=None)
        database.execute(odd[damage])
        database.close()
    with pytest.raises(ForeignRefused, match=r"state/sns\.sqlite3"):
        foreign.check(folder)


def test_every_function_that_reading_may_call_is_known_here() -> None:
    found = set()
    for file in Path(foreign.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            marks = getattr(node, "decorator_list", ())
            if any(isinstance(mark, ast.Name) and mark.id == "maker" for mark in marks):
                found.add((f"services.localstack.state.{file.stem}", getattr(node, "name", "")))
    assert foreign.MAKERS - set(foreign.FORMER_MAKERS) == found
