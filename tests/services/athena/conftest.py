"""An Athena in memory: real DuckDB, a catalog and objects in dictionaries."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from services.athena.athena import Athena
from services.athena.catalog import MemoryGlue
from services.athena.duckdb_engine import DuckDbEngine
from services.athena.object_store import MemoryObjectStore
from services.clock import FixedClock

SCOPE = {"region": "us-east-1", "account_id": "000000000000"}
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


class AthenaInMemory:
    """Runs statements to their end and gives rows as texts."""

    def __init__(self, folder: Path) -> None:
        self.clock = FixedClock(1_600_000_000.0)
        self.store = MemoryObjectStore("lake", "out")
        self.glue = MemoryGlue()
        engine = DuckDbEngine(self.store, folder)
        self.athena = Athena(clock=self.clock, glue=self.glue, store=self.store, engine=engine)

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        return self.athena.call(operation, request, **SCOPE)

    def start(self, sql: str, **more: Any) -> str:
        location = {"ResultConfiguration": {"OutputLocation": "s3://out/r/"}}
        answer = self.call("StartQueryExecution", **{"QueryString": sql, **location, **more})
        found: str = answer["QueryExecutionId"]
        return found

    def ended(self, query_execution_id: str) -> dict[str, Any]:
        active = self.athena._runner.active(query_execution_id)
        if active is not None:
            assert active.ended.wait(60)
        answer = self.call("GetQueryExecution", QueryExecutionId=query_execution_id)
        execution: dict[str, Any] = answer["QueryExecution"]
        return execution

    def run(self, sql: str, **more: Any) -> dict[str, Any]:
        return self.ended(self.start(sql, **more))

    def rows(self, sql: str, **more: Any) -> list[list[str | None]]:
        """Without the header of a SELECT."""
        execution = self.run(sql, **more)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        answer = self.call("GetQueryResults", QueryExecutionId=execution["QueryExecutionId"])
        found = [
            [c.get("VarCharValue") for c in row["Data"]] for row in answer["ResultSet"]["Rows"]
        ]
        return found[1:] if execution["StatementType"] == "DML" else found

    def reason(self, sql: str, **more: Any) -> str:
        """Why the statement ended FAILED or CANCELLED."""
        status = self.run(sql, **more)["Status"]
        assert status["State"] in ("FAILED", "CANCELLED"), status
        found: str = status["StateChangeReason"]
        return found

    def put(self, key: str, body: bytes | str) -> None:
        self.store.write("lake", key, body.encode() if isinstance(body, str) else body)

    def put_json(self, key: str, rows: Sequence[dict[str, Any]]) -> None:
        body = "\n".join(json.dumps(row) for row in rows).encode()
        self.put(key, gzip.compress(body) if key.endswith(".gz") else body)


@pytest.fixture
def athena(tmp_path: Path) -> Iterator[AthenaInMemory]:
    made = AthenaInMemory(tmp_path)
    yield made
    made.athena.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AthenaInMemory]:
    """One for all tests of a module that change nothing the others see."""
    made = AthenaInMemory(tmp_path_factory.mktemp("athena"))
    yield made
    made.athena.close()
