"""Whether a state from somebody else holds what would call something while it is read. Pure.

An engine resolves names of a few packages alone when it reads a row (see `pickling`); a row of
somebody else is looked at before: nothing of it is resolved, and a class may be filled there but
not called, as calling it runs whatever its constructor does with the arguments of the row.
"""

from __future__ import annotations

import io
import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from services.localstack.state import pieces
from services.localstack.state.pickling import OURS, PLAIN

_STATE = "services.localstack.state."
#: Python's own way to name a member of an enumeration, and `dill`'s to name a lock.
FORMER_MAKERS = (("builtins", "getattr"), ("threading", "RLock"), ("_thread", "lock"))
#: The functions that reading a row calls.
MAKERS = frozenset(
    {
        *(
            (f"{_STATE}pickling", name)
            for name in (
                *("enum_member", "factory", "new_condition", "new_default_dict", "new_event"),
                *("new_lock", "new_queue", "new_rlock", "no_value", "zone"),
            )
        ),
        (f"{_STATE}log_events", "empty_stream"),
        (f"{_STATE}queue_messages", "empty_queue"),
        *((f"{_STATE}managed_policies", n) for n in ("_fill", "aws_policy", "new_iam_backend")),
        *FORMER_MAKERS,
    }
)
#: Where rows are, and where one pickle is the file.
ROWS_IN = ("state/*.sqlite3", "s3/journal.sqlite3")
PICKLES = ("dynamodb.tables", "lambda/*.pickle")


#: What reading bytes that are no pickle raises.
UNREADABLE = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError),
    *(ImportError, OverflowError, MemoryError, RecursionError),
)


class ForeignRefused(RuntimeError):
    """Something there has no place in a state; the message is what it holds."""


def check(folder: Path) -> None:
    """Look through a state that lies in a folder of its own. Raises ForeignRefused."""
    for pattern in PICKLES:
        for file in sorted(folder.glob(pattern)):
            _check(file.relative_to(folder), file.read_bytes())
    for pattern in ROWS_IN:
        for file in sorted(folder.glob(pattern)):
            for content in _contents(file, file.relative_to(folder)):
                _check(file.relative_to(folder), content)


def _contents(file: Path, place: Path) -> list[bytes]:
    """What an engine reads at once: a row, or a state's pieces."""
    found = list(_rows(file, place))
    if place.parts[0] != "state":
        return [content for _, content in found]
    alone = [content for name, content in found if not name.startswith(pieces.PREFIX)]
    return [*alone, *pieces.joined(found).values()]


def _rows(file: Path, place: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA trusted_schema=OFF")
            odd = "SELECT type FROM sqlite_master WHERE type NOT IN ('table', 'index')"
            if (found := database.execute(odd).fetchone()) is not None:
                raise ForeignRefused(f"{place} with a {found[0]}")
            for name, content in database.execute("SELECT name, content FROM rows"):
                if not isinstance(name, str) or not isinstance(content, bytes):
                    raise ForeignRefused(f"{place} with a row that is no state")
                yield name, content
    except sqlite3.DatabaseError as error:
        raise ForeignRefused(f"{place}, which cannot be read ({error})") from None


def _check(place: Path, content: bytes) -> None:
    try:
        _Looking(io.BytesIO(content)).load()
    except ForeignRefused as refused:
        raise ForeignRefused(f"{place}, which would call or name {refused}") from None
    except UNREADABLE as error:
        raise ForeignRefused(f"{place}, which cannot be read ({error})") from None


class _Looking(pickle.Unpickler):
    """Reads a row into objects that do nothing."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in MAKERS or name in PLAIN.get(module, ()):
            return Inert
        if module.startswith(OURS):
            return _never_called(module, name)
        raise ForeignRefused(f"{module}.{name}")


class Inert:
    """In the place of any object: takes everything and does nothing."""

    def __new__(cls, *_: object, **__: object) -> Any:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        """Nothing."""

    def __setstate__(self, state: object) -> None:
        """Nothing."""

    def __setitem__(self, key: object, value: object) -> None:
        """Nothing."""

    def __call__(self, *_: object) -> Any:
        """How a row is filled in by a function of ours."""
        return self

    def append(self, item: object) -> None:
        """Nothing."""

    extend = add = append


class _NeverCalled(type):
    """Of a class whose objects may be made (`__new__`) but not constructed."""

    place: str

    def __call__(cls, *_: object, **__: object) -> Any:
        raise ForeignRefused(cls.place)


@cache
def _never_called(module: str, name: str) -> type:
    return _NeverCalled("Class", (Inert,), {"place": f"{module}.{name}"})
