"""Scoreboard: Trino's own test cases against this Athena's dialect, by group.

Usage: python -m scripts.bench.trino_cases CASES.jsonl.gz [--tpch FOLDER] [--group G] [--wrong] [--errors]

The cases come from Trino's tests and documentation (Apache License 2.0). TPC-H tables are read from
`FOLDER/<table>.parquet` (scale factor 0.01, columns without prefix, numbers as doubles).
"""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import gzip
import json
import math
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from services.athena import duckdb_errors, rendering, trino_types
from services.athena.catalog import Catalog, MemoryGlue
from services.athena.dialect.parsing import parse
from services.athena.duckdb_engine import DuckDbEngine
from services.athena.errors import QueryCancelled, QueryFailed
from services.athena.execution_engine import QueryContext
from services.athena.hive_statements import HiveStatements
from services.athena.object_store import MemoryObjectStore
from services.athena.trino_types import Type

Case = dict[str, Any]
_TPCH_TYPES = {
    "BIGINT": "bigint",
    "INTEGER": "int",
    "VARCHAR": "string",
    "DOUBLE": "double",
    "DATE": "date",
}
SECONDS = 20.0


class Bench:
    """An engine in memory, with TPC-H's tables where a folder has them."""

    def __init__(self, tpch: Path | None) -> None:
        self.store = MemoryObjectStore("tpch")
        self.folder = tempfile.TemporaryDirectory(prefix="riacho-cases-")
        self.engine = DuckDbEngine(self.store, Path(self.folder.name))
        self.glue = MemoryGlue()
        self.catalog = Catalog(self.glue)
        import duckdb

        self.plain = duckdb.connect()
        for path in sorted(tpch.glob("*.parquet")) if tpch else []:
            self._table(path)

    def _table(self, path: Path) -> None:
        columns = self.plain.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
        self.plain.execute(
            f"CREATE VIEW {path.stem} AS SELECT "
            + ", ".join(
                f"CAST({c} AS DOUBLE) AS {c}" if k.startswith("DECIMAL") else c
                for c, k, *_ in columns
            )
            + f" FROM '{path}'"
        )
        listed = ", ".join(f"`{c}` {_TPCH_TYPES.get(k, 'double')}" for c, k, *_ in columns)
        self.store.write("tpch", f"{path.stem}/data.parquet", path.read_bytes())
        sql = f"CREATE EXTERNAL TABLE {path.stem} ({listed}) STORED AS PARQUET LOCATION 's3://tpch/{path.stem}/'"
        HiveStatements(self.catalog, self.store, "default", 0.0).run(sql)

    def close(self) -> None:
        self.engine.close()
        self.plain.close()
        self.folder.cleanup()

    def rows(self, sql: str) -> tuple[list[Type], list[tuple[Any, ...]]]:
        """Types, and rows of DuckDB's Python values. Raises QueryFailed."""
        return self._answer(sql, False)

    def texts(self, sql: str) -> tuple[list[Type], list[tuple[str | None, ...]]]:
        """Types, and rows as Athena's result files write them. Raises QueryFailed."""
        return self._answer(sql, True)

    def _answer(self, sql: str, as_text: bool) -> tuple[list[Type], list[tuple[Any, ...]]]:
        sql = re.sub(r"\b(?:tpch\.)?(?:tiny|sf1)\.(?=\w)", "", sql)
        context = QueryContext(self.catalog, "default", 1_600_000_000.0)
        connection = self.engine.begin(context)
        timer = threading.Timer(SECONDS, context.cancel)
        timer.start()
        try:
            translated, text = self.engine.translated(parse(sql), context, connection)
            kinds = [c.type for c in translated.query.columns]
            if as_text:
                names = [f"c{i}" for i in range(len(kinds))]
                shown = (rendering.rendered(n, k) for n, k in zip(names, kinds, strict=True))
                text = f"SELECT {', '.join(shown)} FROM ({text}) AS q({', '.join(names)})"
            with duckdb_errors.translated(self.engine.cache.folder, context):
                return kinds, connection.execute(text).fetchall()
        except QueryCancelled:
            raise QueryFailed("EXCEEDED_TIME_LIMIT: no answer in time") from None
        finally:
            timer.cancel()
            context.finished()

    def expected(self, sql: str) -> list[Any]:
        """Rows of a reference query: plain DuckDB first, this engine where that fails."""
        import duckdb

        try:
            return [[plain(v) for v in row] for row in self.plain.execute(sql).fetchall()]
        except duckdb.Error:
            kinds, rows = self.rows(sql)
            return [[value(v, k) for v, k in zip(row, kinds, strict=True)] for row in rows]


# --- values in one form, whoever made them


