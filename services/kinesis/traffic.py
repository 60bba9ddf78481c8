"""What went through a stream since somebody last asked: the numbers behind its metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ShardTraffic:
    """Counts of one shard. Ages in milliseconds; `calls` are GetRecords calls."""

    records_in: int = 0
    bytes_in: int = 0
    writes_refused: int = 0
    records_out: int = 0
    bytes_out: int = 0
    calls: int = 0
    calls_refused: int = 0
    iterator_age: int = 0


class Traffic:
    """Counts of a stream's shards, and of its calls."""

    def __init__(self) -> None:
        self.shards: dict[int, ShardTraffic] = {}
        self.put_record_calls = 0
        self.put_record_successes = 0
        self.put_record_bytes = 0
        self.put_records_calls = 0
        self.put_records_records = 0
        self.put_records_failures = 0
        self.put_records_throttled = 0
        self.put_records_bytes = 0

    def shard(self, index: int) -> ShardTraffic:
        found = self.shards.get(index)
        if found is None:
            found = self.shards[index] = ShardTraffic()
        return found

    @property
    def is_empty(self) -> bool:
        return not (self.shards or self.put_record_calls or self.put_records_calls)

    def total(self, name: str) -> int:
        """One count over all shards."""
        return sum(int(getattr(shard, name)) for shard in self.shards.values())
