"""The producer's side of the proof: what its ledger says was acknowledged, and what is in doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from producer.ledger import read_ledger
from scripts.reconcile.reconciliation import Holding, Measure

#: A record's place in a stream: shard id, sequence number and sub-sequence number.
Place = tuple[str, str, int]


@dataclass
class Sent:
    """What a ledger says. Given up and unanswered events are `unconfirmed`: stored or not."""

    acknowledged: Holding = field(default_factory=lambda: Holding("sent"))
    unconfirmed: Holding = field(default_factory=lambda: Holding("unconfirmed"))
    places: dict[Place, str] = field(default_factory=dict)


def read_sent(path: Path) -> Sent:
    """Raises producer.ledger.LedgerUnusable, FileNotFoundError."""
    sent = Sent()
    for entry in read_ledger(path):
        acknowledged = entry.kind == "acknowledged"
        if acknowledged:
            place = (entry.shard_id, entry.sequence_number, entry.sub_sequence_number)
            sent.places[place] = entry.event_id
        holding = sent.acknowledged if acknowledged else sent.unconfirmed
        # An event that a second run of the producer sends again is still one event.
        if entry.event_id not in holding.copies:
            holding.add(entry.event_id)
        if (measure := _measure(entry.amounts)) is not None:
            holding.measures[entry.event_id] = measure
    return sent


def _measure(amounts: Mapping[str, str] | None) -> Measure | None:
    for group, amount in (amounts or {}).items():
        return Measure(group, Decimal(amount))
    return None