def number(x: Any) -> Any:
    x = float(x)
    if math.isnan(x):
        return "NaN"
    return x if math.isinf(x) else float(f"{x:.9g}")


def plain(x: Any) -> Any:
    """A value of plain DuckDB."""
    if x is None or isinstance(x, bool):
        return x
    if isinstance(x, (int, float, decimal.Decimal)):
        return number(x)
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x]
    if isinstance(x, dict):
        return [plain(v) for v in x.values()]
    return moment(str(x))


def moment(text: str) -> str:
    """Dates and times without trailing zeros."""
    found = re.fullmatch(r"(\d{4,}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(.*)", text)
    if found and found[2]:
        clock = found[2] if found[2].count(":") == 2 else found[2] + ":00"
        return f"{found[1]} {clock.rstrip('0').rstrip('.') if '.' in clock else clock}{found[3]}"
    return text


def value(x: Any, kind: Type) -> Any:
    """A value of this engine, by its type."""
    if x is None:
        return None
    match kind.name:
        case "boolean":
            return bool(x)
        case "array":
            return [value(v, kind.args[0]) for v in x]
        case "row":
            return [
                value(x[n], k)
                for n, k in zip(trino_types.struct_names(kind), kind.args, strict=True)
            ]
        case "map":
            pairs = (
                zip(x["key"], x["value"], strict=True)
                if set(x) == {"key", "value"} and isinstance(x["key"], list)
                else x.items()
            )
            return [
                "map",
                sorted(
                    ([value(k, kind.args[0]), value(v, kind.args[1])] for k, v in pairs), key=repr
                ),
            ]
        case "varbinary":
            return bytes(x).decode("latin1")
        case "timestamp with time zone":
            return _zoned(x)
        case "time with time zone":
            return f"{x['t']}{x['z']}"
        case "char":
            return str(x).ljust(kind.params[0])
    if kind.name in ("tinyint", "smallint", "integer", "bigint", "real", "double", "decimal"):
        return number(x)
    if kind.name in ("interval day to second", "interval year to month"):
        return f"{kind.name} {x}"
    return moment(str(x))


def _zoned(x: dict[str, Any]) -> str:
    from services.athena.python_moments import zone_of

    local = x["t"].replace(tzinfo=datetime.UTC).astimezone(zone_of(x["z"])).replace(tzinfo=None)
    return moment(str(local)) + " " + str(x["z"])


def wanted(x: Any) -> Any:
    """A value as the cases write it."""
    if x is None or isinstance(x, bool):
        return x
    if isinstance(x, dict):
        if "__num__" in x:
            return number(x["__num__"])
        if "__hex__" in x:
            return bytes.fromhex(x["__hex__"]).decode("latin1")
        if "__map__" in x:
            return ["map", sorted(([wanted(k), wanted(v)] for k, v in x["__map__"]), key=repr)]
        return [wanted(v) for v in x.values()]
    if isinstance(x, (int, float)):
        return number(x)
    return [wanted(v) for v in x] if isinstance(x, list) else moment(str(x))


def same(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, str) and isinstance(b, (int, float)) and not isinstance(b, bool):
        a, b = b, a
    if isinstance(a, (int, float)) and not isinstance(a, bool) and isinstance(b, str):
        try:
            return bool(number(b) == a)
        except ValueError:
            return str(a) == b or {math.inf: "Infinity", -math.inf: "-Infinity"}.get(a) == b
    if isinstance(a, float) and isinstance(b, float) and math.isfinite(a) and math.isfinite(b):
        return math.isclose(a, b, rel_tol=1e-7, abs_tol=1e-300)
    return bool(a == b)


def same_rows(got: Sequence[Any], want: Sequence[Any], ordered: bool) -> bool:
    if len(got) != len(want):
        return False
    if not ordered:
        got, want = sorted(got, key=_order), sorted(want, key=_order)
    return all(same(list(a), list(b)) for a, b in zip(got, want, strict=True))


def _order(row: Any) -> str:
    return re.sub(r"(\d+\.\d{5})\d+", r"\1", repr(row))


# --- judging


def judge(bench: Bench, case: Case) -> tuple[str, str]:
    """(`right`, `wrong` or `error`, what was seen)"""
    try:
        kinds, rows = bench.rows(case["sql"])
    except QueryFailed as error:
        return "error", error.reason
    got = [[value(v, k) for v, k in zip(row, kinds, strict=True)] for row in rows]
    try:
        right, want = _agrees(bench, case, kinds, got)
    except QueryFailed as error:
        return "error", "the expected side: " + error.reason
    return (
        "right" if right else "wrong"
    ), f"{[str(k) for k in kinds]} {str(got)[:150]} want {str(want)[:150]}"


