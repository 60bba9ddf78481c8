"""`1.5` is a DOUBLE on AWS and a DECIMAL in Trino."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.athena.athena import Athena
from services.athena.duckdb_engine import DuckDbEngine
from tests.services.athena.conftest import AthenaInMemory


@pytest.fixture
def on_aws(tmp_path: Path) -> Iterator[AthenaInMemory]:
    made = AthenaInMemory(tmp_path)
    made.athena.close()
    engine = DuckDbEngine(made.store, tmp_path, decimal_literals_as_double=True)
    made.athena = Athena(clock=made.clock, glue=made.glue, store=made.store, engine=engine)
    yield made
    made.athena.close()


TYPES = (
    "SELECT typeof(1.5), typeof(-.5), typeof(1), typeof(1e0), typeof(DECIMAL '1.5'), typeof('1.5')"
)


def test_a_decimal_literal_is_a_double_and_other_literals_stay(on_aws: AthenaInMemory) -> None:
    [types] = on_aws.rows(TYPES)
    assert types == ["double", "double", "integer", "double", "decimal(2,1)", "varchar(3)"]
    assert on_aws.rows("SELECT 0.1 + 0.2, 1.0, CAST(1.25 AS decimal(3,1))") == [
        ["0.30000000000000004", "1.0", "1.3"]
    ]


def test_in_trino_it_is_a_decimal(shared: AthenaInMemory) -> None:
    assert shared.rows(TYPES)[0][:2] == ["decimal(2,1)", "decimal(1,1)"]


def test_parameters_views_and_new_tables_follow(on_aws: AthenaInMemory) -> None:
    assert on_aws.rows("SELECT typeof(?)", ExecutionParameters=["2.50"]) == [["double"]]
    on_aws.rows("CREATE VIEW v AS SELECT 1.5 AS a")
    assert on_aws.rows("SELECT typeof(a) FROM v") == [["double"]]
    on_aws.run("CREATE TABLE t AS SELECT 1.5 AS a")
    assert on_aws.rows("SELECT typeof(a), a FROM t") == [["double", "1.5"]]


def test_a_decimal_column_compares_and_its_literal_has_a_type(on_aws: AthenaInMemory) -> None:
    on_aws.rows("""CREATE EXTERNAL TABLE prices (p decimal(10,2)) STORED AS PARQUET
        LOCATION 's3://lake/prices/'""")
    on_aws.run("INSERT INTO prices VALUES (DECIMAL '0.12'), (DECIMAL '2.50')")
    assert on_aws.rows("SELECT p FROM prices WHERE p = 0.12 OR p > 2.4 ORDER BY 1") == [
        ["0.12"], ["2.50"],
    ]  # fmt: skip
    assert "line 1:40: Column 'q'" in on_aws.reason("SELECT p * 1.5 FROM prices WHERE 2.5 > q")


def test_literals_in_the_rows_of_an_insert_fit_their_columns(on_aws: AthenaInMemory) -> None:
    on_aws.rows("""CREATE EXTERNAL TABLE kinds (r float, d double, m decimal(10,2)) STORED AS PARQUET
        LOCATION 's3://lake/kinds/'""")
    on_aws.run("INSERT INTO kinds VALUES (1.5, 1.5, 1.5)")
    on_aws.run("INSERT INTO kinds VALUES (?, ?, ?)", ExecutionParameters=["2.5", "2.5", "2.5"])
    assert on_aws.rows("SELECT * FROM kinds ORDER BY d") == [
        ["1.5", "1.5", "1.50"], ["2.5", "2.5", "2.50"],
    ]  # fmt: skip
