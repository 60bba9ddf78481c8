"""The OpenSearch index a record belongs to, by its arrival (UTC)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _week(when: datetime) -> str:
    """US-style weeks, Sunday to Saturday, the first being the first that lies whole in the year.

    AWS's text ("the first week that contains a Saturday") reads as one week more than its example
    (`2016-w08` for 2016-02-25); the example decides.
    https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html#es-index-rotation
    """
    sunday = when.date() - timedelta(days=when.isoweekday() % 7)
    return f"{sunday.year}-w{(sunday.timetuple().tm_yday - 1) // 7 + 1:02d}"


_SUFFIXES: dict[str, Callable[[datetime], str]] = {
    "OneHour": lambda when: f"{when:%Y-%m-%d-%H}",
    "OneDay": lambda when: f"{when:%Y-%m-%d}",
    "OneWeek": _week,
    "OneMonth": lambda when: f"{when:%Y-%m}",
}


def index_name(base: str, rotation_period: str, arrival_timestamp: float) -> str:
    """`myindex` with what its IndexRotationPeriod appends; `NoRotation` appends nothing."""
    make = _SUFFIXES.get(rotation_period)
    if make is None:
        return base
    return f"{base}-{make(datetime.fromtimestamp(arrival_timestamp, UTC))}"
