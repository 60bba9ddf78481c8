"""Values come back as they were; what could run code does not come back at all."""

from __future__ import annotations

import os
import pickle
import queue
import threading
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from services.localstack.data_folder import Identity
from services.localstack.engine import Engine
from services.localstack.state.pickling import NotKept, dumps, factory, loads


def test_values_come_back_as_they_were() -> None:
    values = {
        "when": datetime(2026, 1, 1, tzinfo=UTC),
        "zone": ZoneInfo("Europe/Berlin"),
        "amount": Decimal("1.50"),
        "nested": defaultdict(list, {"a": [1, (2, b"3"), {4}]}),
        "object": Identity(1, "h", 2, 3.0),
    }
    assert loads(dumps(values)) == values


def test_a_lock_that_is_held_comes_back_free() -> None:
    lock, inner = threading.RLock(), threading.Lock()
    with lock, inner:
        again = loads(dumps([lock, inner, threading.Condition(lock), threading.Event()]))
    assert again[0].acquire(blocking=False)
    assert again[1].acquire(blocking=False)
    assert not again[3].is_set()


def test_a_queue_keeps_what_waits_in_it() -> None:
    waiting: queue.PriorityQueue[int] = queue.PriorityQueue()
    for number in (3, 1, 2):
        waiting.put(number)
    again = loads(dumps(waiting))
    assert [again.get_nowait() for _ in range(3)] == [1, 2, 3]


class Evil:
    def __init__(self, call: object, *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.call, self.arguments


@pytest.mark.parametrize(
    "evil",
    [
        Evil(os.system, "true"),
        Evil(eval, "1"),
        Evil(getattr, Engine, "stop"),
        Evil(exec, "x = 1"),
        Evil(__import__, "os"),
        Evil(factory, "services.localstack.engine", "free_port", 1),
        Evil(factory, "services.localstack.engine", "start.<locals>.<lambda>", 1),
        Evil(factory, "os", "x.<locals>.<lambda>", 1),
        Evil(open, "/etc/passwd"),
    ],
)
def test_what_could_run_code_is_refused(evil: Evil) -> None:
    with pytest.raises(pickle.UnpicklingError):
        loads(pickle.dumps(evil))


def test_functions_of_our_modules_are_refused_too() -> None:
    with pytest.raises(pickle.UnpicklingError, match="no place in a state file"):
        loads(b"cservices.localstack.engine\nfree_port\n)R.")


def test_a_function_of_others_is_not_written() -> None:
    with pytest.raises(NotKept, match="the function os"):
        dumps([os.walk])
