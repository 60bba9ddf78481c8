"""Objects of LocalStack and moto as bytes: names of classes and plain values, never code.

A state file may come from another machine, so reading one resolves classes of a few packages and
the handful of functions registered here, and nothing else: no `os.system`, no function of theirs.
"""

from __future__ import annotations

import importlib
import io
import pickle
import queue
import threading
from _thread import LockType
from collections import defaultdict
from collections.abc import Callable
from enum import Enum
from types import CodeType, FunctionType
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

#: Where classes may come from.
OURS = ("localstack.", "moto.", "services.")
PLAIN: dict[str, frozenset[str]] = {
    "builtins": frozenset(
        {"object", "bytearray", "complex", "dict", "frozenset", "list", "range", "set", "slice"}
        | {"str", "int", "float", "bool", "bytes", "tuple"}
    ),
    "collections": frozenset({"OrderedDict", "defaultdict", "deque", "Counter"}),
    "datetime": frozenset({"date", "datetime", "time", "timedelta", "timezone"}),
    "decimal": frozenset({"Decimal"}),
    "uuid": frozenset({"UUID"}),
    "ipaddress": frozenset({"IPv4Address", "IPv4Network", "IPv6Address", "IPv6Network"}),
    "pathlib": frozenset({"PosixPath", "PurePosixPath"}),
    "pathlib._local": frozenset({"PosixPath", "PurePosixPath"}),
    "zoneinfo": frozenset({"ZoneInfo"}),
    "copyreg": frozenset({"_reconstructor"}),
    "re": frozenset({"_compile"}),
    "werkzeug.datastructures.structures": frozenset({"MultiDict", "ImmutableMultiDict"}),
    "queue": frozenset({"Queue", "PriorityQueue", "LifoQueue"}),
    "pytz": frozenset({"_UTC"}),
    "dateutil.tz.tz": frozenset({"tzutc", "tzlocal"}),
}

Reduced = tuple[Any, ...]
#: How objects of a type are written, for those that do not know themselves.
_reducers: dict[type, Callable[[Any], Reduced]] = {}
#: Functions that may be called while reading.
_makers: dict[tuple[str, str], Callable[..., Any]] = {}


class NotKept(pickle.PicklingError):
    """An object that cannot be written; the message says which."""


def reducer(kind: type) -> Callable[[Callable[[Any], Reduced]], Callable[[Any], Reduced]]:
    """Registers how objects of exactly this type are written: a maker and its arguments."""

    def register(reduce: Callable[[Any], Reduced]) -> Callable[[Any], Reduced]:
        _reducers[kind] = reduce
        return reduce

    return register


def maker[M: Callable[..., Any]](make: M) -> M:
    """Registers a function that a reducer names."""
    _makers[make.__module__, make.__qualname__] = make
    return make


