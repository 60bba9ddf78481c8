"""JSON over HTTP to OpenSearch and to its Dashboards; errors become one sentence."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from services.opensearch.errors import SearchFailed, SearchRefused, SearchUnreachable

_TIMEOUT_SECONDS = 60.0


class HttpClient:
    """One address; no proxy stands before it, whatever the environment says."""

    def __init__(self, address: str, headers: Mapping[str, str] | None = None) -> None:
        self.address = address.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(headers or {})

    def call(self, method: str, path: str, content: Any = None, **more: Any) -> Any:
        """The JSON answer. Raises SearchUnreachable and SearchRefused."""
        try:
            answer = self._session.request(
                method,
                f"{self.address}/{path.lstrip('/')}",
                json=content,
                timeout=_TIMEOUT_SECONDS,
                **more,
            )
        except requests.RequestException as error:
            raise SearchUnreachable(
                f"Nobody answers at {self.address} ({type(error).__name__}): "
                "start it, or name another address."
            ) from None
        if not answer.ok:
            raise SearchRefused(
                f"{self.address} refused {method} {path} ({answer.status_code}): "
                f"{answer.text.strip()[:500]}"
            )
        try:
            return answer.json()
        except requests.JSONDecodeError:
            raise SearchRefused(f"{self.address} answered {method} {path} without JSON.") from None

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Ask until it is; a condition that fails is not ready yet. Raises SearchUnreachable."""
        deadline, why = time.monotonic() + seconds, "it is not ready"
        while True:
            try:
                if is_ready():
                    return
            except SearchFailed as error:
                why = str(error)
            if time.monotonic() > deadline:
                raise SearchUnreachable(
                    f"{self.address} was not ready within {seconds:.0f} s: {why}"
                )
            time.sleep(0.2)

    def close(self) -> None:
        self._session.close()
