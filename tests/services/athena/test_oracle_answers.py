"""What a real Trino answered to random statements is what this engine answers: types and values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.bench.trino_cases import Bench
from services.athena.errors import QueryFailed
from tests.services.athena import oracle


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench(None)
    yield made
    made.close()


@pytest.mark.parametrize("group", ["row patterns"])
def test_answers_are_trinos_in_types_and_values(bench: Bench, group: str) -> None:
    wrong = []
    seen = 0
    for answer in oracle.answers(group):
        seen += 1
        if "error" in answer:
            wrong += [f"{answer['sql']}: {e}" for e in _other_error(bench, answer)]
        elif found := oracle.differs(bench, answer):
            wrong.append(f"{answer['sql']}: {found}")
    assert seen > 20
    assert wrong == []


@pytest.mark.parametrize("group", ["casts", "functions", "statements"])
def test_values_are_trinos_in_types_and_text(bench: Bench, group: str) -> None:
    assert _wrong(bench, group, oracle.VALUES, 200) == []


@pytest.mark.parametrize("group", [
    "correlated", "grouping sets", "windows", "unnest", "lambdas", "rows", "coercions", "sets", "json queries",
    "listagg", "decimals", "moments", "texts", "try and format", "values",
])  # fmt: skip
def test_families_are_trinos_in_types_and_text(bench: Bench, group: str) -> None:
    assert _wrong(bench, group, oracle.FAMILIES, 10) == []


def _wrong(bench: Bench, group: str, path: Path, at_least: int) -> list[str]:
    wrong = []
    seen = 0
    for answer in oracle.answers(group, path):
        seen += 1
        if "error" in answer:
            wrong += [f"{answer['sql']}: {e}" for e in _other_text(bench, answer)]
        elif found := oracle.differs_in_text(bench, answer):
            wrong.append(f"{answer['sql']}: {found}")
    assert seen > at_least
    return wrong


def _other_text(bench: Bench, answer: dict[str, str]) -> list[str]:
    try:
        bench.texts(answer["sql"])
    except QueryFailed as error:
        return (
            []
            if error.reason == answer["error"]
            else [f"{error.reason} instead of {answer['error']}"]
        )
    return [f"an answer instead of {answer['error']}"]


def _other_error(bench: Bench, answer: dict[str, str]) -> list[str]:
    name = answer["error"].partition(":")[0]
    try:
        oracle.ours(bench, answer["sql"])
    except QueryFailed as error:
        got = error.reason.partition(":")[0]
        return [] if got == name else [f"{error.reason} instead of {answer['error']}"]
    return [f"an answer instead of {answer['error']}"]


def test_errors_carry_trinos_name_text_line_and_column(bench: Bench) -> None:
    wrong = []
    for answer in oracle.answers("errors"):
        with pytest.raises(QueryFailed) as raised:
            oracle.ours(bench, answer["sql"])
        if raised.value.reason != answer["error"]:
            wrong.append(f"{answer['sql']}: {raised.value.reason} instead of {answer['error']}")
    assert wrong == []
