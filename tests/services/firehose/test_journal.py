"""What the write-ahead file keeps over a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.firehose.journal import Journal, JournalDamaged
from services.firehose.record import (
    KinesisMetadata,
    Record,
    pack,
    pack_arrived_together,
    plain_data,
    unpack,
)


def headers(folder: Path) -> list[dict[str, object]]:
    journal = Journal(folder)
    found = [{k: v for k, v in e.header.items() if k != "groups"} for e in journal.entries()]
    journal.close()
    return found


def test_what_was_appended_is_read_again_after_a_kill(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    first = journal.append({"a": 1}, [pack_arrived_together([b"x", b"yy"], 5.0)])
    journal.append({"b": 2})
    again = Journal(tmp_path)  # nobody closed the first one
    entries = list(again.entries())
    assert [entry.groups for entry in entries] == [first.groups, ()]
    assert plain_data(again.read(first.groups[0])) == b"xyy"
    assert [record.data for record in unpack(again.read(first.groups[0]))] == [b"x", b"yy"]
    journal.close()
    again.close()


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_an_entry_that_a_kill_cut_short_is_gone_and_the_others_are_there(
    tmp_path: Path, cut: int
) -> None:
    journal = Journal(tmp_path)
    journal.append({"n": 1}, [pack_arrived_together([b"kept"], 1.0)])
    journal.append({"n": 2}, [pack_arrived_together([b"cut off" * 10], 1.0)])
    journal.close()
    file = tmp_path / "00000001.log"
    file.write_bytes(file.read_bytes()[:-cut])
    assert headers(tmp_path) == [{"n": 1}]
    # What is appended afterwards follows the last whole entry.
    again = Journal(tmp_path)
    assert len(list(again.entries())) == 1
    again.append({"n": 3})
    again.close()
    assert headers(tmp_path) == [{"n": 1}, {"n": 3}]


def test_damage_in_an_older_segment_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=1)
    journal.append({"n": 1})
    journal.append({"n": 2})
    journal.close()
    file = tmp_path / "00000001.log"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(JournalDamaged, match="is damaged at byte 0"):
        headers(tmp_path)


def test_old_segments_are_deleted_and_the_last_one_stays(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=1)
    for number in range(4):
        journal.append({"n": number})
    journal.forget_before(3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000003.log", "00000004.log"]
    journal.forget_before(99)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000004.log"]
    journal.close()


records = st.lists(
    st.builds(
        Record,
        st.binary(max_size=50),
        st.floats(min_value=0, max_value=2e9),
        st.none() | st.builds(KinesisMetadata, st.just("1"), st.just(0), st.text(), st.just("s")),
    ),
    min_size=1,
)


@given(records)
@settings(max_examples=50)
def test_packed_records_come_back_as_they_were(given_records: list[Record]) -> None:
    packed = pack(given_records)
    assert list(unpack(packed.content)) == given_records
    assert packed.record_count == len(given_records)
    assert packed.size == sum(len(record.data) for record in given_records)
    assert packed.oldest_arrival == min(record.arrival for record in given_records)
