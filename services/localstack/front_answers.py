"""From a request's head to a data call, and from its answer to bytes."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus

from services.localstack.data_calls import (
    DataAnswer,
    DataCall,
    DataRequest,
    LaterAnswer,
    StreamingAnswer,
)
from services.localstack.front_door import is_welcome_fetch, is_welcome_host, is_welcome_origin
from services.settings import Settings

LOG = logging.getLogger(__name__)

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([a-z0-9-]+)/")
_XML = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n" for s in HTTPStatus}


def credential_scope(authorization: str, settings: Settings) -> tuple[str, str]:
    """(account id, region) of a signed request; the settings' own when it is not signed.

    As LocalStack reads it: an access key of twelve digits is an account id.
    """
    match = _SCOPE.search(authorization)
    if match is None:
        return settings.account_id, settings.region
    key, region = match.groups()
    return key if len(key) == 12 and key.isdigit() else settings.account_id, region


def refusal(headers: Mapping[str, str], settings: Settings, uri: str = "/") -> DataAnswer | None:
    """What a request from another site gets; None for one that is welcome."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if not is_welcome_host(host, settings):
        return error_answer(403, "AccessDeniedException", _another_site("Host", host))
    if not is_welcome_origin(origin, settings):
        return error_answer(403, "AccessDeniedException", _another_site("Origin", origin or ""))
    if not is_welcome_fetch(headers, uri):
        message = "A page of another site made this request (Sec-Fetch-Site: cross-site)."
        return error_answer(403, "AccessDeniedException", message)
    return None


def _another_site(header: str, value: str) -> str:
    return f"The {header} header {value!r} names another site than this engine."


def answer_call(
    call: DataCall,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    settings: Settings,
) -> DataAnswer | StreamingAnswer | LaterAnswer | None:
    """What the call answers; AWS's InternalFailure and a log line when it raises."""
    account_id, region = credential_scope(headers.get("authorization", ""), settings)
    try:
        return call(DataRequest(method, target, headers, body, region, account_id))
    except Exception:
        LOG.exception("Data call %s failed", target)
        return error_answer(500, "InternalFailure", f"{target} failed; see the engine's log.")


def error_answer(status: int, code: str, message: str) -> DataAnswer:
    """An error in AWS's JSON form."""
    body = json.dumps({"__type": code, "message": message}).encode()
    return DataAnswer(status, {"Content-Type": "application/x-amz-json-1.1"}, body)


def no_room_answer(headers: Mapping[str, str]) -> DataAnswer:
    """AWS's 5xx for a request whose body the disk did not take; S3's is XML."""
    message = "The request could not be written to disk. Please try again."
    if "/s3/" not in headers.get("authorization", ""):
        return error_answer(500, "InternalFailure", message)
    body = f"<Error><Code>InternalError</Code><Message>{message}</Message></Error>"
    return DataAnswer(500, {"Content-Type": "application/xml"}, _XML + body.encode())


def with_request_id(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers, with the id that AWS puts on every answer."""
    return headers if "x-amzn-RequestId" in headers else {**headers, **_request_id()}


def _request_id() -> dict[str, str]:
    return {"x-amzn-RequestId": str(uuid.uuid4())}


def whole_answer(answer: DataAnswer) -> bytes:
    """An answer as HTTP/1.1 writes it."""
    lines = [f"{name}: {value}\r\n" for name, value in with_request_id(answer.headers).items()]
    head = (
        f"{_STATUS_LINES[answer.status]}{''.join(lines)}Content-Length: {len(answer.body)}\r\n\r\n"
    )
    return head.encode("latin-1") + answer.body


@lru_cache(maxsize=4096)
def _header_name(name: str) -> str:
    return name.lower()


def parse_head(head: bytes) -> dict[str, str] | None:
    """The headers after a request line, names in lower case; None when in any way unusual."""
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        name = _header_name(name)
        if not colon or name.strip() != name or (name == "content-length" and name in headers):
            return None
        headers[name] = value.strip(" \t")
    return headers
