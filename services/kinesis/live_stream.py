"""A stream at work: its state together with its shards' logs, quotas and waiting readers."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from services.kinesis import frame, stream
from services.kinesis.errors import KinesisError, internal_failure, throughput_exceeded
from services.kinesis.limits import ReadQuota, WriteQuota
from services.kinesis.log import Page, ShardLog
from services.kinesis.recovery import Damage
from services.kinesis.sequence_number import ORDINAL_STEP
from services.kinesis.shard import Shard
from services.kinesis.storage import Storage
from services.kinesis.stream import Stream
from services.kinesis.traffic import Traffic

logger = logging.getLogger(__name__)

#: Records and bytes a GetRecords call answers at most.
MAX_RECORDS = 10_000
MAX_BYTES = 10 * 1024 * 1024


class _Group(NamedTuple):
    """The records of a call that go to one shard, and their places in the call."""

    places: list[int]
    payloads: list[frame.Payload]


class LiveStream:
    """One stream with its records. Safe for threads: `lock` guards state and routing."""

    def __init__(self, state: Stream, storage: Storage, *, sync: bool = False) -> None:
        self.state = state
        self.lock = threading.RLock()
        self.traffic = Traffic()
        self.logs: dict[int, ShardLog] = {}
        self.shards: dict[int, Shard] = {}
        self._storage = storage
        self._saved = stream.to_json(state)
        self._sync = sync
        self._changed = threading.Condition(self.lock)
        self._version = 0
        self._write_quotas: dict[int, WriteQuota] = {}
        self._read_quotas: dict[int, ReadQuota] = {}
        self._starts: list[int] = []
        self._open: list[Shard] = []
        for shard in state.shards:
            self._open_log(shard)
        self._route()

    # ------------------------------------------------------------------ state

    def save(self) -> None:
        """Keep the state, and look again at which shards are open.

        Raises InternalFailure when it cannot be kept (disk full): then it is as it was before.
        """
        with self.lock:
            fields = stream.to_json(self.state)
            try:
                self._storage.save(self.state.stream_id, fields)
            except OSError as failure:
                logger.warning("Stream %s: %s", self.state.name, failure)
                self.state = stream.from_json(self._saved)
                self.shards = {shard.index: shard for shard in self.state.shards}
                raise internal_failure() from None
            self._saved = fields
            for shard in self.state.shards:
                if shard.index not in self.logs:
                    self._open_log(shard)
            self._route()
            self.wake()

    def _open_log(self, shard: Shard) -> None:
        folder = self._storage.folder(self.state.stream_id, shard.index)
        log = self.logs[shard.index] = ShardLog(folder, sync=self._sync)
        self.shards[shard.index] = shard
        self._tell_damages(shard, log)

    def _tell_damages(self, shard: Shard, log: ShardLog) -> None:
        """Say once what was found broken."""
        damages, log.damages = log.damages, []
        torn, log.torn = log.torn, []
        for damage in damages:
            logger.warning("%s", damage_message(self.state, shard, damage))
        for segment, ordinal in torn:
            logger.warning(
                "Stream %s, %s: the last write to segment %s was cut short and is removed. It was "
                "never acknowledged, unless something else has shortened the file: then sequence "
                "numbers from %s on are gone.",
                *(self.state.name, shard.shard_id, segment, shard.sequence_number(ordinal, 0)),
            )

    def _route(self) -> None:
        self._open = self.state.open_shards()
        self._starts = [shard.hash_key_range.start for shard in self._open]

    def delete(self) -> None:
        with self.lock:
            self._storage.delete(self.state.stream_id)
            self.logs.clear()
            self.shards.clear()
            self.wake()

    def trim(self, now: float) -> None:
        """Let go of records older than the retention, and of shards that have none left."""
        horizon = self.state.trim_horizon(now)
        with self.lock:
            live = {shard.index for shard in self.state.live_shards(now)}
            for index, log in list(self.logs.items()):
                if index in live:
                    log.trim(int(horizon * 1000))
                else:
                    self._storage.delete_shard(self.state.stream_id, index)
                    del self.logs[index], self.shards[index]
            if len(live) < len(self.state.shards):
                self.state.shards = [s for s in self.state.shards if s.index in live]
                self.save()

    def count_shard(self, shard: Shard, values: Mapping[str, float]) -> None:
        """One call's shard-level metrics, where somebody wants them."""
        if self.state.shard_level_metrics:
            self.traffic.add(values, ("ShardId", shard.shard_id))

    # ---------------------------------------------------------------- waiting

    @property
    def version(self) -> int:
        """Grows with every put and every change of the stream."""
        return self._version

    def wake(self) -> None:
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout: float) -> int:
        """Block until the version is not `seen` any more, at most `timeout` real seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._version == seen and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            return self._version

    # ---------------------------------------------------------------- records

    def put(
        self,
        payloads: Sequence[frame.Payload],
        positions: Sequence[int | None],
        now: float,
        *,
        limited: bool,
    ) -> list[dict[str, Any]]:
        """Append records; AWS's result entries, in the same order.

        `positions` are the records' hash keys: where each goes (None: anywhere).
        """
        results: list[dict[str, Any]] = [{}] * len(payloads)
        with self._changed:
            starts, shards = self._starts, self._open
            groups: dict[int, list[int]] = {}
            for place, position in enumerate(
                [
                    secrets.randbelow(len(starts)) + 1 if key is None else bisect_right(starts, key)
                    for key in positions
                ]
            ):
                if (places := groups.get(position)) is None:
                    places = groups[position] = []
                places.append(place)
            for position, places in groups.items():
                group = _Group(places, [payloads[place] for place in places])
                self._put_in(shards[position - 1], group, now, limited, results)
            self._version += 1
            self._changed.notify_all()
        return results

    def _put_in(
        self,
        shard: Shard,
        group: _Group,
        now: float,
        limited: bool,
        results: list[dict[str, Any]],
    ) -> None:
        wanted = len(group.places)
        if limited:
            group = self._admitted(shard, group, now, results)
        self.count_shard(shard, {"WriteProvisionedThroughputExceeded": wanted - len(group.places)})
        if not group.places:
            return
        flags = frame.ENCRYPTED if self.state.encryption_type == "KMS" else 0
        try:
            ordinal, arrival = self.logs[shard.index].append(group.payloads, int(now * 1000), flags)
        except OSError as failure:
            logger.warning("Shard %s of %s: %s", shard.shard_id, self.state.name, failure)
            _refuse(group.places, internal_failure(), results)
            return
        shard_id = shard.shard_id
        numbers = count(shard.sequence_number(ordinal, arrival), ORDINAL_STEP)
        for place, number in zip(group.places, numbers, strict=False):
            results[place] = {"SequenceNumber": str(number), "ShardId": shard_id}
        if self.state.shard_level_metrics:
            size = frame.payload_bytes(group.payloads)
            self.count_shard(shard, {"IncomingRecords": len(group.places), "IncomingBytes": size})

    def _admitted(
        self, shard: Shard, group: _Group, now: float, results: list[dict[str, Any]]
    ) -> _Group:
        quota = self._write_quotas.setdefault(shard.index, WriteQuota(now))
        admitted, refused = _Group([], []), []
        for place, payload in zip(*group, strict=True):
            if quota.admit(len(payload[0]) + len(payload[1]), now):
                admitted.places.append(place)
                admitted.payloads.append(payload)
            else:
                refused.append(place)
        error = throughput_exceeded(shard.shard_id, self.state.name, self.state.account_id)
        _refuse(refused, error, results)
        return admitted

    def read_quota(self, shard: Shard, now: float) -> ReadQuota:
        return self._read_quotas.setdefault(shard.index, ReadQuota(now))

    def read(self, shard: Shard, ordinal: int, now: float, max_records: int = MAX_RECORDS) -> Page:
        """Records that are still within the retention, from `ordinal` on.

        Raises InternalFailure when the disk does not give them.
        """
        horizon, log = int(self.state.trim_horizon(now) * 1000), self.logs[shard.index]
        try:
            page = log.read(ordinal, max_records, MAX_BYTES, horizon)
        except OSError as failure:
            logger.warning("Shard %s of %s: %s", shard.shard_id, self.state.name, failure)
            raise internal_failure() from None
        if log.damages or log.torn:
            self._tell_damages(shard, log)
        return page

    def has_ended(self, shard: Shard, ordinal: int) -> bool:
        """Whether a reader at `ordinal` has read all there will ever be."""
        return not shard.is_open and ordinal >= self.logs[shard.index].next_ordinal

    def millis_behind(self, shard: Shard, ordinal: int, now: float) -> int:
        """How old the next unread record is; 0 when there is none."""
        arrival = self.logs[shard.index].arrival_at(ordinal)
        return 0 if arrival is None else max(0, int(now * 1000) - arrival)


def _refuse(places: list[int], error: KinesisError, results: list[dict[str, Any]]) -> None:
    for place in places:
        results[place] = {"ErrorCode": error.code, "ErrorMessage": error.message}


def damage_message(state: Stream, shard: Shard, damage: Damage) -> str:
    """Which records are gone, in words and sequence numbers."""
    kept = "" if damage.kept_as is None else f"It is kept as {damage.kept_as}. "
    ranges = ", ".join(_gone(shard, first, last) for first, last in damage.gone) or "none"
    return (
        f"Stream {state.name}, {shard.shard_id}: segment {damage.segment} is damaged "
        f"({damage.reason}). {kept}Sequence numbers that are gone: {ranges}."
    )


def _gone(shard: Shard, first: int, last: int | None) -> str:
    # Arrivals went with the records: these are the lowest and highest numbers they can have had.
    lowest = shard.sequence_number(first, 0)
    if last is None:
        return f"{lowest} and later"
    return f"{lowest} to {shard.sequence_number(last + 1, 0) - 1} ({last - first + 1} records)"
