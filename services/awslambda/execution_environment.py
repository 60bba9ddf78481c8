"""One execution environment: a function's process from cold start to its end."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from services.awslambda import log_lines
from services.awslambda.function_output import FunctionOutput
from services.awslambda.function_settings import FunctionSettings
from services.awslambda.interpreters import RuntimeMissing
from services.awslambda.invocation_report import (
    cold_lines,
    error_type_of,
    own_lines,
    payload_of,
    status_of,
)
from services.awslambda.launcher import Child, Launcher, LaunchFailed, Program
from services.awslambda.limits import INIT_SECONDS
from services.awslambda.log_lines import LogEvent
from services.awslambda.runtime_api import Event, RuntimeApi, Work
from services.awslambda.runtimes.command import program
from services.awslambda.runtimes.entrypoint import not_started
from services.awslambda.usage_watch import (
    MEMORY,
    STORAGE,
    Allowance,
    UsageWatch,
    peak_megabytes,
)


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended. `is_error` is AWS's FunctionError `Unhandled`."""

    payload: bytes
    is_error: bool
    log: tuple[LogEvent, ...] = ()
    duration_seconds: float = 0.0

    @property
    def log_text(self) -> str:
        return "".join(f"{event.message}\n" for event in self.log)


class InitFailed(Exception):
    """Provisioned concurrency could not be made ready; `payload` is the function's error."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload.decode(errors="replace"))
        self.payload = payload


class ExecutionEnvironment:
    """Runs one invocation at a time. What fails is told in an `Outcome`, never raised.

    As on AWS a process that crashed, timed out or ran out of memory is replaced at the next
    invocation, and between invocations everything that the function left running is frozen.
    """

    def __init__(
        self,
        settings: FunctionSettings,
        *,
        launcher: Launcher,
        usage_watch: UsageWatch,
        runtime_folder: Path,
        scratch: Path,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._launcher = launcher
        self._usage_watch = usage_watch
        self._runtime_folder = runtime_folder
        self._scratch = scratch
        self._now = now
        self._busy = threading.Lock()
        self._is_stopped = False
        #: What the process was ended for: MEMORY, STORAGE.
        self._excess = ""
        self._api: RuntimeApi | None = None
        self._child: Child | None = None
        self._output = FunctionOutput()
        self._init_seconds: float | None = None
        self._init_millis = 0
        self._fault: Event | None = None

    @property
    def pid(self) -> int:
        """The function's process; 0 when there is none."""
        return self._child.pid if self._child is not None and self._child.is_alive else 0

    def start(self, variables: Mapping[str, str]) -> None:
        """The INIT phase: start the process and wait until its runtime is ready.

        A function that fails here is reported by its first invocation, as on AWS.
        """
        self._settings = replace(
            self._settings, variables={**self._settings.variables, **variables}
        )
        with self._busy:
            self._fault = self._initialize(INIT_SECONDS)
            if self._fault is not None and self._fault.kind == "timeout":
                # AWS runs an INIT that takes too long once more, within the invocation.
                self._fault = None
                self._end_process()

    def require_ready(self) -> None:
        """Raises InitFailed when the INIT phase did not succeed."""
        with self._busy:
            if self._fault is not None or not self.pid:
                raise InitFailed(payload_of(self._fault or Event("timeout"), "", INIT_SECONDS))

    def invoke(self, work: Work) -> Outcome:
        """One invocation; `work.deadline` is replaced by the function's own timeout."""
        with self._busy:
            if self._is_stopped:
                return Outcome(
                    log_lines.failure("Sandbox.Stopped", work.request_id, "stopped"), True
                )
            try:
                return self._invoke(work)
            finally:
                if self._is_stopped:
                    self._end()

    def stop(self) -> None:
        """End the environment; an invocation that is under way may finish first, as on AWS."""
        self._is_stopped = True
        if self._busy.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._busy.release()

    def kill(self) -> None:
        """End the environment now, whatever it is doing."""
        self._is_stopped = True
        if self._child is not None:
            self._child.kill()
        self.stop()

    # -- phases ------------------------------------------------------------------------------

    def _initialize(self, seconds: float) -> Event | None:
        """Start the process; what went wrong, or None once its runtime waits for work."""
        if self._excess == STORAGE:
            shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._excess = ""
        if self._api is not None:
            # The former process may have ended by itself since its last answer.
            self._end_process()
        self._init_millis = self._millis()
        began = time.monotonic()
        self._output = output = FunctionOutput()
        self._api = api = RuntimeApi(on_idle=self._freeze, on_work=self._thaw)
        try:
            self._child = self._launch(self._program(api), api, output)
        except (LaunchFailed, RuntimeMissing) as error:
            return Event("launch_failed", body=str(error).encode())
        finally:
            output.start()
        self._watch()
        event = self._hear(began + seconds, lambda event: event.kind in ("ready", "init_error"))
        self._usage_watch.remove(self._child.pid)
        self._init_seconds = time.monotonic() - began
        return None if event.kind == "ready" else event

    def _launch(self, wanted: Program, api: RuntimeApi, output: FunctionOutput) -> Child:
        settings = self._settings
        try:
            return self._launcher.start(
                wanted, output.writing, lambda code: api.events.put(Event("exit", exit_code=code))
            )
        except LaunchFailed as error:
            if error.reason and settings.runtime.startswith("provided"):
                entrypoint = Path(wanted.command[0])
                raise not_started(entrypoint, settings.code, error.reason) from None
            raise

    def _program(self, api: RuntimeApi) -> Program:
        settings = self._settings
        return program(
            runtime=settings.runtime,
            code=settings.code,
            layers=settings.layers,
            runtime_folder=self._runtime_folder,
            scratch=self._scratch,
            runtime_api=api.address,
            memory_size_in_mb=settings.memory_size_in_mb,
            ephemeral_storage_in_mb=settings.ephemeral_storage_in_mb,
            variables=settings.variables,
            architecture=settings.architecture,
        )

    def _invoke(self, work: Work) -> Outcome:
        timeout_seconds = self._settings.timeout_seconds
        event, self._fault = self._fault, None
        if event is None and not self.pid:
            event = self._initialize(timeout_seconds)
        cold_lines = self._cold_lines()
        init_seconds, self._init_seconds = self._init_seconds, None
        began, began_millis = time.monotonic(), self._millis()
        if event is None:
            work = replace(work, deadline=self._now() + timeout_seconds)
            event = self._run(work, began + timeout_seconds)
        payload = payload_of(event, work.request_id, timeout_seconds, excess=self._excess)
        status = status_of(event)
        figures = log_lines.Report(
            request_id=work.request_id,
            version=self._settings.version,
            duration_seconds=min(time.monotonic() - began, timeout_seconds),
            memory_size_in_mb=self._settings.memory_size_in_mb,
            max_memory_used_in_mb=self._peak(),
            init_seconds=init_seconds,
            status=status,
            error_type=error_type_of(payload) if status == "error" else "",
        )
        lines = self._output.take()
        if event.kind not in ("error", "response"):
            self._end_process()
            lines += self._output.take()
        own = own_lines(self._settings, figures, event, payload, self._now())
        log = (*cold_lines, *log_lines.invocation(own, lines, began_millis, self._millis()))
        return Outcome(payload, event.kind != "response", log, figures.duration_seconds)

    def _run(self, work: Work, deadline: float) -> Event:
        assert self._api is not None
        assert self._child is not None
        self._watch()
        self._api.offer(work)
        try:
            return self._hear(
                deadline,
                lambda event: event.request_id == work.request_id or event.kind == "init_error",
            )
        finally:
            self._usage_watch.remove(self._child.pid)

    def _hear(self, deadline: float, is_wanted: Callable[[Event], bool]) -> Event:
        """The next wanted event; the process' end counts too, and so does the deadline."""
        assert self._api is not None
        while True:
            event = self._api.next_event(deadline)
            if event.kind in ("exit", "timeout") or is_wanted(event):
                return event

    def _watch(self) -> None:
        child = self._child
        assert child is not None

        def end(excess: str) -> None:
            self._excess = excess
            child.kill(wait_seconds=0)

        allowance = Allowance(
            memory_in_mb=self._settings.memory_size_in_mb,
            storage_in_mb=self._settings.ephemeral_storage_in_mb,
            scratch=self._scratch,
        )
        self._usage_watch.add(child.pid, allowance, end)

    def _freeze(self) -> None:
        if self._child is not None:
            self._child.freeze()

    def _thaw(self) -> None:
        if self._child is not None:
            self._child.thaw()

    def _end_process(self) -> None:
        if self._child is not None:
            self._child.kill()
        if self._api is not None:
            self._api.close()

    def _end(self) -> None:
        self._end_process()
        shutil.rmtree(self._scratch, ignore_errors=True)

    # -- what is reported --------------------------------------------------------------------

    def _cold_lines(self) -> tuple[LogEvent, ...]:
        if self._init_seconds is None:
            return ()
        own = cold_lines(self._settings, self._now())
        first = tuple(LogEvent(self._init_millis, line) for line in own)
        return (*first, *log_lines.events(self._output.take(), self._init_millis))

    def _millis(self) -> int:
        return int(self._now() * 1000)

    def _peak(self) -> int:
        limit = self._settings.memory_size_in_mb
        if self._excess == MEMORY or self._child is None:
            return limit
        return min(limit, peak_megabytes(self._child.pid))
