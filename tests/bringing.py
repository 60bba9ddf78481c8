"""Real parts that tests fetch: skipped on a machine that cannot have them, missed in CI."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from scripts.bench.real_kcl import RealKclUnavailable


def bring_or_skip[T](bring: Callable[[], T]) -> T:
    """What `bring` fetches."""
    try:
        return bring()
    except RealKclUnavailable as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))
