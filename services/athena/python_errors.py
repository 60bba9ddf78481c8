"""How Python functions inside DuckDB raise Trino's errors: marked, so they are found in DuckDB's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def trino_error(name: str, message: str) -> ValueError:
    return ValueError(f"[[{name}: {message}]]")


def invalid_argument(message: str) -> ValueError:
    return trino_error("INVALID_FUNCTION_ARGUMENT", message)


def strict(function: Callable[..., Any]) -> Callable[..., Any]:
    """NULL in, NULL out."""

    @functools.wraps(function)
    def wrapped(*arguments: Any) -> Any:
        return None if None in arguments else function(*arguments)

    return wrapped
