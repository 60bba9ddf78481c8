"""The matcher as a function inside DuckDB: partitions in, output rows with their slots out.

Conditions that depend on the match so far are asked in batches over all partitions of a chunk: one
query per label and round, on a cursor of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from services.athena.python_errors import trino_error
from services.athena.row_pattern_matcher import Partition, PatternFailed, Rules, Slot

RESULT = (
    'STRUCT("row" BIGINT, "number" BIGINT, navs BIGINT[], "names" VARCHAR[], '
    '"groups" STRUCT(k BIGINT[], n VARCHAR[])[])[]'
)


@lru_cache(64)
def _rules(text: str) -> tuple[Rules, dict[int, dict[str, Any]]]:
    given = json.loads(text)
    asked = {int(k): v for k, v in given["asked"].items()}
    rules = Rules(
        program=given["program"],
        labels=given["labels"],
        known={int(k): v for k, v in given["known"].items()},
        asked={k: [_slot(s) for s in v["slots"]] for k, v in asked.items()},
        reach={int(k): (v[0], v[1]) for k, v in given["reach"].items()},
        measures=[_slot(s) for s in given["measures"]],
        skip=given["skip"],
        skip_labels=frozenset(given["skip_labels"]),
        all_rows=given["all_rows"],
        omit_empty=given["omit_empty"],
        unmatched=given["unmatched"],
        window=given["window"],
        seek=given["seek"],
        following=given["following"],
    )
    return rules, asked


def _slot(given: Sequence[Any]) -> Slot:
    kind, labels, first, offset, physical, final = given
    return Slot(kind, None if labels is None else frozenset(labels), first, offset, physical, final)


def matcher(cursor: Callable[[], Any]) -> Callable[..., Any]:
    """`athena_match(rules, first, known, texts)` on Arrow columns; `cursor` opens a connection."""

    def match(rules: Any, first: Any, known: Any, texts: Any) -> Any:
        import pyarrow

        chunk = [column.to_pylist() for column in (rules, first, known, texts)]
        answers = [_Answering(*row) for row in zip(*chunk, strict=True)]
        _advance_all(answers, cursor)
        return pyarrow.array([a.rows for a in answers], type=_arrow_type())

    return match


def _arrow_type() -> Any:
    import pyarrow as pa

    group = pa.struct([("k", pa.list_(pa.int64())), ("n", pa.list_(pa.string()))])
    return pa.list_(
        pa.struct([
            ("row", pa.int64()), ("number", pa.int64()), ("navs", pa.list_(pa.int64())),
            ("names", pa.list_(pa.string())), ("groups", pa.list_(group)),
        ])
    )  # fmt: skip


class _Answering:
    """One partition on its way: it runs until it asks for a condition."""

    def __init__(self, rules: str, first: int, known: list[Any], texts: list[Any]) -> None:
        self.rules, self.asked = _rules(rules)
        self.first, self.texts = first, texts
        self.partition = Partition(self.rules, len(known), known)
        self._steps = self.partition.run()
        self._memory: dict[Any, bool] = {}
        self.request: Any = None
        self.rows: list[dict[str, Any]] = []
        self._send(None)

    def _send(self, answer: bool | None) -> None:
        try:
            while True:
                self.request = self._steps.send(answer)  # type: ignore[arg-type]
                if self.request not in self._memory:
                    return
                answer = self._memory[self.request]
        except StopIteration as stop:
            self.request = None
            self.rows = [self._shown(row) for row in stop.value]
        except PatternFailed as error:
            raise trino_error("GENERIC_USER_ERROR", str(error)) from None

    def answer(self, value: bool) -> None:
        self._memory[self.request] = value
        self._send(value)

    def _shown(self, row: dict[str, Any]) -> dict[str, Any]:
        navs: list[Any] = []
        names: list[Any] = []
        groups: list[Any] = []
        values = row["slots"] or [None] * len(self.rules.measures)
        for slot, value in zip(self.rules.measures, values, strict=True):
            if slot.kind == "row":
                navs.append(None if value is None else self.first + value)
            elif slot.kind == "name":
                names.append(None if value is None else self.rules.labels[value])
            else:
                groups.append(self._group(value or ()))
        return {
            "row": self.first + row["row"], "number": row["number"],
            "navs": navs, "names": names, "groups": groups,
        }  # fmt: skip

    def _group(self, rows: Sequence[tuple[int, int]]) -> dict[str, Any]:
        return {
            "k": [self.first + row for row, _ in rows],
            "n": [self.rules.labels[label] for _, label in rows],
        }


def _advance_all(answers: Sequence[_Answering], cursor: Callable[[], Any]) -> None:
    waiting = [a for a in answers if a.request is not None]
    if not waiting:
        return
    connection = cursor()
    try:
        while waiting:
            groups: dict[int, list[_Answering]] = {}
            for one in waiting:
                groups.setdefault(one.request[0], []).append(one)
            for label, group in groups.items():
                for one, value in zip(group, _asked(connection, label, group), strict=True):
                    one.answer(value)
            waiting = [a for a in waiting if a.request is not None]
    finally:
        connection.close()


def _asked(connection: Any, label: int, group: Sequence[_Answering]) -> list[bool]:
    """One condition for many requests at once."""
    given = group[0].asked[label]
    slots = group[0].rules.asked[label]
    columns: list[list[Any]] = [[] for _ in range(len(slots) + 1)]
    for one in group:
        number, *values = one.request[1]
        columns[0].append(number)
        for column, slot, value in zip(columns[1:], slots, values, strict=True):
            column.append(_texts(one, slot, value))
    rows = connection.execute(_query(json.dumps(given)), columns).fetchall()
    return [bool(row[0]) for row in rows]


def _texts(one: _Answering, slot: Slot, value: Any) -> Any:
    """What the condition's SQL gets for a slot."""
    if slot.kind == "row":
        return None if value is None else [str(one.first + value), *one.texts[value]]
    if slot.kind == "name":
        return None if value is None else one.rules.labels[value]
    return [
        [str(one.first + row), one.rules.labels[label], *one.texts[row]] for row, label in value
    ]


