"""The demo's question to the lake: revenue per country, through Athena."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from scripts.command_line.query import run
from scripts.demonstration.expected import Revenue

_SQL = Path(__file__).with_name("sql")


def query_revenue(athena: Any, bucket: str) -> Revenue:
    """Make the table over the raw zone, find its partitions, ask. Raises QueryStopped."""
    output = f"s3://{bucket}/athena/"
    create = (_SQL / "orders_raw.sql").read_text().format(bucket=bucket)
    for statement in (create, "MSCK REPAIR TABLE orders_raw"):
        run(athena, statement, output_location=output)
    answer = run(athena, (_SQL / "revenue.sql").read_text(), output_location=output)
    return {str(c): (int(n or 0), Decimal(total or 0)) for c, n, total in answer.rows}
