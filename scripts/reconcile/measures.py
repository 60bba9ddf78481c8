"""What a stored row adds to the sums of the proof, computed from the row itself."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from scripts.reconcile.reconciliation import Measure

#: The columns that `revenue` needs; a table scan asks for these and the event id only.
REVENUE_COLUMNS = ("Quantity", "UnitPrice", "Country")


def revenue(row: Mapping[str, Any]) -> Measure | None:
    """Quantity × UnitPrice under the country's name; None for a row of another data set."""
    if any(row.get(column) is None for column in REVENUE_COLUMNS):
        return None
    # str first: a JSON number 2.55 is a binary float, and only its text is exact again.
    amount = Decimal(str(row["Quantity"])) * Decimal(str(row["UnitPrice"]))
    return Measure(str(row["Country"]), amount)
