"""What the rounds of `scripts.bench.stream` showed: medians, their spread, and the tables."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

#: What is measured, by its column.
PUTS, PUTS_BY_TWO, PUT, GETS, GETS_BY_TWO = (
    "PutRecords",
    "PutRecords by two threads",
    "PutRecord",
    "GetRecords",
    "GetRecords by two processes",
)
OPERATIONS = (PUTS, PUTS_BY_TWO, PUT, GETS, GETS_BY_TWO)


@dataclass(frozen=True)
class Sample:
    """So many records in so many seconds, and the CPU seconds of the engine and of boto3."""

    records: int
    seconds: float
    engine_seconds: float = 0.0
    client_seconds: float = 0.0

    @property
    def rate(self) -> float:
        return self.records / self.seconds


@dataclass
class Level:
    """A stream that held so many records when the rounds began: each operation's samples, one a
    round. All levels have the same rounds."""

    records: int
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def add(self, operation: str, sample: Sample) -> None:
        self.samples.setdefault(operation, []).append(sample)

    def rates(self, operation: str) -> list[float]:
        return [sample.rate for sample in self.samples.get(operation, [])]

    def micros(self, operation: str) -> tuple[float, float]:
        """CPU a record: the engine's and boto3's."""
        samples = self.samples[operation]
        records = sum(sample.records for sample in samples) / 1e6
        engine = sum(sample.engine_seconds for sample in samples)
        client = sum(sample.client_seconds for sample in samples)
        return engine / records, client / records


@dataclass
class Result:
    """One engine. Memory in bytes, CPU as a share of one core."""

    engine: str
    version: str
    levels: list[Level] = field(default_factory=list)
    ceiling: Level | None = None
    memory_per_record: float | None = None
    idle_cpu: float | None = None
    neighbours: dict[str, dict[str, float]] = field(default_factory=dict)
    note: str = ""


def relative(level: Level, base: Level, operation: str) -> float | None:
    """The level's rate as a part of the base's: the middle one of the rounds' own ratios.

    A machine that is slower for a while is slower for both of a round.
    """
    pairs = zip(level.rates(operation), base.rates(operation), strict=False)
    ratios = [mine / other for mine, other in pairs]
    return statistics.median(ratios) if ratios else None


def _rate(level: Level, operation: str, base: Level | None = None) -> str:
    """`43,000 (38,000-47,000) ×0.98`: the median, the middle half, what part of the base's."""
    rates = level.rates(operation)
    if not rates:
        return "–"
    shown = f"{statistics.median(rates):,.0f}"
    if len(rates) > 1:
        low, _, high = statistics.quantiles(rates, n=4, method="inclusive")
        shown += f" ({low:,.0f}-{high:,.0f})"
    part = None if base is None else relative(level, base, operation)
    return shown if part is None else f"{shown} ×{part:.2f}"


def _millis(level: Level, base: Level | None = None) -> str:
    rates = level.rates(PUT)
    if not rates:
        return "–"
    shown = f"{1000 / statistics.median(rates):.2f}"
    part = None if base is None else relative(level, base, PUT)
    return shown if part is None else f"{shown} ×{1 / part:.2f}"


def _cpu(level: Level, operation: str) -> str:
    if not level.samples.get(operation):
        return "–"
    engine, client = level.micros(operation)
    return f"{engine:.1f} + {client:.1f}"


def _row(name: str, level: Level, base: Level | None) -> str:
    cells = (
        name,
        f"{level.records:,}",
        _rate(level, PUTS, base),
        _cpu(level, PUTS),
        _rate(level, PUTS_BY_TWO),
        _millis(level, base),
        _rate(level, GETS, base),
        _cpu(level, GETS),
        _rate(level, GETS_BY_TWO),
    )
    return "| " + " | ".join(cells) + " |"


def table(results: Sequence[Result]) -> str:
    """The results in Markdown. `×` is a level beside the same engine's empty stream."""
    lines = [
        "| engine | records in the stream | PutRecords, records/s | CPU a record, µs "
        "| by two threads | PutRecord p50, ms | GetRecords, records/s | CPU a record, µs "
        "| by two processes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        name = f"{result.engine} {result.version}".strip()
        for place, level in enumerate(result.levels):
            lines.append(_row(name, level, result.levels[0] if place else None))
        if result.note:
            lines.append(f"| {name} | {result.note} | | | | | | | |")
    lines += ["", "| engine | rounds | 20 idle streams, share of a core | memory a record, bytes |"]
    lines.append("|---|---|---|---|")
    for result in results:
        idle = "–" if result.idle_cpu is None else f"{result.idle_cpu:.1%}"
        memory = result.memory_per_record
        shown = "–" if memory is None else f"{memory:.0f}"
        rounds = len(result.levels[-1].rates(PUTS)) if result.levels else 0
        lines.append(f"| {result.engine} | {rounds} | {idle} | {shown} |")
    for result in results:
        lines += _ceiling(result)
        for when, measured in result.neighbours.items():
            words = ", ".join(f"{name} {value:.1f}" for name, value in measured.items())
            lines.append(f"\n{result.engine}, {when}: {words}")
    return "\n".join(lines)


def _ceiling(result: Result) -> list[str]:
    """What boto3 alone reaches against answers that cost nothing, and what part the engine does."""
    ceiling = result.ceiling
    if ceiling is None or not result.levels:
        return []
    words = []
    for operation in (PUTS, GETS):
        part = relative(result.levels[0], ceiling, operation)
        if part is not None:
            rate = statistics.median(ceiling.rates(operation))
            words.append(f"{operation} {rate:,.0f}/s, of which {result.engine} reaches {part:.0%}")
    return [f"\nboto3 alone, against the same answers from memory: {'; '.join(words)}"]