@lru_cache(64)
def _query(text: str) -> str:
    """Parameters: the numbers, then one list per slot; one row per request, in their order."""
    given = json.loads(text)
    p = given["prefix"]
    inner = [
        f"unnest(CAST($1 AS BIGINT[])) AS {p}_number, generate_subscripts(CAST($1 AS BIGINT[]), 1) AS q_k"
    ]
    items = [f"{p}_number", "q_k"]
    row = name = group = 0
    aggregates: list[str] = []
    for place, slot in enumerate(given["slots"], 2):
        kind = {"row": "VARCHAR[][]", "name": "VARCHAR[]", "rows": "VARCHAR[][][]"}[slot[0]]
        inner.append(f"unnest(CAST(${place} AS {kind})) AS q_{place}")
        if slot[0] == "row":
            items.append(f"CAST(q_{place}[1] AS BIGINT) AS {p}_b{row}_rid")
            items += [f"CAST(q_{place}[{i + 2}] AS {t}) AS {n}" for i, n, t in given["rows"][row]]
            row += 1
        elif slot[0] == "name":
            items.append(f"q_{place} AS {p}_n{name}")
            name += 1
        else:
            items.append(f"q_{place}")
            aggregates += [
                f"{_aggregate(a, place, p)} AS {p}_a{j}"
                for j, a in enumerate(given["aggregates"])
                if a["slot"] == group
            ]
            group += 1
    sql = f"SELECT {', '.join(items)} FROM (SELECT {', '.join(inner)})"
    if aggregates:
        sql = f"SELECT *, {', '.join(aggregates)} FROM ({sql})"
    return f"SELECT coalesce({given['sql']}, false) FROM ({sql}) ORDER BY q_k"


def _aggregate(given: dict[str, Any], place: int, prefix: str) -> str:
    columns = [
        "CAST(_r[1] AS BIGINT) AS _u_rid",
        "_r[2] AS _u_name",
        f"{prefix}_number AS _u_number",
    ]
    columns += [f"CAST(_r[{i + 3}] AS {kind}) AS {name}" for i, name, kind in given["columns"]]
    return f"(SELECT {given['sql']} FROM (SELECT {', '.join(columns)} FROM (SELECT unnest(q_{place}) AS _r)))"
