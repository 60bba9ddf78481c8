"""What a stream is, apart from its records: its state, its statuses, and how it changes."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

from services.kinesis.shard import (
    HashKeyRange,
    Shard,
    describe,
    even_ranges,
    merged_range,
    split_range,
)

CREATING, ACTIVE, UPDATING, DELETING = "CREATING", "ACTIVE", "UPDATING", "DELETING"
PROVISIONED, ON_DEMAND = "PROVISIONED", "ON_DEMAND"
USER_PARTITION_KEY, AUTO = "USER_PARTITION_KEY", "AUTO"
DEFAULT_RETENTION_HOURS = 24
ON_DEMAND_SHARDS = 4
# A child must not be as old as its parent, or a moment would have both of them.
_MOMENT = 0.001


@dataclass
class Consumer:
    """A registered consumer (enhanced fan-out). It is CREATING, then ACTIVE."""

    name: str
    created_at: float
    active_at: float
    tags: dict[str, str] = field(default_factory=dict)

    def status(self, now: float) -> str:
        return ACTIVE if now >= self.active_at else CREATING


@dataclass
class Stream:
    """One stream. A change of status is a moment (`settled_at`), so nobody has to wait for it."""

    name: str
    account_id: str
    region: str
    stream_id: str
    created_at: float
    mode: str = PROVISIONED
    shards: list[Shard] = field(default_factory=list)
    retention_hours: int = DEFAULT_RETENTION_HOURS
    max_record_size_in_kib: int = 1024
    warm_throughput: int | None = None
    distribution: str = USER_PARTITION_KEY
    tags: dict[str, str] = field(default_factory=dict)
    encryption_type: str = "NONE"
    key_id: str | None = None
    shard_level_metrics: list[str] = field(default_factory=list)
    consumers: dict[str, Consumer] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    unsettled_status: str = CREATING
    settled_at: float = 0.0
    scalings: list[float] = field(default_factory=list)
    peak_shards: list[tuple[float, int]] = field(default_factory=list)

    @property
    def arn(self) -> str:
        return f"arn:aws:kinesis:{self.region}:{self.account_id}:stream/{self.name}"

    def consumer_arn(self, consumer: Consumer) -> str:
        return f"{self.arn}/consumer/{consumer.name}:{int(consumer.created_at)}"

    def status(self, now: float) -> str:
        """DELETING ends with the stream itself."""
        if self.unsettled_status == DELETING or now < self.settled_at:
            return self.unsettled_status
        return ACTIVE

    def is_gone(self, now: float) -> bool:
        return self.unsettled_status == DELETING and now >= self.settled_at

    def change(self, status: str, now: float, seconds: float) -> None:
        """Be in `status` for so long."""
        self.unsettled_status, self.settled_at = status, now + seconds

    def open_shards(self) -> list[Shard]:
        """In the order of their hash keys."""
        return sorted((s for s in self.shards if s.is_open), key=lambda s: s.hash_key_range)

    def trim_horizon(self, now: float) -> float:
        """Records that arrived before are gone."""
        return now - self.retention_hours * 3600

    def live_shards(self, now: float) -> list[Shard]:
        """Open shards, and closed ones that may still have records; in the order of their ids."""
        horizon = self.trim_horizon(now)
        return [s for s in self.shards if s.closed_at is None or s.closed_at > horizon]

    def children(self, shard: Shard) -> list[Shard]:
        return [s for s in self.shards if shard.index in s.parents]

    def create_shards(self, ranges: Iterable[HashKeyRange], now: float) -> list[Shard]:
        return [self._add(r, now) for r in ranges]

    def split(self, shard: Shard, at: int, now: float) -> list[Shard]:
        """Close the shard; its two children."""
        closed_at = self._close([shard], now)
        halves = split_range(shard.hash_key_range, at)
        return [self._add(half, closed_at, shard.index) for half in halves]

    def merge(self, shard: Shard, adjacent: Shard, now: float) -> Shard:
        """Close both; their child."""
        closed_at = self._close([shard, adjacent], now)
        whole = merged_range(shard.hash_key_range, adjacent.hash_key_range)
        return self._add(whole, closed_at, shard.index, adjacent.index)

    def _close(self, shards: list[Shard], now: float) -> float:
        closed_at = max(now, *(s.created_at + _MOMENT for s in shards))
        for shard in shards:
            shard.closed_at = closed_at
        return closed_at

    def _add(
        self,
        hash_key_range: HashKeyRange,
        now: float,
        parent: int | None = None,
        adjacent_parent: int | None = None,
    ) -> Shard:
        index = self.shards[-1].index + 1 if self.shards else 0
        self.shards.append(Shard(index, hash_key_range, now, parent, adjacent_parent))
        return self.shards[-1]


def new_stream(stream: Stream, shard_count: int) -> Stream:
    """The stream with its first shards."""
    stream.create_shards(even_ranges(shard_count), stream.created_at)
    return stream


def new_stream_id() -> str:
    """As the service model wants it: twenty and three letters or digits."""
    letters = string.ascii_lowercase + string.digits
    text = "".join(secrets.choice(letters) for _ in range(23))
    return f"{text[:20]}-{text[20:]}"


def to_json(stream: Stream) -> dict[str, Any]:
    """JSON's integers stop at 2^64 for some readers: hash keys are written as text."""
    fields = asdict(stream)
    for shard in fields["shards"]:
        shard["hash_key_range"] = [str(key) for key in shard["hash_key_range"]]
    return fields


