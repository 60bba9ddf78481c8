"""Charts for any result: what is offered can be drawn."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards import charts
from dashboards.analyses import ANALYSES, analyses_of, sql_of
from dashboards.chart_choice import choices, draw
from dashboards.facts.athena import as_frame
from dashboards.facts.metrics import Point, rate_per_second
from dashboards.facts.streams import shard_bars


def frame(*columns: tuple[str, str], rows: list[list[str | None]]) -> pd.DataFrame:
    return as_frame(list(columns), rows)


@pytest.mark.parametrize(
    ("columns", "rows", "kinds"),
    [
        ([("d", "varchar"), ("n", "bigint")], [["a", "1"], ["b", "2"]], ["bar", "pie"]),
        ([("d", "varchar"), ("n", "bigint")], [["a", "-1"]], ["bar"]),
        (
            [("t", "timestamp"), ("n", "double")],
            [["2024-01-31 05:00:00.000", "1"]],
            ["line", "bar"],
        ),
        (
            [("x", "varchar"), ("y", "varchar"), ("n", "bigint")],
            [["a", "b", "1"]],
            ["heat map", "bar"],
        ),
        ([("x", "varchar")], [["a"]], []),
        ([("x", "integer"), ("y", "integer")], [["1", "2"]], ["line", "bar"]),
        ([("x", "varchar"), ("n", "bigint")], [], []),
    ],
)
def test_the_columns_decide_which_charts_are_offered(
    columns: list[tuple[str, str]], rows: list[list[str | None]], kinds: list[str]
) -> None:
    result = frame(*columns, rows=rows)
    offered = choices(result)
    assert [choice.kind for choice in offered] == kinds
    for choice in offered:
        assert draw(result, choice).to_dict()


TYPES = st.sampled_from(["varchar", "bigint", "double", "timestamp", "boolean", "decimal(10,2)"])
CELLS = {
    "varchar": st.text(max_size=4),
    "boolean": st.sampled_from(["true", "false"]),
    "bigint": st.integers(-(2**40), 2**40).map(str),
    "double": st.floats(allow_nan=False, allow_infinity=False).map(str),
    "decimal(10,2)": st.integers(0, 999).map(lambda n: f"{n}.50"),
    "timestamp": st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)).map(
        lambda t: f"{t:%Y-%m-%d %H:%M:%S}.000"
    ),
}


@settings(max_examples=40, deadline=None)
@given(st.lists(TYPES, min_size=1, max_size=4), st.integers(0, 5), st.data())
def test_whatever_is_offered_for_a_result_can_be_drawn(
    kinds: list[str], height: int, data: st.DataObject
) -> None:
    columns = [(f"c.{i}[x]:'", kind) for i, kind in enumerate(kinds)]
    rows = [[data.draw(st.none() | CELLS[kind]) for kind in kinds] for _ in range(height)]
    result = as_frame(columns, rows)
    for choice in choices(result):
        assert draw(result, choice).to_dict()


def test_results_keep_numbers_times_and_equal_names() -> None:
    result = frame(
        ("a", "bigint"),
        ("a", "varchar"),
        ("t", "date"),
        rows=[["9007199254740993", None, "2024-01-31"], [None, "", None]],
    )
    assert list(result.columns) == ["a", "a (2)", "t"]
    assert result["a"].iloc[0] == 9007199254740993
    assert result["a (2)"].tolist() == [None, ""]
    assert result["t"].iloc[0].year == 2024


def shard(
    number: int, start: int, end: int, *parents: int, closed: bool = False
) -> dict[str, object]:
    names = [f"shardId-{parent:012d}" for parent in parents]
    numbers = {"StartingSequenceNumber": "1"} | ({"EndingSequenceNumber": "2"} if closed else {})
    return {
        "ShardId": f"shardId-{number:012d}",
        "HashKeyRange": {"StartingHashKey": str(start), "EndingHashKey": str(end)},
        "SequenceNumberRange": numbers,
        **dict(zip(("ParentShardId", "AdjacentParentShardId"), names, strict=False)),
    }


def test_shards_stand_below_their_parents() -> None:
    top = 2**128 - 1
    bars = shard_bars(
        [
            shard(0, 0, top, closed=True),
            shard(1, 0, top // 2, 0, closed=True),
            shard(2, top // 2 + 1, top, 0, closed=True),
            shard(3, 0, top, 1, 2),
        ]
    )
    assert [bar.generation for bar in bars] == [0, 1, 1, 2]
    assert [bar.is_open for bar in bars] == [False, False, False, True]
    assert (bars[1].start, bars[1].end) == (0.0, 0.5)
    assert charts.shards(bars, ("open", "closed")).to_dict()


def test_a_rate_counts_the_running_minute_and_the_one_before() -> None:
    def at(seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, UTC)

    points = [Point(at(0), 600.0), Point(at(60), 600.0), Point(at(120), 300.0)]
    assert rate_per_second(points, 150.0) == 900 / 90
    assert rate_per_second([], 150.0) == 0


def test_the_labs_charts_appear_for_their_columns_with_names_quoted() -> None:
    shop = {"custid", "device", "trafficfrom", "url", "trans_timestamp"}
    keys = [analysis.key for analysis in analyses_of(shop)]
    assert keys == ["by_device", "traffic_by_page", "users_per_minute"]
    assert analyses_of({"other"}) == []
    text = sql_of(ANALYSES[0], "shop", 'a"; DROP TABLE x; --')
    assert '"shop"."a""; DROP TABLE x; --"' in text
