"""What the demo shows while it runs. Pure: facts in, something rich can draw out."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text


@dataclass
class WorkerFacts:
    """One consumer process: what it says about itself, and whether it lives."""

    worker_id: str
    state: str = "starting"
    shards: tuple[str, ...] = ()
    records: int = 0


@dataclass
class Facts:
    """Everything the picture shows; the demo's threads write it, the painter reads it."""

    total: int
    added: int = 0
    acknowledged: int = 0
    shards_open: int = 0
    shards_closed: int = 0
    workers: dict[str, WorkerFacts] = field(default_factory=dict)
    in_lake: int = 0
    in_table: int = 0
    lake: str = ""
    table: str = ""
    stream: str = ""
    events: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def happened(self, what: str) -> None:
        """Note one line of the story."""
        self.events.append(f"{self.seconds:5.1f} s  {what}")


def picture(facts: Facts) -> RenderableType:
    """The pipeline from left to right, the story below it."""
    flow = Table.grid(padding=(0, 2), expand=True)
    for _ in range(4):
        flow.add_column(ratio=1)
    flow.add_row(
        _box("producer", _bar(facts.acknowledged, facts.total), "acknowledged"),
        _box(f"stream {facts.stream}", *_shards(facts)),
        _box("workers", *(_worker(w) for w in facts.workers.values())),
        _box(
            "stored",
            _bar(facts.in_lake, facts.total),
            f"lake {facts.lake}",
            _bar(facts.in_table, facts.total),
            f"table {facts.table}",
        ),
    )
    story = Text("\n".join(facts.events[-8:]), style="dim")
    return Panel(Group(flow, story), title=f"Riacho  {facts.seconds:4.0f} s", title_align="left")


def plain_line(facts: Facts) -> str:
    """The same in one line, for logs and pipes."""
    workers = ", ".join(
        f"{w.worker_id} {w.state} {len(w.shards)} shards" for w in facts.workers.values()
    )
    return (
        f"{facts.seconds:5.1f} s  acknowledged {facts.acknowledged:,}/{facts.total:,}  "
        f"shards {facts.shards_open} open {facts.shards_closed} closed  [{workers}]  "
        f"lake {facts.in_lake:,}  table {facts.in_table:,}"
    )


def _box(title: str, *lines: RenderableType) -> RenderableType:
    return Panel(Group(*lines), title=title, title_align="left", border_style="cyan")


def _bar(done: int, total: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(ratio=1)
    grid.add_column(justify="right")
    grid.add_row(ProgressBar(total=max(total, 1), completed=done), f"{done:,}")
    return grid


def _shards(facts: Facts) -> list[RenderableType]:
    squares = Text("■ " * facts.shards_open, style="green")
    squares.append("□ " * facts.shards_closed, style="dim")
    return [squares, f"{facts.shards_open} open, {facts.shards_closed} closed"]


def _worker(worker: WorkerFacts) -> RenderableType:
    style = {"killed": "bold red", "running": "green"}.get(worker.state, "yellow")
    line = Text(f"{worker.worker_id} ")
    line.append(worker.state, style=style)
    line.append(f"\n  {len(worker.shards)} shards, {worker.records:,} records", style="dim")
    return line
