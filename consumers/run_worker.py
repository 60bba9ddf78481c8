"""Runs one worker as a process of its own: until Ctrl-C or SIGTERM, which end it gracefully."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

from consumers.kcl.record_processor import ProcessorFactory
from consumers.kcl.scheduler import Scheduler
from consumers.kcl.settings import LOCAL, SchedulerSettings
from consumers.kcl.shard_consumers import WorkerProgress


def run_worker(
    application_name: str,
    stream_name: str,
    processor_factory: ProcessorFactory,
    *,
    kinesis: Any,
    dynamodb: Any,
    worker_id: str | None = None,
    settings: SchedulerSettings = LOCAL,
    on_progress: Callable[[WorkerProgress], None] | None = None,
    until: Callable[[WorkerProgress], bool] | None = None,
) -> WorkerProgress:
    """Work until a signal, or until `until` says so (asked twice a second). Returns what was done.

    `processor_factory` comes from `consumers.processors.registry.load_processors`, or is a class.
    Processors that buffer are also called when no records come. Raises what `Scheduler.run` does.
    """

    def report(progress: WorkerProgress) -> None:
        if on_progress is not None:
            on_progress(progress)
        if until is not None and until(progress):
            scheduler.shutdown()

    scheduler = Scheduler(
        application_name,
        stream_name,
        kinesis,
        dynamodb,
        processor_factory,
        worker_id=worker_id,
        settings=replace(settings, call_process_records_even_for_empty_record_list=True),
        on_progress=report,
    )
    with _Signals(scheduler):
        scheduler.run()
    return scheduler.progress()


class _Signals:
    """SIGTERM and SIGINT ask the worker to stop, while it runs on the main thread."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._stop)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._scheduler.shutdown()
