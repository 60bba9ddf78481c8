from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from producer.ledger import (
    Acknowledgement,
    GivingUp,
    Ledger,
    LedgerUnusable,
    read_ledger,
    summarize,
)

FRANCE = {"France": Decimal("15.30")}


def write(path: Path) -> None:
    with Ledger(path, "orders", now=lambda: 7.5) as ledger:
        ledger.sent(["e-1", "e-2", "e-3"])
        ledger.acknowledged([Acknowledgement("e-1", "shardId-000000000000", "49", FRANCE)])
        ledger.given_up([GivingUp("e-2", "Expired", "too late")])


def test_every_event_can_be_read_back_in_order(tmp_path: Path) -> None:
    write(tmp_path / "ledger")
    entries = list(read_ledger(tmp_path / "ledger"))
    assert [(e.kind, e.event_id) for e in entries] == [
        ("sent", "e-1"),
        ("sent", "e-2"),
        ("sent", "e-3"),
        ("acknowledged", "e-1"),
        ("given_up", "e-2"),
    ]
    assert entries[3].shard_id == "shardId-000000000000"
    assert entries[3].amounts == {"France": "15.30"}
    assert entries[4].reason == "Expired: too late"


def test_the_summary_counts_and_adds_up(tmp_path: Path) -> None:
    write(tmp_path / "ledger")
    summary = summarize(tmp_path / "ledger")
    assert (summary.stream_name, summary.sent) == ("orders", 3)
    assert (summary.acknowledged, summary.given_up, summary.in_doubt) == (1, 1, ["e-3"])
    assert summary.amounts == FRANCE
    assert summary.reasons == {"Expired: too late": 1}


def test_amounts_are_added_without_rounding(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        rows = [Acknowledgement(str(n), "s", "1", {"x": Decimal("0.1")}) for n in range(10)]
        ledger.acknowledged(rows)
    assert summarize(tmp_path / "ledger").amounts == {"x": Decimal("1.0")}


@pytest.mark.parametrize("lost", [1, 5, 40])
def test_a_torn_last_line_is_left_out_and_the_next_producer_goes_on(
    tmp_path: Path, lost: int
) -> None:
    path = tmp_path / "ledger"
    write(path)
    os.truncate(path, path.stat().st_size - lost)
    assert summarize(path).in_doubt == ["e-2", "e-3"]
    with Ledger(path) as ledger:
        ledger.acknowledged([Acknowledgement("e-2", "shardId-000000000001", "50")])
    assert summarize(path).in_doubt == ["e-3"]


def test_a_ledger_torn_in_its_header_starts_anew(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_bytes(b'{"ledg')
    write(tmp_path / "ledger")
    assert summarize(tmp_path / "ledger").sent == 3


def test_a_ledger_in_use_is_refused(tmp_path: Path) -> None:
    with (
        Ledger(tmp_path / "ledger"),
        pytest.raises(LedgerUnusable, match="another producer"),
    ):
        Ledger(tmp_path / "ledger")


def test_a_file_that_is_no_ledger_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("milk\neggs\n")
    with pytest.raises(LedgerUnusable, match=r"notes\.txt is not a ledger"):
        Ledger(path)
    with pytest.raises(LedgerUnusable):
        list(read_ledger(path))
    assert path.read_text() == "milk\neggs\n"


def test_an_unfinished_last_line_of_a_foreign_file_is_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("milk\neggs")
    with pytest.raises(LedgerUnusable):
        Ledger(path)
    assert path.read_text() == "milk\neggs"


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    write(tmp_path / "ledger")
    with open(tmp_path / "ledger", "ab") as file:
        file.write(b"not json\n")
    with pytest.raises(LedgerUnusable, match="line 5"):
        list(read_ledger(tmp_path / "ledger"))
