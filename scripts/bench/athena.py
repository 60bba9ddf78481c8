"""Athena's speed in one run: latency of a tiny query, many small objects, Parquet, beside plain DuckDB.

Usage: python -m scripts.bench.athena [--objects 10000] [--bytes 20000] [--peer URL NAME]

Every figure of ours goes through Athena's API of a running engine (start, poll, results). Plain DuckDB
reads local files of the same bytes. A peer is any other engine's endpoint with the same API.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scripts.command_line.query import Result, run
from services.connect import connect
from services.localstack import engine as engines
from services.settings import Settings

BUCKET = "bench-athena"
GROUPED = "SELECT country, sum(quantity) AS sold, count(*) AS n FROM {} GROUP BY country ORDER BY 1"
JSON_SERDE = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"


def rows(count: int, seed: int) -> bytes:
    """JSON lines of shop events."""
    chance = random.Random(seed)
    countries = ("Brazil", "Chile", "Peru", "Colombia", "Mexico", "Spain", "Portugal")
    lines = []
    for number in range(count):
        event = {
            "event_id": f"{seed:08x}{number:08x}",
            "country": chance.choice(countries),
            "quantity": chance.randint(1, 50),
            "price": round(chance.random() * 100, 2),
            "note": f"{chance.getrandbits(160):x}",
        }
        lines.append(json.dumps(event))
    return "\n".join(lines).encode() + b"\n"


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Target:
    """An engine that speaks Athena's API."""

    def __init__(self, name: str, endpoint_url: str) -> None:
        self.name = name
        self.athena, self.s3 = connect("athena", endpoint_url), connect("s3", endpoint_url)

    def ask(self, sql: str) -> Result:
        return run(self.athena, sql, output_location=f"s3://{BUCKET}/results/")

    def upload(self, files: list[tuple[str, Path]]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(
                    lambda f: self.s3.put_object(Bucket=BUCKET, Key=f[0], Body=f[1].read_bytes()),
                    files,
                )
            )


def latency(target: Target, count: int = 60) -> tuple[float, float]:
    """(p50, p95) in milliseconds of SELECT 1, start to rows."""
    target.ask("SELECT 1")
    took = [1000 * seconds(lambda: target.ask("SELECT 1")) for _ in range(count)]
    return statistics.median(took), statistics.quantiles(took, n=20)[18]


def write_objects(folder: Path, count: int, size: int) -> tuple[list[tuple[str, Path]], Path]:
    """Small gzip objects, and one gzip file of the same rows."""
    per_object = max(1, size // 75)
    files = []
    whole = folder / "whole.json.gz"
    with gzip.open(whole, "wb", 6) as everything:
        for number in range(count):
            body = rows(per_object, number)
            path = folder / f"{number:06d}.json.gz"
            path.write_bytes(gzip.compress(body, 6))
            everything.write(body)
            files.append((f"small/{path.name}", path))
    return files, whole


def plain(sql: str) -> float:
    """Best of two of a query in plain DuckDB."""
    import duckdb

    database = duckdb.connect()
    return min(seconds(lambda: database.execute(sql).fetchall()) for _ in range(2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--bytes", type=int, default=20_000)
    parser.add_argument("--peer", nargs=2, metavar=("URL", "NAME"), action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="riacho-bench-") as place:
        folder = Path(place)
        (folder / "small").mkdir()
        files, whole = write_objects(folder / "small", options.objects, options.bytes)
        size = sum(path.stat().st_size for _, path in files)
        print(
            f"{len(files)} gzip objects, {size / 1e6:.1f} MB; one file {whole.stat().st_size / 1e6:.1f} MB"
        )
        settings = Settings(port=0, data_dir=folder / "engine", stream_storage="memory")
        with engines.start(settings) as engine:
            targets = [
                Target("riacho", engine.endpoint_url),
                *(Target(n, u) for u, n in options.peer),
            ]
            for target in targets:
                try:
                    measure(target, files, whole, folder)
                except Exception as error:  # noqa: BLE001  a peer that cannot is one line of the table
                    print(f"{target.name}: {type(error).__name__}: {str(error)[:200]}")


def measure(target: Target, files: list[tuple[str, Path]], whole: Path, folder: Path) -> None:
    target.s3.create_bucket(Bucket=BUCKET)
    p50, p95 = latency(target)
    print(f"{target.name}: SELECT 1 start to rows p50 {p50:.1f} ms, p95 {p95:.1f} ms")
    took = seconds(lambda: target.upload(files))
    print(f"{target.name}: upload of {len(files)} objects {took:.1f} s")
    columns = "event_id string, country string, quantity int, price double, note string"
    target.ask(
        f"CREATE EXTERNAL TABLE small ({columns}) {JSON_SERDE} LOCATION 's3://{BUCKET}/small/'"
    )
    cold = seconds(lambda: target.ask(GROUPED.format("small")))
    warm = seconds(lambda: target.ask(GROUPED.format("small")))
    one = plain(GROUPED.format(f"read_json('{whole}', format='newline_delimited')"))
    print(
        f"{target.name}: small gzip objects cold {cold:.2f} s, warm {warm:.2f} s; plain DuckDB, one file {one:.2f} s"
    )
    print(f"{target.name}: cold is {cold / one:.1f} times plain DuckDB")
    parquet(target, whole, folder)


def parquet(target: Target, whole: Path, folder: Path) -> None:
    import duckdb

    path = folder / "whole.parquet"
    source = f"read_json('{whole}', format='newline_delimited')"
    duckdb.connect().execute(f"COPY (SELECT * FROM {source}) TO '{path}'")
    target.upload([("parquet/whole.parquet", path)])
    columns = "event_id string, country string, quantity int, price double, note string"
    target.ask(
        f"CREATE EXTERNAL TABLE columns ({columns}) STORED AS PARQUET LOCATION 's3://{BUCKET}/parquet/'"
    )
    target.ask(GROUPED.format("columns"))
    took = [
        target.ask(GROUPED.format("columns")).execution["Statistics"]["EngineExecutionTimeInMillis"]
        for _ in range(5)
    ]
    one = 1000 * plain(GROUPED.format(f"'{path}'"))
    print(
        f"{target.name}: Parquet {path.stat().st_size / 1e6:.1f} MB engine time {min(took)} ms; plain DuckDB {one:.0f} ms"
    )


if __name__ == "__main__":
    main()