def from_json(fields: dict[str, Any]) -> Stream:
    """A stream that shares nothing with `fields`.

    Raises TypeError, KeyError or ValueError for what `to_json` did not make.
    """
    fields = deepcopy(fields)
    shards = [
        Shard(**{**s, "hash_key_range": HashKeyRange(*map(int, s["hash_key_range"]))})
        for s in fields["shards"]
    ]
    consumers = {name: Consumer(**c) for name, c in fields["consumers"].items()}
    peaks = [(float(at), int(count)) for at, count in fields["peak_shards"]]
    changed = {"shards": shards, "consumers": consumers, "peak_shards": peaks}
    return Stream(**{**fields, **changed})


def description(
    stream: Stream, now: float, limit: int = 100, after: str | None = None
) -> dict[str, Any]:
    """AWS's `StreamDescription`, one page of shards."""
    status = stream.status(now)
    shards = [] if status == CREATING else stream.live_shards(now)
    page = [s for s in shards if after is None or s.shard_id > after]
    return {
        **_described(stream, status),
        "Shards": [describe(shard) for shard in page[:limit]],
        "HasMoreShards": len(page) > limit,
    }


def summary(stream: Stream, now: float) -> dict[str, Any]:
    """AWS's `StreamDescriptionSummary`."""
    answer = {
        **_described(stream, stream.status(now)),
        "StreamId": stream.stream_id,
        "OpenShardCount": len(stream.open_shards()),
        "ConsumerCount": len(stream.consumers),
        "MaxRecordSizeInKiB": stream.max_record_size_in_kib,
        "RecordDistributionStrategy": stream.distribution,
    }
    if stream.warm_throughput is not None:
        answer["WarmThroughput"] = warm_throughput(stream)
    return answer


def warm_throughput(stream: Stream) -> dict[str, int]:
    current = stream.warm_throughput or 0
    return {"TargetMiBps": current, "CurrentMiBps": current}


def list_entry(stream: Stream, now: float) -> dict[str, Any]:
    """AWS's `StreamSummary`."""
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": stream.status(now),
        "StreamModeDetails": {"StreamMode": stream.mode},
        "StreamCreationTimestamp": stream.created_at,
    }


def _described(stream: Stream, status: str) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": status,
        "StreamModeDetails": {"StreamMode": stream.mode},
        "RetentionPeriodHours": stream.retention_hours,
        "StreamCreationTimestamp": stream.created_at,
        "EnhancedMonitoring": [{"ShardLevelMetrics": list(stream.shard_level_metrics)}],
        "EncryptionType": stream.encryption_type,
    }
    if stream.key_id is not None:
        answer["KeyId"] = stream.key_id
    return answer


def describe_consumer(stream: Stream, consumer: Consumer, now: float) -> dict[str, Any]:
    """AWS's `Consumer`."""
    return {
        "ConsumerName": consumer.name,
        "ConsumerARN": stream.consumer_arn(consumer),
        "ConsumerStatus": consumer.status(now),
        "ConsumerCreationTimestamp": consumer.created_at,
    }
