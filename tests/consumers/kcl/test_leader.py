"""Everybody must come to the same leader, also workers written in Java."""

from __future__ import annotations

from consumers.kcl.leader import JavaRandom, is_leader, shuffled
from consumers.kcl.lease import Lease


def owned(*owners: str | None) -> list[Lease]:
    return [Lease(str(n), str(n), lease_owner=owner) for n, owner in enumerate(owners)]


def test_random_numbers_are_javas() -> None:
    numbers = JavaRandom(42)
    assert [numbers.next_int(100) for _ in range(8)] == [30, 63, 48, 84, 70, 25, 5, 18]


def test_a_shuffle_is_javas() -> None:
    assert shuffled(list("abcdef")) == list("cdfeab")
    assert shuffled(list("abc")) == list("cab")


def test_exactly_one_of_the_owners_leads() -> None:
    leases = owned("c", "a", "b", "a", None)
    assert [is_leader(leases, name) for name in "abc"].count(True) == 1


def test_without_owners_everybody_leads() -> None:
    assert is_leader(owned(None, None), "a")


def test_a_worker_without_leases_does_not_lead_others() -> None:
    assert not is_leader(owned("b"), "a")


def test_a_shuffle_loses_nobody() -> None:
    names = [f"worker-{n}" for n in range(9)]
    assert sorted(shuffled(names)) == names
