"""The Runtime API over plain sockets, with the names of awslambdaric's C module.

That module is built for one version of Python; the others find this one instead.
"""

from __future__ import annotations

import http.client
import os
from typing import Any

_PREFIX = "/2018-06-01/runtime/invocation"
_user_agent = ""
_connection = http.client.HTTPConnection(os.environ.get("AWS_LAMBDA_RUNTIME_API", ""))


def initialize_client(user_agent: str) -> None:
    global _user_agent
    _user_agent = user_agent


def next() -> tuple[bytes, dict[str, Any]]:
    """The payload of the next invocation, and its headers."""
    _connection.request("GET", f"{_PREFIX}/next", headers={"User-Agent": _user_agent})
    answer = _connection.getresponse()
    headers: dict[str, Any] = dict(answer.getheaders())
    # The one header that the C module turns into a number.
    headers["Lambda-Runtime-Deadline-Ms"] = int(headers["Lambda-Runtime-Deadline-Ms"])
    return answer.read(), headers


def post_invocation_result(
    invoke_id: str, content: bytes, content_type: str, invocation_id: str | None = None
) -> None:
    _post(f"{invoke_id}/response", content, {"Content-Type": content_type})


def post_error(
    invoke_id: str, content: str, xray_fault: str, invocation_id: str | None = None
) -> None:
    cause = xray_fault.encode("ascii", "backslashreplace").decode()
    headers = {
        "Content-Type": "application/json",
        "Lambda-Runtime-Function-XRay-Error-Cause": cause,
    }
    _post(f"{invoke_id}/error", content.encode(), headers)


def _post(path: str, content: bytes, headers: dict[str, str]) -> None:
    _connection.request("POST", f"{_PREFIX}/{path}", content, headers)
    answer = _connection.getresponse()
    answer.read()
    if answer.status >= 400:
        raise RuntimeError("Failed to post invocation response")
