"""Starts the processes of functions, and sees to it that none outlives its environment.

Run as a script, single-threaded: forking the engine itself, full of threads, is neither safe nor
cheap. Every process of a function descends from this one, so it finds them all, also those that
made a session of their own; and when the engine's end of the socket closes, for whatever reason,
it kills them and ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_IS_LINUX = sys.platform == "linux"


def main(sock: socket.socket) -> None:
    """Serve the engine until its end of `sock` closes."""
    if _IS_LINUX:
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Launcher(sock).serve()


class Launcher:
    """One message in, one or more out: `spawn` → `spawned` or `failed`, later `exited`."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._children: dict[int, str] = {}

    def serve(self) -> None:
        woken, waker = socket.socketpair()
        woken.setblocking(False)
        waker.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is woken:
                        with contextlib.suppress(BlockingIOError):
                            woken.recv(4096)
                        self._reap()
                    elif not self._answer_one():
                        return self._end()

    def _answer_one(self) -> bool:
        try:
            message, descriptors = receive(self._socket)
        except (EOFError, OSError):
            return False
        if message["op"] == "spawn":
            self._spawn(message, descriptors)
        else:
            self._kill(message["id"])
        return True

    def _spawn(self, message: dict[str, Any], descriptors: list[int]) -> None:
        (output,) = descriptors
        try:
            child = subprocess.Popen(
                message["command"],
                cwd=message["cwd"],
                env=message["environment"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=lambda: _confine(message["limits"], message["nice"]),
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            reason = _reason(error, message["command"][0])
            failed = {"event": "failed", "id": message["id"], "error": str(error)}
            self._send(failed | {"reason": reason})
        else:
            self._children[child.pid] = message["id"]
            child.returncode = 0  # Reaped below, not by Popen.
            self._send({"event": "spawned", "id": message["id"], "pid": child.pid})
        finally:
            os.close(output)

    def _kill(self, child_id: str) -> None:
        for pid, known in self._children.items():
            if known == child_id:
                kill_tree(pid)

    def _reap(self) -> None:
        ended = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if (child_id := self._children.pop(pid, None)) is not None:
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)
                ended.append((child_id, os.waitstatus_to_exitcode(status)))
        if ended:
            self._kill_strays()
        for child_id, code in ended:
            self._send({"event": "exited", "id": child_id, "code": code})

    def _kill_strays(self) -> None:
        """Orphans of a function become this process' own children: nobody else's are."""
        for pid in children_by_parent().get(os.getpid(), ()):
            if pid not in self._children:
                kill_tree(pid)

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            send(self._socket, message)

    def _end(self) -> None:
        for pid in list(self._children):
            kill_tree(pid)
        for _ in range(50):
            self._reap()
            self._kill_strays()
            if not children_by_parent().get(os.getpid()):
                return
            time.sleep(0.02)


def _reason(error: Exception, program: str) -> str:
    """The system's word for it where the program itself is why; a folder may be, too."""
    if isinstance(error, OSError) and error.filename == program:
        return error.strerror or ""
    return ""


def _confine(limits: dict[str, int], nice: int) -> None:
    """In the child, before its program runs."""
    if _IS_LINUX:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # A function's orphans stay below it, where `kill_tree` finds them.
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(nice)
    for name, value in limits.items():
        _, hard = resource.getrlimit(getattr(resource, name))
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(getattr(resource, name), (value, value))


def children_by_parent() -> dict[int, list[int]]:
    """Which processes are whose children; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    if not _IS_LINUX:
        return children
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as stat:
                state, parent = stat.read().rpartition(b")")[2].split()[:2]
                if state not in b"ZX":
                    children.setdefault(int(parent), []).append(int(entry))
    return children


def descendants(pid: int) -> set[int]:
    """Every living process below `pid`."""
    children, found, edge = children_by_parent(), set[int](), [pid]
    while edge:
        for child in children.get(edge.pop(), ()):
            if child not in found:
                found.add(child)
                edge.append(child)
    return found


def kill_tree(pid: int) -> None:
    """Kill `pid` and all below it. They are stopped first, so that none forks while we count."""
    stopped: set[int] = set()
    found = {pid}
    while found - stopped:
        for each in found - stopped:
            with contextlib.suppress(OSError):
                os.kill(each, signal.SIGSTOP)
        stopped |= found
        found = descendants(pid)
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    for each in stopped:
        with contextlib.suppress(OSError):
            os.kill(each, signal.SIGKILL)


def prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def send(sock: socket.socket, message: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
    """One message: its length in four bytes, then JSON; descriptors travel beside it."""
    body = json.dumps(message).encode()
    frame = struct.pack(">I", len(body)) + body
    sent = socket.send_fds(sock, [frame], descriptors) if descriptors else 0
    if sent < len(frame):
        sock.sendall(frame[sent:])


def receive(sock: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The next message and its descriptors. Raises EOFError when the other end has closed."""
    head, descriptors, _, _ = socket.recv_fds(sock, 4, 1)
    while len(head) < 4:
        head += _some(sock, 4 - len(head))
    (length,) = struct.unpack(">I", head)
    body = bytearray()
    while len(body) < length:
        body += _some(sock, length - len(body))
    message: dict[str, Any] = json.loads(body)
    return message, descriptors


def _some(sock: socket.socket, count: int) -> bytes:
    if not (received := sock.recv(count)):
        raise EOFError
    return received


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
