"""How faithful engines are: runs the contract suites against each and prints a table.

    python -m scripts.bench.fidelity [--engines riacho localstack ministack moto]
                                     [--suites kinesis] [--minutes 6] [--write]

The table is that of `docs/fidelity.md` with the new results in it; `--engines` says which to run
again (`--engines` alone: none). `--write` puts it into the page. Other engines are installed on
demand.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
SUITES = ROOT / "tests" / "contract"
PAGE = ROOT / "docs" / "fidelity.md"
ENGINES = ("riacho", "localstack", "ministack", "moto")
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"

#: LocalStack's community edition has no Glue.
NOT_THERE = {("localstack", "glue")}

#: What a contract's result is called in the table.
KEPT, BROKEN, GAP, UNTRIED = "✓", "✗", "known gap", "–"

#: (suite and file, contract) of each result.
type Contract = tuple[str, str]


class Shown(NamedTuple):
    """What a file of contracts showed of one engine: how many were kept, and each one's cell."""

    kept: str
    cells: Mapping[str, str]


#: By the file ("kinesis: records").
type Column = dict[str, Shown]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--suites", nargs="+", choices=suites(), default=suites())
    parser.add_argument(
        "--minutes", type=float, default=6.0, help="the most one file of a suite may take"
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/fidelity.md")
    options = parser.parse_args(arguments)
    columns = read_page(PAGE.read_text())
    for engine in options.engines:
        for suite in options.suites:
            if (engine, suite) in NOT_THERE:
                continue
            for file in sorted((SUITES / suite).glob("test_*.py")):
                columns[engine].update(column(run(engine, file, options.minutes)))
                if options.write:
                    write(PAGE, table(columns))
    print(table(columns))


def read_page(text: str) -> dict[str, Column]:
    """What the page's tables say of each engine: a run of one suite keeps the others' results."""
    counts: dict[tuple[str, str], str] = {}
    cells: dict[tuple[str, str], dict[str, str]] = {}
    engines, place = list(ENGINES), ""
    for line in text.partition(BEGIN)[2].partition(END)[0].splitlines():
        row = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("### "):
            place = line.removeprefix("### ")
        elif line.startswith("| | "):
            engines = row
        elif line.startswith("| **"):
            counts.update(
                {(e, row[0].strip("*")): c for e, c in zip(engines, row[1:], strict=True)}
            )
        elif line.startswith("| "):
            for engine, cell in zip(engines, row[1:], strict=True):
                cells.setdefault((engine, place), {})[row[0]] = cell
    columns: dict[str, Column] = {engine: {} for engine in ENGINES}
    for (engine, where), kept in counts.items():
        if kept != UNTRIED:
            columns[engine][where] = Shown(kept, cells.get((engine, where), {}))
    return columns


def column(results: Mapping[Contract, str]) -> Column:
    """New results as the table shows them."""
    merged: dict[str, dict[str, str]] = {}
    for (place, name), cell in sentences(results).items():
        merged.setdefault(place, {})[name] = cell
    return {place: Shown(_count(results, place), cells) for place, cells in merged.items()}


def suites() -> list[str]:
    """Folders below tests/contract that hold tests."""
    return sorted(path.name for path in SUITES.iterdir() if any(path.glob("test_*.py")))


def run(engine: str, file: Path, minutes: float) -> dict[Contract, str]:
    """Each contract's result with one engine; the engine is started for this file alone."""
    print(f"{engine}: {file.relative_to(SUITES)} …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--contract-engine",
            engine,
            f"--junitxml={report}",
            "-p",
            "no:cacheprovider",
            # The real KCL waits for minutes where an engine does not serve it.
            "-m",
            "not slow",
            # Nor does a peer that never answers keep the others' contracts from being tried.
            "--timeout=60",
            # An engine's start, which is a fixture, has its own deadline.
            "--override-ini=timeout_func_only=true",
            str(file),
        ]
        output = _run(command, minutes)
        if not report.exists():
            raise SystemExit(f"{file.name} did not run with {engine}:\n{output}")
        return read(report)


def _run(command: Sequence[str], minutes: float) -> str:
    """What pytest said; when the time is over it is interrupted, and reports what it has."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            return process.communicate(timeout=minutes * 60)[0]
        except subprocess.TimeoutExpired:
            print(f"interrupted after {minutes:g} minutes", file=sys.stderr, flush=True)
            process.send_signal(signal.SIGINT)
            return process.communicate()[0]


def read(report: Path) -> dict[Contract, str]:
    """Results out of pytest's JUnit report."""
    results = {}
    for case in ElementTree.parse(report).iter("testcase"):
        if "classname" not in case.attrib:
            # Where the run was interrupted.
            continue
        *_, suite, module = case.attrib["classname"].split(".")
        place = f"{suite}: {module.removeprefix('test_').replace('_', ' ')}"
        contract = case.attrib["name"].removeprefix("test_")
        results[place, contract] = _result(case)
    return results


def _result(case: ElementTree.Element) -> str:
    skipped = case.find("skipped")
    if skipped is not None:
        return GAP if skipped.attrib.get("type") == "pytest.xfail" else UNTRIED
    broken = case.find("failure") is not None or case.find("error") is not None
    return BROKEN if broken else KEPT


def sentences(results: Mapping[Contract, str]) -> dict[Contract, str]:
    """Contracts whose parameters are left out: kept when every case is."""
    merged: dict[Contract, list[str]] = {}
    for (place, name), result in results.items():
        sentence = name.partition("[")[0].replace("_", " ")
        merged.setdefault((place, sentence), []).append(result)
    return {contract: _worst(cases) for contract, cases in merged.items()}


def _worst(cases: Sequence[str]) -> str:
    if len(set(cases)) == 1:
        return cases[0]
    tried = [case for case in cases if case != UNTRIED]
    kept = sum(case == KEPT for case in tried)
    return KEPT if kept == len(tried) else f"{kept} of {len(tried)}"


def table(columns: Mapping[str, Column]) -> str:
    """Markdown: how many contracts each engine keeps, then every contract."""
    engines = list(columns)
    lines = ["| | " + " | ".join(engines) + " |", "|---|" + "---|" * len(engines)]
    head, nothing = lines[:], Shown(UNTRIED, {})
    places = sorted({place for found in columns.values() for place in found})
    for place in places:
        counts = (columns[engine].get(place, nothing).kept for engine in engines)
        lines.append(f"| **{place}** | " + " | ".join(counts) + " |")
    for place in places:
        lines += ["", f"### {place}", "", *head]
        found = [columns[engine].get(place, nothing).cells for engine in engines]
        for contract in sorted({name for cells in found for name in cells}):
            row = (cells.get(contract, UNTRIED) for cells in found)
            lines.append(f"| {contract} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def _count(found: Mapping[Contract, str], place: str) -> str:
    cases = [result for (where, _), result in found.items() if where == place]
    tried = [result for result in cases if result != UNTRIED]
    return f"{sum(result == KEPT for result in tried)} of {len(tried)}" if tried else UNTRIED


def write(page: Path, printed: str) -> None:
    """Replace what stands between the page's two marks."""
    text = page.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n\n{printed}\n\n{END}{tail}")


if __name__ == "__main__":
    main()
