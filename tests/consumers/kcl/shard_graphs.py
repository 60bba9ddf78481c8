"""The shard graphs that Amazon's own tests of the shard sync use, as facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from consumers.kcl.shard import LAST_HASH_KEY, HashKeyRange, Shard

_Row = tuple[int, int, int | None, tuple[int, ...], tuple[int, int]]


def shard_id(number: int) -> str:
    return f"shardId-{number}"


def ids(numbers: Sequence[int]) -> set[str]:
    return {shard_id(number) for number in numbers}


def _graph(rows: Sequence[_Row]) -> list[Shard]:
    return [
        Shard(
            shard_id(number),
            starting_sequence_number=start,
            is_open=end is None,
            parents=tuple(shard_id(parent) for parent in parents),
            hash_key_range=HashKeyRange(*hash_range),
        )
        for number, start, end, parents, hash_range in rows
    ]


_MAX = LAST_HASH_KEY

#: 0+1→6, 2+3→7, 6+7→8, 5→9,10; open: 4, 8, 9, 10.
GRAPH_A = _graph(
    [
        (0, 11, 102, (), (0, 99)),
        (1, 11, 102, (), (100, 199)),
        (2, 11, 102, (), (200, 299)),
        (3, 11, 102, (), (300, 399)),
        (4, 11, None, (), (400, 499)),
        (5, 11, 205, (), (500, _MAX)),
        (6, 103, 205, (0, 1), (0, 199)),
        (7, 103, 205, (2, 3), (200, 399)),
        (8, 206, None, (6, 7), (0, 399)),
        (9, 206, None, (5,), (500, 799)),
        (10, 206, None, (5,), (800, _MAX)),
    ]
)

#: A ladder: 0+1→2→{3,4}→5→{6,7}→8→{9,10}; open: 9, 10.
GRAPH_B = _graph(
    [
        (0, 1000, 1049, (), (0, 99)),
        (1, 1000, 1049, (), (100, _MAX)),
        (2, 1050, 1099, (0, 1), (0, _MAX)),
        (3, 1100, 1149, (2,), (0, 99)),
        (4, 1100, 1149, (2,), (100, _MAX)),
        (5, 1150, 1199, (3, 4), (0, _MAX)),
        (6, 1200, 1249, (5,), (0, 99)),
        (7, 1200, 1249, (5,), (100, _MAX)),
        (8, 1250, 1299, (6, 7), (0, _MAX)),
        (9, 1300, None, (8,), (0, 99)),
        (10, 1300, None, (8,), (100, _MAX)),
    ]
)

#: 0→{4,5}, 1 open, 2+3→6, 4→{7,8}, 5→{9,10}; open: 1, 6, 7, 8, 9, 10.
GRAPH_C = _graph(
    [
        (0, 1000, 1049, (), (0, 399)),
        (1, 1000, None, (), (400, 499)),
        (2, 1000, 1049, (), (500, 599)),
        (3, 1000, 1049, (), (600, _MAX)),
        (4, 1050, 1099, (0,), (0, 199)),
        (5, 1050, 1099, (0,), (200, 399)),
        (6, 1050, None, (2, 3), (500, _MAX)),
        (7, 1100, None, (4,), (0, 99)),
        (8, 1100, None, (4,), (100, 199)),
        (9, 1100, None, (5,), (200, 299)),
        (10, 1100, None, (5,), (300, 399)),
    ]
)

GRAPHS: Mapping[str, Sequence[Shard]] = {"A": GRAPH_A, "B": GRAPH_B, "C": GRAPH_C}
