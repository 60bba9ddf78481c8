"""Decide which shards get a lease: KCL's hierarchical shard sync. Pure: shards in, leases out.

A consumer that starts at LATEST must not read a child from its beginning twice, nor miss the
rest of a parent; so leases are made from the top of the shard tree down, one generation a pass,
and what lies below a leased shard gets its lease when that shard ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from consumers.kcl.errors import InconsistentShards
from consumers.kcl.extended_sequence_number import (
    AT_TIMESTAMP,
    LATEST,
    TRIM_HORIZON,
    ExtendedSequenceNumber,
)
from consumers.kcl.lease import Lease
from consumers.kcl.shard import LAST_HASH_KEY, ChildShard, HashKeyRange, Shard, StreamIdentifier


def plan_first_leases(
    shards: Sequence[Shard], initial_position: str, stream: StreamIdentifier
) -> list[Lease]:
    """Leases of an application without any: all shards that ListShards' filter for the initial
    position returned, open or closed. Raises InconsistentShards unless they tile the key space."""
    ranges = [shard.hash_key_range for shard in shards if shard.hash_key_range is not None]
    if (hole := find_hole(ranges)) is not None:
        raise InconsistentShards(
            f"The shards of stream {stream.stream_name!r} leave hash keys "
            f"{hole.starting_hash_key} to {hole.ending_hash_key} to nobody."
        )
    return [new_lease(shard, initial_position, stream) for shard in in_order(shards)]


def plan_leases(
    shards: Sequence[Shard],
    leased_shard_ids: Collection[str],
    initial_position: str,
    stream: StreamIdentifier,
    *,
    ignore_unexpected_child_shards: bool = False,
) -> list[Lease]:
    """Leases missing beside those there are, in the order in which to make them.

    Raises InconsistentShards when an open shard has an open parent (the shard list was read in
    the midst of a reshard), unless told to leave such children out.
    """
    by_id = {shard.shard_id: shard for shard in shards}
    unexpected = _children_of_open_parents(by_id)
    if unexpected and not ignore_unexpected_child_shards:
        raise InconsistentShards(
            f"Stream {stream.stream_name!r} lists open shards below open parents: "
            f"{', '.join(sorted(unexpected))}."
        )
    planning = _Planning(by_id, frozenset(leased_shard_ids), initial_position)
    for shard in in_order(shards):
        if shard.is_open and shard.shard_id not in unexpected:
            planning.consider(shard.shard_id)
    planned = in_order(by_id[shard_id] for shard_id in planning.planned)
    return [new_lease(shard, planning.planned[shard.shard_id], stream) for shard in planned]


class _Planning:
    """One pass over a shard tree."""

    def __init__(
        self, shards: Mapping[str, Shard], leased: frozenset[str], initial_position: str
    ) -> None:
        self._shards = shards
        self._leased = leased
        self._initial_position = initial_position
        self._is_descendant: dict[str, bool] = {}
        self._marked: set[str] = set()
        #: Shard id → the checkpoint its new lease starts with.
        self.planned: dict[str, str] = {}

    def consider(self, shard_id: str) -> None:
        """Plan what is needed so that an open shard will be read."""
        if shard_id not in self._leased and not self._visit(shard_id):
            self.planned.setdefault(shard_id, self._initial_position)

    def _visit(self, shard_id: str) -> bool:
        """Whether the shard descends from one that is, or will be, read. Ancestors come first;
        an explicit stack, because a stream resharded daily has a deep tree."""
        stack = [shard_id]
        while stack:
            current = stack[-1]
            waiting = [
                parent
                for parent in self._known_parents(current)
                if parent not in self._is_descendant and current not in self._leased
            ]
            if waiting and current not in self._is_descendant:
                stack.extend(waiting)
            else:
                stack.pop()
                if current not in self._is_descendant:
                    self._is_descendant[current] = self._decide(current)
        return self._is_descendant[shard_id]

    def _decide(self, shard_id: str) -> bool:
        if shard_id in self._leased:
            return True
        parents = self._known_parents(shard_id)
        covered = {p for p in parents if self._is_descendant[p] or p in self._marked}
        if not covered:
            if self._initial_position != LATEST:
                self._marked.add(shard_id)
            return False
        for parent in parents:
            if parent not in self._leased:
                self._plan_parent(parent, parent in covered)
        return True

    def _plan_parent(self, parent: str, is_covered: bool) -> None:
        if parent in self._marked or not is_covered:
            self.planned.setdefault(parent, self._initial_position)
        if parent in self.planned:
            from_start = is_covered and self._initial_position != AT_TIMESTAMP
            self.planned[parent] = TRIM_HORIZON if from_start else self._initial_position

    def _known_parents(self, shard_id: str) -> list[str]:
        return [parent for parent in self._shards[shard_id].parents if parent in self._shards]


def in_order(shards: Iterable[Shard]) -> list[Shard]:
    """By starting sequence number, then id: a crash half-way leaves a table that can go on."""
    return sorted(shards, key=lambda s: (s.starting_sequence_number, s.shard_id))


def new_lease(shard: Shard, position: str, stream: StreamIdentifier) -> Lease:
    """A lease without owner. Parents are told even when they are no longer listed."""
    return _lease(shard.shard_id, position, shard.parents, shard.hash_key_range, stream)


def new_child_lease(child: ChildShard, stream: StreamIdentifier) -> Lease:
    """A child of a shard read to its end: from its beginning, wherever the application began."""
    return _lease(child.shard_id, TRIM_HORIZON, child.parent_shards, child.hash_key_range, stream)


def _lease(
    shard_id: str,
    position: str,
    parents: Iterable[str],
    hash_key_range: HashKeyRange | None,
    stream: StreamIdentifier,
) -> Lease:
    return Lease(
        lease_key=stream.lease_key(shard_id),
        shard_id=shard_id,
        checkpoint=ExtendedSequenceNumber(position),
        parent_shard_ids=frozenset(parents),
        hash_key_range=hash_key_range,
        stream_identifier=stream.serialized if stream.is_multi_stream else None,
    )


def find_hole(ranges: Iterable[HashKeyRange]) -> HashKeyRange | None:
    """The first hash keys that no range covers, or None. Ranges may overlap and be unsorted."""
    next_key = 0
    for start, end in sorted(ranges):
        if start > next_key:
            return HashKeyRange(next_key, start - 1)
        next_key = max(next_key, end + 1)
    return None if next_key > LAST_HASH_KEY else HashKeyRange(next_key, LAST_HASH_KEY)


def _children_of_open_parents(shards: Mapping[str, Shard]) -> set[str]:
    return {
        shard.shard_id
        for shard in shards.values()
        if shard.is_open
        and any(parent in shards and shards[parent].is_open for parent in shard.parents)
    }