def _agrees(bench: Bench, case: Case, kinds: list[Type], got: list[list[Any]]) -> tuple[bool, Any]:
    match case["kind"]:
        case "eq":
            want = wanted(case["want"])
            return len(got) == 1 and len(got[0]) == 1 and same(got[0][0], want), want
        case "match":
            want_kinds, rows = bench.rows("SELECT " + case["want_expr"])
            want = [[value(v, k) for v, k in zip(row, want_kinds, strict=True)] for row in rows]
            return same_rows(got, want, True) and kinds[0].name == want_kinds[0].name, want
        case "query":
            if case["want_sql"] is None:  # no row
                return not got, []
            want_kinds, rows = bench.rows(case["want_sql"])
            want = [[value(v, k) for v, k in zip(row, want_kinds, strict=True)] for row in rows]
            return same_rows(got, want, bool(case.get("ordered"))), want
        case "tpch":
            want = bench.expected(case["want_sql"])
            return same_rows(got, want, False), want
        case "product":
            delimiter = case.get("delim") or "|"
            want = [
                [_cell(c) for c in line.rstrip(delimiter).split(delimiter)]
                for line in case["want_rows"]
            ]
            return same_rows(got, want, False), want
    text = _flat(case["want_text"])
    shown = _flat(_text(got[0][0])) if got and got[0] else ""
    return shown == text or same(got[0][0] if got else None, _cell(case["want_text"])), case[
        "want_text"
    ]


def _cell(text: str) -> Any:
    if text.lower() == "null":
        return None
    if text in ("true", "false"):
        return text == "true"
    try:
        return number(text)
    except ValueError:
        return moment(text.strip("'"))


def _text(x: Any) -> str:
    if isinstance(x, list) and x and x[0] == "map":
        return "{" + ",".join(f"{_text(k)}->{_text(v)}" for k, v in x[1]) + "}"
    if isinstance(x, list):
        return "[" + ",".join(_text(v) for v in x) + "]"
    if isinstance(x, float) and x.is_integer():
        return str(int(x))
    return "null" if x is None else str(x).lower() if isinstance(x, bool) else str(x)


def _flat(text: str) -> str:
    text = re.sub(r"\b(ROW|MAP|ARRAY|varchar|json|JSON|DATE|TIMESTAMP|DECIMAL)\b", "", text)
    text = text.replace("=", "->").replace("(", "[").replace(")", "]")
    text = re.sub(r"(\d)\.0\b", r"\1", text)
    return re.sub(r"[\s'\"{}\[\]]", "", text)


def cases_of(path: Path) -> Iterator[Case]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for line in file:
            case = json.loads(line)
            if case.get("graded", True):
                yield case


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--tpch", type=Path)
    parser.add_argument("--group")
    parser.add_argument("--wrong", action="store_true", help="list silently wrong answers")
    parser.add_argument("--errors", action="store_true", help="list refusals")
    parser.add_argument("--out", type=Path, help="write each case's verdict as JSON lines")
    options = parser.parse_args()
    bench = Bench(options.tpch)
    table: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    out = options.out.open("w") if options.out else None
    for case in cases_of(options.cases):
        if options.group and options.group not in case["group"]:
            continue
        verdict, seen = judge_safely(bench, case)
        table[case["group"]][verdict] += 1
        if out:
            out.write(json.dumps({**case, "verdict": verdict, "seen": seen}) + "\n")
        if (verdict == "wrong" and options.wrong) or (verdict == "error" and options.errors):
            print(f"{verdict} [{case['group']}] {case['sql'][:300]!r}\n      {seen[:300]}")
    report(table)
    bench.close()


def judge_safely(bench: Bench, case: Case) -> tuple[str, str]:
    try:
        return judge(bench, case)
    except Exception as error:  # noqa: BLE001  a fault of the engine is one more wrong case
        return "error", f"FAULT {type(error).__name__}: {error}"


def report(table: dict[str, collections.Counter[str]]) -> None:
    totals = {"functions": collections.Counter[str](), "statements": collections.Counter[str]()}
    print(f"{'group':52} {'of':>6} {'right':>6} {'wrong':>6} {'error':>6}   rate")
    for group, counts in sorted(table.items()):
        totals["statements" if group.startswith("SQL") else "functions"].update(counts)
        _line(group, counts)
    for name, counts in totals.items():
        _line(name, counts)


def _line(name: str, counts: collections.Counter[str]) -> None:
    of = sum(counts.values())
    if of:
        print(
            f"{name:52} {of:6} {counts['right']:6} {counts['wrong']:6} {counts['error']:6}  {100 * counts['right'] / of:5.1f} %"
        )


if __name__ == "__main__":
    main()
