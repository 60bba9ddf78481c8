"""Data sets by name: what `riacho produce --dataset NAME` can play."""

from __future__ import annotations

from producer.datasets.ecommerce import Ecommerce
from producer.datasets.event import Event, RejectedRow
from producer.datasets.online_retail import OnlineRetail
from producer.datasets.registry import (
    DATASETS,
    DataSet,
    UnknownDataSet,
    dataset,
    describe_datasets,
)

__all__ = [
    "DATASETS",
    "DataSet",
    "Ecommerce",
    "Event",
    "OnlineRetail",
    "RejectedRow",
    "UnknownDataSet",
    "dataset",
    "describe_datasets",
]
