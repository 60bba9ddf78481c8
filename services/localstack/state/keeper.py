"""Keeps every service's state: brings it back before the service starts, writes what changed.

A service whose state is written fast is written before the answer to the call that changed it;
a larger one shortly after, off the request's path. What changes without a call is found by looking
again from time to time, often while a service says that something goes on in it.
"""

from __future__ import annotations

import itertools
import logging
import pickle
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from services.localstack.state import pickling
from services.localstack.state.pieces import PREFIX, Marks, difference, joined, marks_of
from services.localstack.state.rows import StateRefused, StateRows
from services.localstack.state.set_aside import set_aside

LOG = logging.getLogger(__name__)

#: A service that takes longer than this to write is written after the answer.
AT_ONCE_SECONDS = 0.05
#: How long after a change the others are written; several changes make one write.
SOON_SECONDS = 0.1
#: How often a service in which something goes on by itself is looked at.
BUSY_SECONDS = 0.1
#: Looking at an idle service may take this share of a processor, and happens this often at most.
IDLE_SHARE = 0.001
IDLE_SECONDS = 2.0
#: A service that was just brought back is looked at later for each byte, unless a call changes it.
FIRST_LOOK_SECONDS_PER_BYTE = 1e-6
#: Another thread may change what is written; then it is written again.
ATTEMPTS = 5


class Kept(Protocol):
    """One service's state, as the keeper sees it."""

    def rows(self) -> Iterable[tuple[str, Any]]:
        """What there is now: names and objects."""

    def put_back(self, rows: Iterable[tuple[str, Any]]) -> None:
        """Take what was kept, before the service starts."""

    def bring_back_own_rows(self, file: StateRows) -> None:
        """The same for rows that the keeper does not write; none of them begin with `store/`."""

    def forget(self) -> None:
        """Be empty again: what was put back could not be read to its end."""

    def is_busy(self) -> bool:
        """Whether it changes by itself at the moment."""


@dataclass
class _Service:
    kept: Kept
    file: StateRows
    lock: threading.RLock = field(default_factory=threading.RLock)
    #: What the rows on disk are told by.
    marks: Marks = field(default_factory=dict)
    #: Numbers of changes, and up to which they are written.
    changes: itertools.count[int] = field(default_factory=itertools.count)
    written: int = -1
    seconds: float = 0.0
    next_look: float = 0.0
    changed: bool = False
    complained: str = ""


