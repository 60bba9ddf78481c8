"""The list of data sets: a new one is a file beside this and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from producer.datasets.ecommerce import Ecommerce
from producer.datasets.event import Event, RejectedRow
from producer.datasets.online_retail import OnlineRetail


class UnknownDataSet(LookupError):
    """No data set has this name; the message lists those that exist."""


class DataSet(Protocol):
    """A source of events in the order of their timestamps."""

    name: str
    description: str
    citation: str

    def events(self, count: int | None = None) -> Iterator[Event | RejectedRow]:
        """The first `count` events (all, or without end, when None), rejected rows between."""


DATASETS: dict[str, Callable[..., DataSet]] = {
    "online_retail": OnlineRetail,
    "ecommerce": Ecommerce,
}


def dataset(name: str, **options: Any) -> DataSet:
    """The data set called `name` (`-` and `_` are one), made with its own options.

    Raises UnknownDataSet, which lists the existing ones.
    """
    try:
        make = DATASETS[name.replace("-", "_")]
    except KeyError:
        raise UnknownDataSet(
            f"There is no data set {name!r}; choose one of: {', '.join(sorted(DATASETS))}."
        ) from None
    return make(**options)


def describe_datasets() -> list[tuple[str, str, str]]:
    """Every name with its description and whom to cite, for help texts."""
    return [(name, make().description, make().citation) for name, make in DATASETS.items()]
