"""Rows that are there again, and bodies that nobody names any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.localstack.s3.journal import Journal, JournalRefused, Row


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite3")
    yield journal
    journal.close()


def test_a_row_is_there_again(tmp_path: Path, journal: Journal) -> None:
    row = Row("object", "b", "é/ñ key", b"\x00content", ("one", "two"))
    assert journal.write([row]) == set()
    again = Journal(tmp_path / "journal.sqlite3")
    assert list(again.rows("object")) == [row]
    assert again.bodies() == {"one", "two"}
    again.close()


def test_what_is_overwritten_or_removed_leaves_bodies_nobody_names(journal: Journal) -> None:
    journal.write([Row("object", "b", "k", b"1", ("old", "kept"))])
    assert journal.write([Row("object", "b", "k", b"2", ("new", "kept"))]) == {"old"}
    assert journal.write([], [("object", "b", "k"), ("object", "b", "none")]) == {"new", "kept"}
    assert list(journal.rows("object")) == []


def test_a_body_that_moves_from_an_upload_to_its_object_stays(journal: Journal) -> None:
    journal.write([Row("upload", "b", "id", b"1", ("part",))])
    assert (
        journal.write([Row("object", "b", "k", b"2", ("part",))], [("upload", "b", "id")]) == set()
    )


def test_a_write_is_all_or_nothing(journal: Journal) -> None:
    journal.write([Row("object", "b", "k", b"1")])
    with pytest.raises(sqlite3.Error):
        journal.write([Row("object", "b", "k", b"2"), Row("object", "b", "k2", None)])  # type: ignore[arg-type]
    assert [row.content for row in journal.rows("object")] == [b"1"]


def test_a_bucket_is_forgotten_whole(journal: Journal) -> None:
    journal.write([Row("bucket", "a", "", b"1"), Row("object", "a", "k", b"1")])
    journal.write([Row("bucket", "b", "", b"1")])
    journal.remove_bucket("a")
    assert [row.bucket for row in journal.rows("bucket")] == ["b"]
    assert list(journal.rows("object")) == []


def test_a_damaged_file_and_another_version_are_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"not a database, by far" * 100)
    with pytest.raises(JournalRefused, match="cannot be read"):
        Journal(damaged)
    newer = tmp_path / "newer"
    database = sqlite3.connect(newer)
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(JournalRefused, match="version 99"):
        Journal(newer)


def test_a_journal_of_the_first_form_is_read(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "old")
    database.execute(
        "CREATE TABLE rows (kind TEXT, bucket TEXT, name TEXT, content BLOB NOT NULL, "
        "bodies TEXT NOT NULL, PRIMARY KEY (kind, bucket, name)) WITHOUT ROWID"
    )
    database.execute("INSERT INTO rows VALUES ('object', 'b', 'k', x'01', 'body')")
    database.execute("PRAGMA user_version=1")
    database.commit()
    database.close()
    for _ in range(2):
        journal = Journal(tmp_path / "old")
        assert list(journal.rows("object")) == [Row("object", "b", "k", b"\x01", ("body",))]
        assert journal.names_from("object", "b", "", 9) == ["k"]
        assert journal.content("object", "b", "k") == b"\x01"
        journal.close()


def test_names_are_told_from_one_on_in_the_order_of_their_utf_8(journal: Journal) -> None:
    names = ["a", "a\0", "b", "z", "é", "\ue000", "\U0001f600"]
    journal.write(Row("object", "b", name, b"1") for name in reversed(names))
    journal.write([Row("object", "a", "b", b"1"), Row("upload", "b", "b", b"1")])
    assert journal.names_from("object", "b", "", 9) == names
    assert journal.names_from("object", "b", "b", 2) == ["b", "z"]
    assert journal.names_from("object", "b", "b\0", 2) == ["z", "é"]


def test_a_row_that_is_not_there_has_no_content(journal: Journal) -> None:
    assert journal.content("object", "b", "none") is None
