"""Checkpoints when batches of one shard finish out of order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.awslambda.event_source_mapping.progress import Progress


def test_the_checkpoint_waits_for_what_is_before_it() -> None:
    progress = Progress()
    progress.take(["1", "2", "3", "4"])
    assert progress.finish(["2", "3"]) is None
    assert progress.finish(["1"]) == "3"
    assert not progress.is_done
    assert progress.finish(["4"]) == "4"
    assert progress.is_done


@given(st.permutations(range(12)))
def test_in_any_order_the_checkpoint_never_passes_unfinished_records(order: list[int]) -> None:
    progress, finished = Progress(), set[int]()
    progress.take(str(number) for number in range(12))
    for number in order:
        finished.add(number)
        checkpoint = progress.finish([str(number)])
        if checkpoint is not None:
            assert finished >= set(range(int(checkpoint) + 1))
    assert progress.is_done
