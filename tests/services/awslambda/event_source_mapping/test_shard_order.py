"""Which shards may be read, so that the order per key survives a reshard."""

from __future__ import annotations

from services.awslambda.event_source_mapping.shard_order import SourceShard, readable

SHARDS = (
    SourceShard("a"),
    SourceShard("b"),
    SourceShard("c", ("a", "b")),
    SourceShard("d", ("c",)),
    SourceShard("orphan", ("trimmed",)),
)


def test_a_child_waits_until_all_its_parents_have_ended() -> None:
    assert readable(SHARDS, (), ()) == ("a", "b", "orphan")
    assert readable(SHARDS, ("a",), ("b", "orphan")) == ()
    assert readable(SHARDS, ("a", "b"), ("orphan",)) == ("c",)


def test_a_shard_is_read_once() -> None:
    assert readable(SHARDS, ("a", "b", "c"), ("d", "orphan")) == ()