class Keeper:
    """All services' states below one folder. `made_by` goes into every file."""

    def __init__(self, folder: Path, made_by: Mapping[str, str], *, sync: bool = False) -> None:
        self._folder, self._made_by, self._sync = folder, made_by, sync
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._services: dict[str, _Service] = {}
        self._own_files: list[StateRows] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="riacho-state", daemon=True)

    def file_of(self, name: str) -> Path:
        return self._folder / f"{name}.sqlite3"

    def kept_services(self) -> list[str]:
        """Those that have a file."""
        return sorted(file.stem for file in self._folder.glob("*.sqlite3"))

    def load(self, name: str, kept: Kept) -> None:
        """Bring a service back, and keep it from now on."""
        try:
            loaded = self._load(name, kept)
        except UNREADABLE as why:
            kept.forget()
            set_aside(self.file_of(name), name, why)
            loaded = self._load(name, kept)
        with self._lock:
            self._services[name] = loaded
            if not self._thread.is_alive() and not self._stopped:
                self._thread.start()

    def _load(self, name: str, kept: Kept) -> _Service:
        file = StateRows(self.file_of(name), self._made_by, sync=self._sync)
        loaded = _Service(kept, file)
        try:
            rows = file.below(PREFIX)
            kept.put_back((key, pickling.loads(content)) for key, content in joined(rows).items())
            kept.bring_back_own_rows(file)
        except BaseException:
            file.close()
            raise
        loaded.marks = marks_of(rows)
        if rows and not kept.is_busy():
            # To compare, everything that was just read would be pickled: not while others start.
            seconds = IDLE_SECONDS + FIRST_LOOK_SECONDS_PER_BYTE * sum(len(row[1]) for row in rows)
            loaded.next_look = time.monotonic() + seconds
        return loaded

    def own[T](self, name: str, bring_back: Callable[[StateRows], T]) -> T:
        """A file whose rows the keeper does not write, and what is made of them; set aside when
        it cannot be read."""
        try:
            return self._own(name, bring_back)
        except UNREADABLE as why:
            set_aside(self.file_of(name), name, why)
            return self._own(name, bring_back)

    def _own[T](self, name: str, bring_back: Callable[[StateRows], T]) -> T:
        file = StateRows(self.file_of(name), self._made_by, sync=self._sync)
        try:
            made = bring_back(file)
        except BaseException:
            file.close()
            raise
        self._own_files.append(file)
        return made

    def changed(self, name: str) -> None:
        """A call has changed a service: write it now when that is fast, soon otherwise.

        Raises OSError or sqlite3.Error when it cannot be written now.
        """
        service = self._services.get(name)
        if service is None:
            return
        if service.seconds < AT_ONCE_SECONDS:
            self._save_with_others(service)
            if service.kept.is_busy():
                service.next_look = time.monotonic() + BUSY_SECONDS
                self._wake.set()
        else:
            service.changed = True
            self._wake.set()

    def _save_with_others(self, service: _Service) -> None:
        """Calls that come while one is written share the next write."""
        change = next(service.changes)
        with service.lock:
            if service.written < change:
                covered = next(service.changes)  # every change that has a smaller number
                self._save(service)
                service.written = covered

    def next_look(self, name: str) -> float:
        """When a service is looked at again without a call, by the monotonic clock."""
        return self._services[name].next_look

    def save_all(self) -> None:
        """Write everything that has changed, now."""
        for name, service in list(self._services.items()):
            self._try_to_save(name, service)

    def stop(self) -> None:
        """Write everything; what services write themselves goes on until the process ends."""
        self._stopped = True
        self._wake.set()
        self.save_all()
        for file in self._files():
            file.settle()

    def _files(self) -> list[StateRows]:
        return [*(service.file for service in list(self._services.values())), *self._own_files]

    def close(self) -> None:
        """Write everything and let go of the files; the services must not be used any more."""
        self.stop()
        for service in self._services.values():
            with service.lock:
                service.file.close()
        for file in self._own_files:
            file.close()
        self._services.clear()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(self._until_next_look())
            if self._wake.is_set():
                time.sleep(SOON_SECONDS)
                self._wake.clear()
            now = time.monotonic()
            for name, service in list(self._services.items()):
                if service.changed or service.next_look <= now:
                    self._try_to_save(name, service)
                    service.next_look = self._next_look(service)

    def _until_next_look(self) -> float:
        now = time.monotonic()
        looks = [service.next_look - now for service in list(self._services.values())]
        return min(max(0.01, min(looks, default=IDLE_SECONDS)), IDLE_SECONDS)

    @staticmethod
    def _next_look(service: _Service) -> float:
        idle = max(IDLE_SECONDS, service.seconds / IDLE_SHARE)
        busy = max(BUSY_SECONDS, service.seconds * 2)
        return time.monotonic() + (busy if service.kept.is_busy() else idle)

    def _try_to_save(self, name: str, service: _Service) -> None:
        """A disk that is full now may have room later: say it once, and go on."""
        try:
            self._save(service)
            service.complained = ""
        except (OSError, sqlite3.Error, pickling.NotKept, RuntimeError) as error:
            service.changed = True
            if str(error) != service.complained:
                LOG.error("The state of %s could not be written: %s", name, error)
                service.complained = str(error)

    def _save(self, service: _Service) -> None:
        with service.lock:
            began = time.thread_time()
            service.changed = False
            objects = ((name, _dumps(value)) for name, value in service.kept.rows())
            found = difference(service.marks, objects)
            if found.new or found.gone:
                service.file.write(found.new, found.gone)
            service.marks = found.marks
            service.seconds = time.thread_time() - began


#: What reading a damaged or foreign file raises: anything may be wrong with it.
UNREADABLE = (
    StateRefused,
    sqlite3.DatabaseError,
    pickle.UnpicklingError,
    AttributeError,
    ImportError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)


def _dumps(value: Any) -> bytes:
    for attempt in range(ATTEMPTS):
        try:
            return pickling.dumps(value)
        except RuntimeError:  # "dictionary changed size during iteration"
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.001)
    raise AssertionError("not reached")
