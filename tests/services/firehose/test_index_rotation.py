"""Index names by rotation period: the documentation's examples."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.firehose.index_rotation import index_name


@pytest.mark.parametrize(
    ("period", "name"),
    [
        ("NoRotation", "myindex"),
        ("OneHour", "myindex-2016-02-25-13"),
        ("OneDay", "myindex-2016-02-25"),
        ("OneWeek", "myindex-2016-w08"),
        ("OneMonth", "myindex-2016-02"),
    ],
)
def test_an_index_is_named_by_its_period(period: str, name: str) -> None:
    arrival = datetime(2016, 2, 25, 13, tzinfo=UTC).timestamp()
    assert index_name("myindex", period, arrival) == name


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (datetime(2016, 1, 2), "i-2015-w52"),  # the Saturday of a week that began in 2015
        (datetime(2016, 1, 3), "i-2016-w01"),
        (datetime(2016, 1, 9), "i-2016-w01"),
        (datetime(2016, 1, 10), "i-2016-w02"),
        (datetime(2017, 1, 1), "i-2017-w01"),
    ],
)
def test_weeks_begin_on_sunday(day: datetime, name: str) -> None:
    assert index_name("i", "OneWeek", day.replace(tzinfo=UTC).timestamp()) == name
