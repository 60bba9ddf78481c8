"""Answers of a real Trino (476), frozen: statement, types and rows as its client protocol gives them.

`oracle_answers.jsonl.gz` holds row patterns and error texts. `oracle_values.jsonl.gz` holds casts between all
pairs of types, functions with edge arguments and statements over small VALUES: made on 1 December 2026 from
products of arguments (NULL, empty, negative, huge, non-ASCII, zones, nested), asked of Trino 476 from Maven Central
with session time zone UTC and its client capability PARAMETRIC_DATETIME. `oracle_families.jsonl.gz` holds, asked
the same way, what users write less often: sub-queries in all places, grouping sets, window frames, UNNEST joins,
nested lambdas, rows, SQL/JSON paths, LISTAGG's overflow, coercions, decimals, moments, texts, TRY and mistakes.
"""

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
VALUES = Path(__file__).with_name("oracle_values.jsonl.gz")
FAMILIES = Path(__file__).with_name("oracle_families.jsonl.gz")


def answers(group: str, path: Path = ANSWERS) -> Iterator[dict[str, Any]]:
    """`sql`, then `types` and `rows`, or `error` (Trino's name and text)."""
    with gzip.open(path, "rt") as file:
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


def differs_in_text(bench: Bench, answer: dict[str, Any]) -> str | None:
    """As `differs`, and every value that holds no floating number is shown as Trino's text."""
    kinds, rows = bench.texts(answer["sql"])
    types = [str(kind).replace(" ", "") for kind in kinds]
    if types != [t.replace(" ", "").lower() for t in answer["types"]]:
        return f"types {types} instead of {answer['types']}"
    got = [[_shown_here(v, k) for v, k in zip(row, kinds, strict=True)] for row in rows]
    want = [[shown(v, k) for v, k in zip(row, kinds, strict=True)] for row in answer["rows"]]
    if "order by" not in answer["sql"].lower():
        got, want = sorted(got, key=repr), sorted(want, key=repr)
    return None if got == want else f"{got} instead of {want}"


def _shown_here(text: str | None, kind: Type) -> Any:
    if text is not None and kind.name in ("real", "double"):
        return _figures(text, kind)
    return _ordered(text) if text is not None and "map(" in str(kind) else text


def shown(x: Any, kind: Type) -> Any:
    """A value of Trino's protocol as the text Athena's result files hold."""
    text = _text(x, kind)
    return _ordered(text) if text is not None and "map(" in str(kind) else text


def _ordered(text: str) -> str:
    """Maps have no order: only which letters there are counts."""
    return "".join(sorted(text))


def _figures(text: Any, kind: Type) -> str:
    return f"{float(text):.{6 if kind.name == 'real' else 13}g}"


def _text(x: Any, kind: Type) -> Any:
    if x is None:
        return None
    match kind.name:
        case "array":
            return "[" + ", ".join(_inner(v, kind.args[0]) for v in x) + "]"
        case "row":
            names = (n or f"field{i}" for i, n in enumerate(kind.fields))
            pairs = zip(names, x, kind.args, strict=True)
            return "{" + ", ".join(f"{n}={_inner(v, k)}" for n, v, k in pairs) + "}"
        case "map":
            return "{" + ", ".join(f"{k}={_inner(v, kind.args[1])}" for k, v in x.items()) + "}"
        case "boolean":
            return "true" if x else "false"
        case "varbinary":
            return base64.b64decode(x).hex(" ")
        case "real" | "double":
            return _figures(x, kind)
    return str(x)


def _inner(x: Any, kind: Type) -> str:
    return "null" if x is None else str(_text(x, kind))
