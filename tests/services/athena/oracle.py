"""Answers of a real Trino (476), frozen: statement, types and rows as its client protocol gives them."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.bench.trino_cases import Bench, moment, number, same_rows, value
from services.athena.trino_types import Type

ANSWERS = Path(__file__).with_name("oracle_answers.jsonl.gz")


def answers(group: str) -> Iterator[dict[str, Any]]:
    """`sql`, then `types` and `rows`, or `error` (Trino's name and text)."""
    with gzip.open(ANSWERS, "rt") as file:
        for line in file:
            answer = json.loads(line)
            if answer["group"] == group:
                yield answer


def plain(x: Any, kind: Type) -> Any:
    """A value of Trino's protocol in the form the scoreboard compares."""
    if x is None:
        return None
    match kind.name:
        case "array":
            return [plain(v, kind.args[0]) for v in x]
        case "row":
            return [plain(v, k) for v, k in zip(x, kind.args, strict=True)]
        case "map":
            return [
                "map",
                sorted(([_key(k, kind.args[0]), plain(v, kind.args[1])] for k, v in x.items()), key=repr),
            ]  # fmt: skip
        case "varbinary":
            return base64.b64decode(x).decode("latin1")
        case "tinyint" | "smallint" | "integer" | "bigint" | "real" | "double" | "decimal":
            return number(x)
    return moment(x) if isinstance(x, str) else x


def _key(text: str, kind: Type) -> Any:
    return number(text) if kind.name in ("integer", "bigint", "double") else moment(text)


def ours(bench: Bench, sql: str) -> tuple[list[Type], list[list[Any]]]:
    kinds, rows = bench.rows(sql)
    return kinds, [[value(v, k) for v, k in zip(row, kinds, strict=True)] for row in rows]


def differs(bench: Bench, answer: dict[str, Any]) -> str | None:
    """What this engine says otherwise than Trino; None where both agree in types and values."""
    kinds, rows = ours(bench, answer["sql"])
    types = [str(kind) for kind in kinds]
    if [t.replace(" ", "") for t in types] != [t.replace(" ", "") for t in answer["types"]]:
        return f"types {types} instead of {answer['types']}"
    wanted = [[plain(v, k) for v, k in zip(row, kinds, strict=True)] for row in answer["rows"]]
    if not same_rows(rows, wanted, False):
        return f"rows {rows} instead of {wanted}"
    return None
