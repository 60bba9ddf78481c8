"""A large object is rows of a few kilobytes: a thing more in it is a row or two."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as some

from services.localstack.state.pickling import dumps
from services.localstack.state.pieces import PIECE_BYTES, cut, joined
from services.localstack.state.rows import StateRows
from tests.services.localstack.state.test_keeper import MADE_BY, kept


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
    assert StateRows(tmp_path / "notes.sqlite3", MADE_BY).below()[0][1] == dumps("small")
