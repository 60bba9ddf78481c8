"""What is asked of CloudWatch's table of metrics: one series, or the names of some. Pure.

A metric is its namespace, its name and *all* of its dimensions: what is asked with `StreamName`
alone is another one than that of `StreamName` and `ShardId`, and `orders` is not `orders-2`.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Dimension
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

#: After each dimension in the table; no name or value may hold it.
SEPARATOR = "\t"
#: What a query says for values without a unit.
NO_UNIT = "NULL_VALUE"

Dimension = Mapping[str, str]


def written(dimensions: Iterable[Dimension]) -> str | None:
    """Dimensions as the table has them; None for none."""
    ordered = sorted(dimensions, key=lambda each: each["Name"])
    return "".join(f"{each['Name']}={each['Value']}{SEPARATOR}" for each in ordered) or None


def read(text: str | None) -> list[dict[str, str]]:
    """The other way round; a value may hold `=`."""
    pairs = [part.partition("=") for part in (text or "").split(SEPARATOR) if part]
    return [{"Name": name, "Value": value} for name, _, value in pairs]


def has_all(dimensions: Sequence[Dimension], filters: Iterable[Dimension]) -> bool:
    """Whether ListMetrics tells of a metric: it has each filter's name, and its value if it says
    one. https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html"""
    values = {each["Name"]: each["Value"] for each in dimensions}
    return all(
        each["Name"] in values and each.get("Value") in (None, values[each["Name"]])
        for each in filters
    )


class Series(NamedTuple):
    """What is read: times in seconds since 1970, `period` in seconds."""

    account_id: str
    region: str
    metric: Mapping[str, Any]
    unit: str | None
    start: int
    end: int
    period: int


def statement(series: Series, of_values: str, of_sets: str) -> tuple[str, list[Any]]:
    """SQL that gives a row for each period in which there was something: its number from the start,
    the statistic, how many samples. `of_values` is the statistic of a column `value`, `of_sets` the
    column of statistic sets that it is made of."""
    unit = "AND unit IS ?" if series.unit else ""
    periods = -(-(series.end - series.start) // series.period)
    columns = "account_id, region, namespace, metric_name, dimensions, timestamp, unit"
    sql = f"""
        SELECT CAST(timestamp - ? AS INTEGER) / ? AS number, {of_values}, SUM(count)
        FROM (SELECT value, 1 AS count, {columns} FROM SINGLE_METRICS
              UNION ALL
              SELECT {of_sets} AS value, sample_count AS count, {columns} FROM AGGREGATED_METRICS)
        WHERE account_id = ? AND region = ? AND namespace = ? AND metric_name = ?
              AND dimensions IS ? {unit} AND timestamp >= ? AND timestamp < ?
        GROUP BY number ORDER BY number
    """
    named = (series.account_id, series.region, *(series.metric[n] for n in _NAMES))
    dimensions = written(series.metric.get("Dimensions") or ())
    asked = [None if series.unit == NO_UNIT else series.unit] if series.unit else []
    times = (series.start, series.start + periods * series.period)
    return sql, [series.start, series.period, *named, dimensions, *asked, *times]


_NAMES = ("Namespace", "MetricName")
