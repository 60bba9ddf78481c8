"""A large object is rows of a few kilobytes: a thing more in it is a row or two."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as some

from services.localstack.state.pickling import dumps
from services.localstack.state.pieces import (
    PIECE_BYTES,
    SMALL_BYTES,
    Marks,
    cut,
    difference,
    joined,
    marks_of,
)
from services.localstack.state.rows import StateRows
from tests.services.localstack.state.test_keeper import MADE_BY, kept

SIZES = (0, 1, PIECE_BYTES, 2 * PIECE_BYTES + 5, SMALL_BYTES, SMALL_BYTES + PIECE_BYTES)


@given(
    some.dictionaries(
        some.text("ab/-#"[:4], max_size=3), some.integers(0, 3 * PIECE_BYTES + 1), max_size=4
    )
)
def test_what_was_cut_is_joined_again(sizes: dict[str, int]) -> None:
    contents = {name: name.encode() * size or b"x" for name, size in sizes.items()}
    pieces = [piece for name, content in contents.items() for piece in cut(name, content)]
    assert all(len(content) <= PIECE_BYTES for _, content in pieces)
    assert joined([("message/1", b"not a piece"), *reversed(pieces)]) == contents


@given(
    some.lists(
        some.dictionaries(some.sampled_from("ab"), some.sampled_from(SIZES), max_size=2), max_size=5
    ),
    some.booleans(),
)
def test_what_is_there_becomes_what_shall_be_there(
    states: list[dict[str, int]], are_read_again: bool
) -> None:
    rows: dict[str, bytes] = {}
    marks: Marks = {}
    for number, sizes in enumerate(states):
        wanted = {name: b"%d" % number + bytes(size) for name, size in sizes.items()}
        new, gone, marks = difference(marks, wanted.items())
        rows = {key: row for key, row in rows.items() if key not in gone} | dict(new)
        assert joined(rows.items()) == wanted
        again = difference(marks_of(rows.items()) if are_read_again else marks, wanted.items())
        assert (again.new, again.gone) == ([], [])


def test_an_object_of_the_first_form_is_cut_when_it_changes() -> None:
    first = [("store/a", bytes(3 * PIECE_BYTES))]
    found = difference(marks_of(first), [("a", bytes(3 * PIECE_BYTES - 1) + b"x")])
    assert [key for key, _ in found.new] == ["store/a", "store/a#000001", "store/a#000002"]


def topics(count: int) -> dict[str, dict[str, str]]:
    return {f"topic-{n}": {"arn": f"arn:{n}", "policy": f"{n}" * 100} for n in range(count)}


def test_a_thing_more_is_a_small_write_and_a_small_store_leaves_no_piece(tmp_path: Path) -> None:
    keeper, notes = kept(tmp_path)
    notes.values["here"] = topics(1000)
    keeper.changed("notes")
    written: list[int] = []
    write = StateRows.write

    def counted(rows: StateRows, put: list[tuple[str, bytes]], removed: list[str]) -> None:
        written.append(sum(len(content) for _, content in put))
        write(rows, put, removed)

    StateRows.write = counted  # type: ignore[assignment,method-assign]
    try:
        notes.values["here"]["one more"] = {"arn": "more"}
        keeper.changed("notes")
    finally:
        StateRows.write = write  # type: ignore[method-assign]
    assert len(written) == 1
    assert written[0] <= 3 * PIECE_BYTES < len(dumps(notes.values["here"])) / 5
    keeper.close()
    keeper, notes = kept(tmp_path)
    assert notes.values == {"here": topics(1000) | {"one more": {"arn": "more"}}}
    notes.values["here"] = "small"
    keeper.changed("notes")
    database = sqlite3.connect(tmp_path / "notes.sqlite3")
    assert database.execute("SELECT name FROM rows").fetchall() == [("store/here",)]
    database.close()
    keeper.close()
    rows = StateRows(tmp_path / "notes.sqlite3", MADE_BY)
    assert rows.below() == [("store/here", dumps("small"))]
    rows.close()
