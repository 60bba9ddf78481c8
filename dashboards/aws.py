"""Clients for the pages: whoever renders a page passes them in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from botocore.exceptions import ClientError


class Aws(Protocol):
    """Gives boto3 clients, by service."""

    def client(self, service: str) -> Any:
        """A client that threads may share."""


class SharedClients:
    """Makes each client once: making one takes longer than many calls."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        self._make = make
        self._made: dict[str, Any] = {}
        self._lock = threading.Lock()

    @property
    def made(self) -> int:
        """How many clients there are by now."""
        return len(self._made)

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._made:
                self._made[service] = self._make(service)
            return self._made[service]


def error_code(error: ClientError) -> str:
    """AWS's code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    """AWS's sentence, without the name of the operation."""
    return str(error.response.get("Error", {}).get("Message", "")) or error_code(error)


def listed[T](read: Callable[[], list[T]], problems: list[str], service: str) -> list[T]:
    """The list, or nothing and a problem noted: one service that fails leaves the others."""
    try:
        return read()
    except ClientError as error:
        problems.append(f"{service}: {error_message(error)}")
        return []
