"""Waiting for a condition with a deadline: what tests do instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

#: `WaiterConfig` for botocore's waiters, which look at AWS every second or every ten.
OFTEN = {"Delay": 0.1, "MaxAttempts": 1200}


def wait_until[T](
    condition: Callable[..., T | Literal[False] | None], seconds: float = 30, every: float = 0.05
) -> T:
    """The condition's first true value. Fails with its last value when the deadline passes.

    It is called without arguments; a lambda in a loop may bind the loop's variables as defaults.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {seconds} s; last seen: {value!r}")
        time.sleep(every)
    return value