class _Pickler(pickle.Pickler):
    """C's pickler: twenty times faster than dill's."""

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if (reduce := _reducers.get(kind)) is not None:
            return reduce(value)
        if kind is FunctionType:
            return _function(value)
        if isinstance(value, defaultdict) and kind is not defaultdict:
            state = vars(value) or None
            return new_default_dict, (kind, value.default_factory), state, None, iter(value.items())
        if isinstance(value, Enum) and value.name is not None:
            return enum_member, (kind, value.name)
        if isinstance(value, threading.Thread):
            return no_value, ()
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    #: What was found before: an object names half a dozen classes, and there are many objects.
    _found: ClassVar[dict[tuple[str, str], Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        found = self._found.get((module, name))
        if found is None:
            found = self._found[module, name] = self._find(module, name)
        return found

    def _find(self, module: str, name: str) -> Any:
        if (made := _makers.get((module, name))) is not None:
            return made
        if name in PLAIN.get(module, ()):
            return super().find_class(module, name)
        if module.startswith(OURS):
            found = super().find_class(module, name)
            # Not what a module imports from elsewhere, and no function.
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a state file")


def dumps(value: Any) -> bytes:
    """Raises NotKept (or RuntimeError when another thread changes what is written)."""
    written = io.BytesIO()
    try:
        _Pickler(written, pickle.HIGHEST_PROTOCOL).dump(value)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise NotKept(str(error)) from None
    return written.getvalue()


def loads(content: bytes) -> Any:
    """Raises pickle.UnpicklingError for what does not belong into a state file."""
    return _Unpickler(io.BytesIO(content)).load()


# Locks, and what holds one, are made anew: one that is held while it is written would be held
# for ever after.


@maker
def new_lock() -> Any:
    return threading.Lock()


@maker
def new_rlock() -> Any:
    return threading.RLock()


@maker
def new_condition() -> threading.Condition:
    return threading.Condition()


@maker
def new_event(is_set: bool) -> threading.Event:
    event = threading.Event()
    if is_set:
        event.set()
    return event


@maker
def new_queue(kind: type, items: list[Any]) -> Any:
    made = kind()
    for item in items:
        made.put_nowait(item)
    return made


@maker
def new_default_dict(kind: type, default_factory: Any) -> Any:
    """Of a class whose own constructor wants something else."""
    made: Any = defaultdict.__new__(kind)
    made.default_factory = default_factory
    return made


@maker
def enum_member(kind: Any, name: str) -> Any:
    if not (isinstance(kind, type) and issubclass(kind, Enum)):
        raise pickle.UnpicklingError(f"{kind!r} is not an enumeration")
    return kind[name]


@maker
def zone(key: str) -> ZoneInfo:
    return ZoneInfo(key)


def _former_attribute(owner: Any, name: str) -> Any:
    """Python's own way to write members and time zones, in journals of S3's first form."""
    if owner is ZoneInfo and name == "_unpickle":
        return lambda key, from_cache: ZoneInfo(key)
    return enum_member(owner, name)


_makers["builtins", "getattr"] = _former_attribute
# How functions' locks were named when `dill` wrote them.
_makers["threading", "RLock"] = new_rlock
_makers["_thread", "lock"] = new_lock


@maker
def no_value() -> None:
    """What stands for a thread: whoever needs one starts it again."""


@maker
def factory(module: str, name: str, line: int) -> Any:
    """A lambda without parameters within a function, such as a `defaultdict`'s factory. No other
    function: a state file could have it called with whatever it likes."""
    outer, *inner = name.split(".<locals>.")
    if not module.startswith(OURS) or not inner or inner[-1] != "<lambda>":
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a state file")
    space = importlib.import_module(module)
    found: Any = space
    for part in outer.split("."):
        found = getattr(found, part)
    code = _code_within(getattr(found, "__wrapped__", found).__code__, inner, line)
    if code.co_name != "<lambda>" or code.co_argcount or code.co_freevars:
        raise pickle.UnpicklingError(f"{module}.{name} is not there any more")
    return FunctionType(code, space.__dict__, code.co_name)


def _code_within(code: CodeType, names: list[str], line: int) -> CodeType:
    for position, name in enumerate(names):
        is_last = position == len(names) - 1
        code = next(
            (
                each
                for each in code.co_consts
                if isinstance(each, CodeType)
                and each.co_name == name
                and (not is_last or each.co_firstlineno == line)
            ),
            code,
        )
    return code


_reducers[ZoneInfo] = lambda its: (zone, (its.key,))
_reducers[LockType] = lambda lock: (new_lock, ())
_reducers[type(threading.RLock())] = lambda lock: (new_rlock, ())
_reducers[threading.Condition] = lambda condition: (new_condition, ())
_reducers[threading.Event] = lambda event: (new_event, (event.is_set(),))


def _queue(waiting: Any) -> Reduced:
    with waiting.mutex:
        return new_queue, (type(waiting), list(waiting.queue))


for _kind in (queue.Queue, queue.PriorityQueue, queue.LifoQueue):
    _reducers[_kind] = _queue


def _function(function: Any) -> Any:
    module, name = function.__module__, function.__qualname__
    if (module, name) in _makers or name in PLAIN.get(module, ()):
        return NotImplemented  # by its name
    code = function.__code__
    if code.co_name != "<lambda>" or code.co_argcount or code.co_freevars or "<locals>" not in name:
        raise NotKept(f"the function {module}.{name}")
    return factory, (module, name, code.co_firstlineno)
