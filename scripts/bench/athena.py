"""Athena's speed in one run: the labs' queries, a tiny query, many small objects, Parquet.

Usage: python -m scripts.bench.athena [--engines riacho ministack] [--parts tiny labs parquet small]
                                      [--objects 10000] [--bytes 20000] [--rows 600000]

Every figure of an engine goes through Athena's API (start, poll, results). Plain DuckDB reads the same
files from a local disk. The rows are compared with plain DuckDB's, cell by cell. Each line is printed
as soon as it is known.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scripts.bench import athena_tables
from scripts.bench.athena_tables import Question, Table
from scripts.bench.peers import PeerUnavailable, RunningPeer, ministack_with_duckdb, riacho
from services.connect import connect

BUCKET = "bench-athena"
ENGINES: dict[str, Callable[[], contextlib.AbstractContextManager[RunningPeer]]] = {
    "riacho": lambda: riacho(stream_storage="memory"),
    "ministack": ministack_with_duckdb,
}
PARTS = ("tiny", "labs", "parquet", "small")
#: A query that takes longer is stopped and told as such.
QUERY_SECONDS = 60.0
REPEATS = 3
Rows = list[list[str | None]]


class QueryEnded(Exception):
    """A query that did not succeed, with the engine's words."""


class Target:
    """An engine that speaks Athena's API."""

    def __init__(self, name: str, endpoint_url: str) -> None:
        self.name = name
        self.athena, self.s3 = connect("athena", endpoint_url), connect("s3", endpoint_url)
        self.glue = connect("glue", endpoint_url)

    def ask(self, sql: str) -> Rows:
        """All rows of a statement. Raises QueryEnded."""
        query = self.athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": "bench"},
            ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"},
        )["QueryExecutionId"]
        status = self._ended(query)["Status"]
        if status["State"] != "SUCCEEDED":
            raise QueryEnded(status.get("StateChangeReason") or status["State"])
        pages = self.athena.get_paginator("get_query_results").paginate(QueryExecutionId=query)
        rows = [
            [cell.get("VarCharValue") for cell in row["Data"]]
            for page in pages
            for row in page["ResultSet"]["Rows"]
        ]
        return rows[1:]

    def _ended(self, query: str) -> dict[str, Any]:
        deadline = time.monotonic() + QUERY_SECONDS
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.athena.get_query_execution(QueryExecutionId=query)
            execution: dict[str, Any] = found["QueryExecution"]
            if execution["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                return execution
            time.sleep(0.005)
        self.athena.stop_query_execution(QueryExecutionId=query)
        raise QueryEnded(f"stopped after {QUERY_SECONDS:.0f} s")

    def upload(self, files: Sequence[tuple[str, Path]]) -> None:
        def put(file: tuple[str, Path]) -> None:
            self.s3.put_object(Bucket=BUCKET, Key=file[0], Body=file[1].read_bytes())

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, files))

    def prepare(self) -> None:
        self.s3.create_bucket(Bucket=BUCKET)
        self.glue.create_database(DatabaseInput={"Name": "bench"})


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = work()
    return time.perf_counter() - began, answer


def plain(table: Table, question: Question) -> tuple[float, list[tuple[Any, ...]]]:
    """Best of three in plain DuckDB, each in a database of its own."""
    import duckdb

    sql = (question.plain or question.sql).format(table.source)
    runs = [seconds(lambda: duckdb.connect().execute(sql).fetchall()) for _ in range(REPEATS)]
    return min(took for took, _ in runs), runs[0][1]


def same(got: Rows, wanted: Sequence[Sequence[Any]]) -> str:
    """`equal`, or the first row that differs. Numbers may differ in the last digits of a double."""
    if len(got) != len(wanted):
        return f"{len(got)} rows instead of {len(wanted)}"
    for mine, theirs in zip(got, wanted, strict=True):
        if not all(_same_cell(a, b) for a, b in zip(mine, theirs, strict=True)):
            return f"{mine} instead of {list(theirs)}"
    return "equal"


