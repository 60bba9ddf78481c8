"""The engine's side of the launcher: start a function's process, hear of its end, kill it."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.awslambda import launcher_process


class LaunchFailed(Exception):
    """The program of a function could not be started; the message says why.

    `reason` is the system's word for it where the program itself is why (`Exec format error`).
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run. `limits` are names of `resource` (`RLIMIT_NOFILE`) and their values."""

    command: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]
    limits: Mapping[str, int] = field(default_factory=dict)
    nice: int = 0


class Child:
    """A function's process, its own session and process group."""

    def __init__(self, kill: Callable[[], None], on_exit: Callable[[int], None]) -> None:
        self._kill = kill
        self._on_exit = on_exit
        self._known = threading.Event()
        self._ended = threading.Event()
        self.pid = 0
        #: As of `subprocess`: negative is the signal that killed it.
        self.exit_code: int | None = None
        self.failure: LaunchFailed | None = None

    @property
    def is_alive(self) -> bool:
        return not self._ended.is_set()

    def kill(self, wait_seconds: float = 5.0) -> None:
        """Kill it and everything it started, and wait until all of it is gone."""
        if self.is_alive:
            self._kill()
            self._ended.wait(wait_seconds)

    def freeze(self) -> None:
        """Stop its process group, as AWS freezes an environment between invocations."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(OSError):
            if self.is_alive and self.pid:
                os.killpg(self.pid, number)

    def started(self, pid: int) -> None:
        self.pid = pid
        self._known.set()

    def failed(self, failure: LaunchFailed) -> None:
        self.failure = failure
        self._ended.set()
        self._known.set()

    def exited(self, code: int) -> None:
        self.exit_code = code
        self._ended.set()
        self._known.set()
        self._on_exit(code)

    def wait_until_started(self, seconds: float) -> None:
        """Raises LaunchFailed."""
        if not self._known.wait(seconds):
            raise LaunchFailed(f"The launcher did not answer within {seconds:g} seconds.")
        if self.failure is not None:
            raise self.failure


class Launcher:
    """Starts processes through one helper process, which is started when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._children: dict[str, Child] = {}
        self._socket: socket.socket | None = None
        self._helper: subprocess.Popen[bytes] | None = None

    @property
    def helper_pid(self) -> int:
        """The helper process, below which every function runs; 0 before the first."""
        return self._helper.pid if self._helper is not None else 0

    def start(self, program: Program, output: int, on_exit: Callable[[int], None]) -> Child:
        """Run `program` with its output going to the descriptor `output`.

        `on_exit` is called with the exit code, in a thread of the launcher, once everything
        that the program started is gone. Raises LaunchFailed.
        """
        number = str(next(self._numbers))
        child = Child(lambda: self._send({"op": "kill", "id": number}), on_exit)
        message = {
            "op": "spawn",
            "id": number,
            "command": program.command,
            "cwd": str(program.cwd),
            "environment": dict(program.environment),
            "limits": dict(program.limits),
            "nice": program.nice,
        }
        with self._lock:
            sock = self._socket or self._start_helper()
            self._children[number] = child
            launcher_process.send(sock, message, (output,))
        child.wait_until_started(10)
        return child

    def close(self) -> None:
        """Kill every process that is left, and the helper."""
        with self._lock:
            sock, self._socket = self._socket, None
            helper, self._helper = self._helper, None
        if sock is not None:
            sock.shutdown(socket.SHUT_RDWR)
        if helper is not None:
            helper.wait(10)

    def _start_helper(self) -> socket.socket:
        if self._helper is not None:
            # It was lost, and its functions with it.
            self._helper.wait()
        ours, theirs = socket.socketpair()
        with theirs:
            script = str(Path(launcher_process.__file__))
            interpreter = getattr(sys, "_base_executable", sys.executable)
            self._helper = subprocess.Popen(
                # The plain interpreter: neither site-packages nor the engine's environment.
                [interpreter, "-I", "-S", script, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", "")},
                pass_fds=(theirs.fileno(),),
                # It must outlive a signal to the engine's group, to clean up after it.
                start_new_session=True,
            )
        self._socket = ours
        threading.Thread(
            target=self._listen, args=(ours,), name="lambda-launcher", daemon=True
        ).start()
        return ours

    def _send(self, message: dict[str, object]) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                launcher_process.send(self._socket, message)

    def _listen(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), sock:
            while True:
                message, _ = launcher_process.receive(sock)
                self._tell(message)
        with self._lock:
            if self._socket is sock:
                self._socket = None
            orphans, self._children = self._children, {}
        for child in orphans.values():
            child.exited(-signal.SIGKILL)

    def _tell(self, message: dict[str, object]) -> None:
        number = str(message["id"])
        if message["event"] == "spawned":
            self._children[number].started(int(str(message["pid"])))
            return
        child = self._children.pop(number)
        if message["event"] == "failed":
            child.failed(LaunchFailed(str(message["error"]), str(message["reason"])))
        else:
            child.exited(int(str(message["code"])))
