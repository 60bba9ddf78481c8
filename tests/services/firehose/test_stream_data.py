"""What a delivery stream holds, and that a kill at any moment neither loses nor repeats it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.firehose.buffering import BufferingHints
from services.firehose.destinations.destination import FailedRecord
from services.firehose.errors import ServiceUnavailable
from services.firehose.record import Record, plain_data
from services.firehose.stream_data import StreamData

HINTS = BufferingHints(size_in_mbs=1, interval_in_seconds=60)


def hints_of(buffer: str) -> BufferingHints:
    return HINTS


def target_of(buffer: str, oldest_arrival: float) -> dict[str, Any]:
    return {"key": f"{buffer}-{oldest_arrival}"}


def contents(data: StreamData, now: float) -> dict[str, bytes]:
    """Close what is due, and the content of every delivery by its key."""
    data.close_due(now, hints_of, target_of)
    return {
        delivery.target["key"]: b"".join(map(plain_data, data.contents(delivery.groups)))
        for delivery in data.start_ready(now)
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_a_buffer_is_due_when_it_is_old_enough(folder: Path) -> None:
    data = StreamData(folder, 0)
    data.put([b"a"], ["destination"], 100.0)
    data.put([b"b"], ["destination"], 150.0)
    assert data.next_due(hints_of) == 160.0
    assert contents(data, 159.9) == {}
    assert contents(data, 160.0) == {"destination-100.0": b"ab"}


def test_a_buffer_is_due_when_it_is_full(folder: Path) -> None:
    data = StreamData(folder, 0)
    data.put([b"x" * 1024 * 1024], ["destination"], 100.0)
    assert data.is_due("destination", HINTS, 100.0)


def test_what_was_put_is_there_after_a_kill(folder: Path) -> None:
    StreamData(folder, 0).put([b"a", b"b"], ["destination", "backup"], 100.0)
    assert contents(StreamData(folder, 100.0), 160.0) == {
        "destination-100.0": b"ab",
        "backup-100.0": b"ab",
    }


def test_a_delivery_that_a_kill_interrupted_keeps_its_target_and_its_records(folder: Path) -> None:
    before = StreamData(folder, 0)
    before.put([b"a"], ["destination"], 100.0)
    before.close_due(160.0, hints_of, lambda buffer, oldest: {"key": "decided"})
    before.put([b"later"], ["destination"], 161.0)
    assert contents(StreamData(folder, 161.0), 162.0) == {"decided": b"a"}


def test_what_was_delivered_does_not_come_again_after_a_kill(folder: Path) -> None:
    before = StreamData(folder, 0)
    before.put([b"a"], ["destination"], 100.0)
    before.close_due(160.0, hints_of, target_of)
    (delivery,) = before.start_ready(160.0)
    before.delivered(delivery, [FailedRecord("format-conversion-failed", b"line\n")], 161.0)
    after = StreamData(folder, 200.0)
    assert contents(after, 500.0) == {"error:format-conversion-failed-161.0": b"line\n"}


def test_processing_moves_records_in_one_step(folder: Path) -> None:
    before = StreamData(folder, 0)
    before.put([b"in"], ["incoming"], 100.0)
    before.put([b"next"], ["incoming"], 101.0)
    (first, second) = before.incoming(HINTS, 160.0, at_once=False)
    before.processed([first], {"destination:x": [Record(b"out", 100.0)]}, 160.0)
    after = StreamData(folder, 160.0)
    assert after.incoming(HINTS, 200.0, at_once=True) == [second]
    assert after.partitions() == {"destination:x"}
    assert contents(after, 300.0) == {"destination:x-100.0": b"out"}


def test_a_batch_for_processing_is_no_larger_than_its_hint(folder: Path) -> None:
    data = StreamData(folder, 0)
    for _ in range(5):
        data.put([b"x" * 400_000], ["incoming"], 100.0)
    assert len(data.incoming(HINTS, 100.0, at_once=False)) == 2


def test_positions_come_with_their_records_and_outlive_deleted_segments(folder: Path) -> None:
    data = StreamData(folder, 0)
    data.accept([([Record(b"a", 1.0)], ["destination"])], {"shard-1": "17"}, 100.0)
    for _ in range(70):
        data.accept([([Record(b"x" * 1024 * 1024, 1.0)], ["destination"])], {}, 100.0)
        data.close_due(100.0, hints_of, target_of)
        for delivery in data.start_ready(100.0):
            data.delivered(delivery, [], 100.0)
    assert [path.name for path in folder.iterdir()] == ["00000002.log"]
    assert StreamData(folder, 0).positions == {"shard-1": "17"}


def test_a_clock_that_was_ahead_does_not_hold_a_buffer_back(folder: Path) -> None:
    StreamData(folder, 0).put([b"a"], ["destination"], 10_000.0)
    after = StreamData(folder, 100.0)
    assert after.next_due(hints_of) == 160.0


def test_a_postponed_delivery_waits_longer_each_time(folder: Path) -> None:
    data = StreamData(folder, 0)
    data.put([b"a"], ["destination"], 0.0)
    data.close_due(60.0, hints_of, target_of)
    waits, now = [], 60.0
    for _ in range(9):
        (delivery,) = data.start_ready(now)
        data.postpone(delivery, None, now)
        waits.append(delivery.next_attempt_at - now)
        now = delivery.next_attempt_at
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_stopped_stream_takes_nothing(folder: Path) -> None:
    data = StreamData(folder, 0)
    data.close()
    with pytest.raises(ServiceUnavailable):
        data.put([b"a"], ["destination"], 1.0)


def test_a_buffer_counts_from_when_its_records_came_in_not_from_when_they_were_processed(
    folder: Path,
) -> None:
    data = StreamData(folder, 0)
    data.put([b"in"], ["incoming"], 100.0)
    groups = data.incoming(HINTS, 130.0, True)
    data.processed(groups, {"destination": [Record(b"out", 100.0)]}, 130.0, grows_older=True)
    assert data.next_due(hints_of) == 160.0
    assert StreamData(folder, 130.0).next_due(hints_of) == 160.0


def test_a_buffer_that_is_due_waits_for_what_came_in_before_and_is_still_to_be_processed(
    folder: Path,
) -> None:
    data = StreamData(folder, 0)
    data.put([b"first"], ["destination"], 100.0)
    data.put([b"second"], ["incoming"], 159.0)
    assert data.next_due(hints_of, after_incoming=True) is None
    data.close_due(161.0, hints_of, target_of, after_incoming=True)
    assert data.start_ready(161.0) == []

    groups = data.incoming(HINTS, 161.0, True)
    data.processed(groups, {"destination": [Record(b"second", 159.0)]}, 161.0, grows_older=True)
    data.put([b"later"], ["incoming"], 161.0)
    assert data.next_due(hints_of, after_incoming=True) == 160.0
    data.close_due(161.0, hints_of, target_of, after_incoming=True)
    (delivery,) = data.start_ready(161.0)
    content = b"".join(map(plain_data, data.contents(delivery.groups)))
    assert content == b"firstsecond"


def test_while_a_backlog_passes_full_buffers_are_closed_and_old_ones_as_soon_as_they_are_whole(
    folder: Path,
) -> None:
    """The records of a stream's backlog all arrived there long ago."""
    data = StreamData(folder, 0)
    for came_at in (100.0, 130.0, 165.0):
        data.accept([([Record(b"x", 7.0)], ["incoming"])], {}, came_at)
    first, second, third = data.incoming(HINTS, 165.0, True)
    big = b"x" * 1024 * 1024
    out = {"destination:big": [Record(big, 7.0)], "destination:small": [Record(b"s", 7.0)]}
    data.processed([first], out, 165.0, grows_older=True)

    def closed() -> list[str]:
        data.close_due(165.0, hints_of, target_of, after_incoming=True)
        return [delivery.buffer for delivery in data.start_ready(165.0)]

    assert closed() == ["destination:big"]
    data.processed([second], {"destination:small": [Record(b"t", 7.0)]}, 165.0, grows_older=True)
    # The third came when the interval was over.
    assert closed() == ["destination:small"]
    assert data.incoming(HINTS, 165.0, True) == [third]


def test_a_segment_goes_when_the_last_delivery_from_it_is_over(folder: Path) -> None:
    data = StreamData(folder, 0)
    for number in range(70):
        name = f"destination:{number % 7}"
        data.put([b"x" * 1024 * 1024], [name, "backup"], 100.0)

    def segments(found: StreamData) -> list[str]:
        return sorted(path.name for path in folder.iterdir())

    assert segments(data) == ["00000001.log", "00000002.log"]
    data.close_due(200.0, hints_of, target_of)
    # What is needed is counted anew from the journal after a kill.
    data.close()
    data = StreamData(folder, 200.0)
    deliveries = data.start_ready(200.0)
    assert len(deliveries) == 8
    for delivery in deliveries:
        assert segments(data) == ["00000001.log", "00000002.log"]
        data.delivered(delivery, [], 200.0)
    assert segments(data) == ["00000002.log"]
    assert data.is_empty()
