"""The small interface between Athena's API and whatever computes: DuckDB here, a Trino elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.athena.catalog import Catalog
from services.athena.errors import QueryCancelled
from services.athena.trino_types import Type


@dataclass
class QueryContext:
    """What a running query knows, and where it reports to.

    `location` is the folder for a CTAS without `external_location`; `parameters` the texts of
    `?`; `on_cancel` is called by `cancel` from another thread.
    """

    catalog: Catalog
    database: str
    now: float
    query_execution_id: str = ""
    location: str = ""
    parameters: tuple[str, ...] = ()
    bytes_cutoff: int | None = None
    data_scanned_in_bytes: int = 0
    planning_millis: int = 0
    prepared: Callable[[str], str | None] = lambda name: None
    _cancelled: QueryCancelled | None = None
    _interrupts: list[Callable[[], None]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def scanned(self, size: int) -> None:
        """Count bytes; over the workgroup's cutoff the query is cancelled."""
        self.data_scanned_in_bytes += size
        if self.bytes_cutoff is not None and self.data_scanned_in_bytes > self.bytes_cutoff:
            raise QueryCancelled(
                f"Bytes scanned limit was exceeded: {self.data_scanned_in_bytes} bytes read, "
                f"the workgroup allows {self.bytes_cutoff}"
            )

    def cancel(self, reason: str = "Query cancelled by user") -> None:
        with self._lock:
            self._cancelled = self._cancelled or QueryCancelled(reason)
            for interrupt in self._interrupts:
                interrupt()

    def interruptible(self, interrupt: Callable[[], None]) -> None:
        """Register what stops the work now under way. Raises QueryCancelled when it is too late."""
        with self._lock:
            self._interrupts.append(interrupt)
        self.check()

    def finished(self) -> None:
        """Nothing is left to interrupt: connections may be closed now."""
        with self._lock:
            self._interrupts.clear()

    def check(self) -> None:
        """Raises QueryCancelled once `cancel` was called."""
        if self._cancelled:
            raise self._cancelled


@dataclass(frozen=True)
class Column:
    name: str
    type: Type


@dataclass
class Answer:
    """What a statement gives. `batches` hold one text column per column (pyarrow.RecordBatch).

    `update_count` and `manifest` (the data files written) belong to CTAS, INSERT and UNLOAD.
    """

    columns: list[Column] = field(default_factory=list)
    batches: Iterator[Any] = field(default_factory=lambda: iter(()))
    update_count: int | None = None
    manifest: list[str] | None = None
    substatement_type: str | None = None


class ExecutionEngine(Protocol):
    """Runs Trino SQL; Hive DDL and everything about files of results stay with Athena."""

    def execute(self, sql: str, context: QueryContext) -> Answer:
        """Run SELECT, INSERT, CTAS, UNLOAD, views, EXPLAIN, EXECUTE.

        Blocks until the first rows; `batches` is consumed on the same thread. Raises QueryFailed
        with Athena's text, QueryCancelled after `context.cancel`.
        """

    def check_syntax(self, sql: str) -> None:
        """Raises SqlRefused where the text is no SQL; touches no table."""

    def close(self) -> None: ...
