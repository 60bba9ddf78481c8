"""Compare what was sent with what a sink holds. Pure: holdings in, verdict out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

#: How many event ids a verdict names of each kind.
NAMED_IDS = 10


class Measure(NamedTuple):
    """What an event adds to a sum: revenue of one order line to its country, for example."""

    group: str
    amount: Decimal


@dataclass
class Holding:
    """What one side has: how often each event id, and each event's measure if it has one."""

    name: str
    copies: dict[str, int] = field(default_factory=dict)
    measures: dict[str, Measure] = field(default_factory=dict)
    rejected: int = 0

    def add(self, event_id: str, measure: Measure | None = None) -> None:
        self.copies[event_id] = self.copies.get(event_id, 0) + 1
        if measure is not None:
            self.measures[event_id] = measure

    @property
    def rows(self) -> int:
        """Rows held, doubled ones included."""
        return sum(self.copies.values())

    def sums(self, ids: Iterable[str], *, each_copy: bool) -> dict[str, Decimal]:
        """The sum of each group over `ids`; with `each_copy` a doubled row counts twice."""
        sums: dict[str, Decimal] = {}
        for event_id in ids:
            if (measure := self.measures.get(event_id)) is not None:
                times = self.copies.get(event_id, 1) if each_copy else 1
                sums[measure.group] = sums.get(measure.group, Decimal(0)) + measure.amount * times
        return sums


@dataclass(frozen=True)
class Verdict:
    """What one sink holds of what was sent.

    `missing`: acknowledged to the producer, absent in the sink. `doubled`: copies beyond the
    first. `unsent`: held, but the ledger knows no such event. `unconfirmed`: held although the
    producer never had an answer: harmless, it counts as sent. `rejected`: records that were no
    rows and lie under the rejected prefix. `differing_sums`: group → (sent, held).
    """

    sink: str
    sent: int
    stored: int
    missing: int
    doubled: int
    unsent: int
    unconfirmed: int
    rejected: int
    first_missing: tuple[str, ...] = ()
    first_doubled: tuple[str, ...] = ()
    first_unsent: tuple[str, ...] = ()
    differing_sums: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)

    @property
    def adds_up(self) -> bool:
        return not (self.missing or self.doubled or self.unsent or self.differing_sums)


def reconcile(
    sent: Holding,
    sink: Holding,
    *,
    unconfirmed: Holding | None = None,
    set_aside: Iterable[str] = (),
) -> Verdict:
    """The verdict on one sink.

    `sent` is what was acknowledged, `unconfirmed` what the producer gave up on: it may be in the
    sink or not. `set_aside` are ids that lie in the rejected prefix: they are not missing.
    """
    in_doubt = unconfirmed or Holding("unconfirmed")
    aside = set(set_aside)
    late = [i for i in sink.copies if i in in_doubt.copies and i not in sent.copies]
    expected = [i for i in sent.copies if i not in aside]
    missing = sorted(i for i in expected if i not in sink.copies)
    doubled = sorted(i for i, copies in sink.copies.items() if copies > 1)
    known = sent.copies.keys() | in_doubt.copies.keys()
    unsent = sorted(i for i in sink.copies if i not in known)
    return Verdict(
        sink=sink.name,
        sent=len(sent.copies),
        stored=sink.rows,
        missing=len(missing),
        doubled=sum(sink.copies[i] - 1 for i in doubled),
        unsent=len(unsent),
        unconfirmed=len(late),
        rejected=sink.rejected,
        first_missing=tuple(missing[:NAMED_IDS]),
        first_doubled=tuple(doubled[:NAMED_IDS]),
        first_unsent=tuple(unsent[:NAMED_IDS]),
        differing_sums=differing(
            add_up(sent.sums(expected, each_copy=False), in_doubt.sums(late, each_copy=False)),
            sink.sums(sink.copies, each_copy=True),
        ),
    )


def add_up(first: Mapping[str, Decimal], second: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Two sets of sums as one."""
    groups = first.keys() | second.keys()
    return {g: first.get(g, Decimal(0)) + second.get(g, Decimal(0)) for g in groups}


def differing(
    sent: Mapping[str, Decimal], held: Mapping[str, Decimal]
) -> dict[str, tuple[Decimal, Decimal]]:
    """Groups whose sums differ, exactly: money is never compared with a tolerance."""
    groups = sorted(sent.keys() | held.keys())
    pairs = {g: (sent.get(g, Decimal(0)), held.get(g, Decimal(0))) for g in groups}
    return {g: (a, b) for g, (a, b) in pairs.items() if a != b}
