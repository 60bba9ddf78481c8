"""The verdict: what is missing, doubled or foreign is named, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from scripts.reconcile.reconciliation import Holding, Measure, reconcile


def holding(name: str, ids: Iterable[str], amount: str = "1.10") -> Holding:
    made = Holding(name)
    for event_id in ids:
        made.add(event_id, Measure("France", Decimal(amount)))
    return made


def test_equal_sides_add_up() -> None:
    verdict = reconcile(holding("sent", "abc"), holding("table", "cab"))
    assert verdict.adds_up
    assert (verdict.sent, verdict.stored) == (3, 3)


def test_a_lost_event_is_named() -> None:
    verdict = reconcile(holding("sent", "abc"), holding("table", "ac"))
    assert not verdict.adds_up
    assert verdict.first_missing == ("b",)


def test_a_doubled_row_is_counted_and_shows_in_the_sum() -> None:
    verdict = reconcile(holding("sent", "ab"), holding("lake", "abb"))
    assert (verdict.doubled, verdict.first_doubled) == (1, ("b",))
    assert verdict.differing_sums == {"France": (Decimal("2.20"), Decimal("3.30"))}


def test_an_event_nobody_sent_is_named() -> None:
    verdict = reconcile(holding("sent", "a"), holding("lake", "ax"))
    assert not verdict.adds_up
    assert verdict.first_unsent == ("x",)


def test_an_unanswered_event_that_arrived_is_no_fault() -> None:
    verdict = reconcile(
        holding("sent", "a"), holding("lake", "ax"), unconfirmed=holding("unconfirmed", "xy")
    )
    assert verdict.adds_up
    assert verdict.unconfirmed == 1


def test_a_rejected_record_is_counted_and_not_missing() -> None:
    lake = holding("lake", "a")
    lake.rejected = 1
    verdict = reconcile(holding("sent", "ab"), lake, set_aside=["b"])
    assert verdict.adds_up
    assert verdict.rejected == 1


def test_a_changed_amount_is_found_though_every_id_is_there() -> None:
    verdict = reconcile(holding("sent", "a", "1.10"), holding("table", "a", "1.11"))
    assert not verdict.adds_up
    assert verdict.differing_sums == {"France": (Decimal("1.10"), Decimal("1.11"))}


IDS = st.lists(st.integers(0, 40).map(str), max_size=60)


@given(sent=IDS, held=IDS)
def test_sent_and_stored_always_balance(sent: list[str], held: list[str]) -> None:
    verdict = reconcile(holding("sent", set(sent)), holding("sink", held))
    assert verdict.stored == verdict.sent - verdict.missing + verdict.doubled + verdict.unsent
    assert verdict.adds_up == (sorted(held) == sorted(set(sent)))