def _same_cell(text: str | None, value: Any) -> bool:
    if text is None or value is None:
        return text is None and value is None
    if isinstance(value, (int, float)):
        return math.isclose(float(text), value, rel_tol=1e-9)
    return text == str(value)


def say(line: str) -> None:
    print(line, flush=True)


def measure_table(target: Target, table: Table, wanted: dict[str, Any]) -> None:
    """One line a question: cold (the first of a table fetches its objects), warm, plain DuckDB."""
    files = table.files()
    size = sum(path.stat().st_size for _, path in files)
    took, _ = seconds(lambda: target.upload(files))
    say(
        f"  {table.name}: {table.note}; {len(files):,} objects, {size / 1e6:.1f} MB, put in {took:.1f} s"
    )
    for sql in table.ddl(BUCKET):
        try:
            target.ask(sql)
        except Exception as refused:  # noqa: BLE001  what an engine cannot is a line of the table
            say(f"    {sql.split('(')[0][:60]}: {_words(refused)}")
    for question in table.questions:
        try:
            say(f"    {question.name}: {_measured(target, table, question, wanted)}")
        except Exception as refused:  # noqa: BLE001
            say(f"    {question.name}: {_words(refused)}")


def _measured(target: Target, table: Table, question: Question, wanted: dict[str, Any]) -> str:
    sql = question.sql.format(table.name)
    cold, rows = seconds(lambda: target.ask(sql))
    warm = statistics.median(seconds(lambda: target.ask(sql))[0] for _ in range(REPEATS))
    key = f"{table.name} {question.name}"
    if key not in wanted:
        wanted[key] = plain(table, question)
    alone, theirs = wanted[key]
    return (
        f"first {cold * 1000:,.0f} ms, again {warm * 1000:,.0f} ms, plain DuckDB {alone * 1000:,.0f} ms "
        f"({cold / alone:.2f} and {warm / alone:.2f} times); rows {same(rows, theirs)}"
    )


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:240]}"


def tiny(target: Target, count: int = 100) -> None:
    """SELECT 1, start to rows."""
    target.ask("SELECT 1")
    runs = [seconds(lambda: target.ask("SELECT 1")) for _ in range(count)]
    took = [1000 * each for each, _ in runs]
    right = all(rows == [["1"]] for _, rows in runs)
    say(
        f"  SELECT 1, start to rows: p50 {statistics.median(took):.1f} ms, "
        f"p95 {statistics.quantiles(took, n=20)[18]:.1f} ms; rows {'equal' if right else 'WRONG'}"
    )


def made_tables(folder: Path, options: argparse.Namespace) -> list[Table]:
    tables = []
    if "labs" in options.parts:
        tables += [
            athena_tables.online_retail(folder / "online_retail"),
            athena_tables.rees46(folder / "rees46", options.rows),
            athena_tables.clickstream(folder / "clickstream", options.rows // 2),
        ]
    if "parquet" in options.parts:
        tables.append(athena_tables.rees46_parquet(folder / "parquet", options.rows * 10))
    if "small" in options.parts:
        tables.append(athena_tables.small_objects(folder / "s", options.objects, options.bytes)[0])
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", nargs="+", choices=tuple(ENGINES), default=tuple(ENGINES))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--bytes", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=600_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="riacho-bench-") as place:
        took, tables = seconds(lambda: made_tables(Path(place), options))
        say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; data made in {took:.1f} s")
        wanted: dict[str, Any] = {}
        for name in options.engines:
            try:
                with ENGINES[name]() as peer:
                    say(f"{peer.name} {peer.version}")
                    target = Target(name, peer.endpoint_url)
                    target.prepare()
                    if "tiny" in options.parts:
                        tiny(target)
                    for table in tables:
                        measure_table(target, table, wanted)
            except PeerUnavailable as missing:
                say(f"{name}: {missing}")


if __name__ == "__main__":
    main()
