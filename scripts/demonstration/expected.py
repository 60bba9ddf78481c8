"""What the answer must be: the packed CSV read by DuckDB alone, without any of our pipeline."""

from __future__ import annotations

import lzma
import tempfile
from decimal import Decimal
from itertools import islice
from pathlib import Path

import duckdb

from producer.datasets.online_retail import PACKED

REVENUE = """
    SELECT Country, count(*), sum(Quantity * UnitPrice)
    FROM read_csv(?, header = true, all_varchar = false, types = {
        'InvoiceNo': 'VARCHAR', 'StockCode': 'VARCHAR', 'Quantity': 'INTEGER',
        'InvoiceDate': 'VARCHAR', 'UnitPrice': 'DECIMAL(12, 4)', 'CustomerID': 'VARCHAR'})
    GROUP BY Country
"""

Revenue = dict[str, tuple[int, Decimal]]


def expected_revenue(rows: int) -> Revenue:
    """Country → (rows, revenue) over the first rows of Online Retail."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as unpacked, lzma.open(PACKED) as packed:
        Path(unpacked.name).write_bytes(b"".join(islice(packed, rows + 1)))
        answer = duckdb.connect().execute(REVENUE, [unpacked.name]).fetchall()
    return {country: (count, Decimal(total)) for country, count, total in answer}
