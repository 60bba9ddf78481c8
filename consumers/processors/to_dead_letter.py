"""Keeps rejected records in a Kinesis stream, where a Lambda or a person can see to them."""

from __future__ import annotations

from collections.abc import Sequence

from consumers.kcl.dead_letters import DeadLetters
from consumers.kcl.record_processor import KinesisClientRecord
from consumers.processors.row import Rejection


class DeadLetterStream:
    """RejectedRecords in a dead-letter stream. A stream only grows: what is rejected again after a
    crash is there twice, with the same place of origin in both."""

    def __init__(self, dead_letters: DeadLetters) -> None:
        self._dead_letters = dead_letters

    def keep(self, stream_name: str, shard_id: str, rejections: Sequence[Rejection]) -> None:
        reasons: dict[KinesisClientRecord, list[str]] = {}
        for rejection in rejections:
            told = f"{rejection.destination}: {rejection.reason}"
            reasons.setdefault(rejection.record, []).append(told)
        for record, its_reasons in reasons.items():
            self._dead_letters.put(stream_name, shard_id, record, "; ".join(its_reasons))
