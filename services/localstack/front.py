"""The engine's HTTP front: guards the door, answers data calls, leaves the rest to LocalStack."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from localstack.aws.serving.twisted import TLSMultiplexerFactory
from localstack.runtime.server.twisted import TwistedRuntimeServer
from rolo.gateway import Gateway
from rolo.serving.twisted import (
    HeaderPreservingHTTPChannel,
    TwistedGateway,
    TwistedRequestAdapter,
)
from twisted.internet import reactor, ssl
from twisted.web.http import _GenericHTTPChannelProtocol

from services.localstack.data_calls import (
    DataAnswer,
    DataCall,
    DataRequest,
    StreamingAnswer,
    data_calls,
)
from services.localstack.front_door import is_welcome_host, is_welcome_origin
from services.settings import Settings

LOG = logging.getLogger(__name__)

ADMIN_PATH = b"/_riacho/"
_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([a-z0-9-]+)/")


@lru_cache(maxsize=256)
def credential_scope(authorization: str, settings: Settings) -> tuple[str, str]:
    """(account id, region) of a signed request; the settings' own when it is not signed.

    As LocalStack reads it: an access key of twelve digits is an account id.
    """
    match = _SCOPE.search(authorization)
    if match is None:
        return settings.account_id, settings.region
    key, region = match.groups()
    return key if len(key) == 12 and key.isdigit() else settings.account_id, region


class RequestPieces:
    """The body of one streaming answer, written from any thread, sent by the event loop."""

    def __init__(self, request: FrontRequest) -> None:
        self._request = request
        self._lock = threading.Lock()
        self._unsent_bytes = 0
        self._is_open = True
        self._calls: list[Callable[[], None]] = []
        request.notifyFinish().addBoth(lambda _: self._ended())

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def unsent_bytes(self) -> int:
        return self._unsent_bytes

    def write(self, piece: bytes) -> None:
        if not self._is_open:
            return
        with self._lock:
            self._unsent_bytes += len(piece)
        reactor.callFromThread(self._write, piece)

    def close(self) -> None:
        reactor.callFromThread(self._close)

    def when_closed(self, call: Callable[[], None]) -> None:
        with self._lock:
            if self._is_open:
                self._calls.append(call)
                return
        reactor.callFromThread(call)

    def _write(self, piece: bytes) -> None:
        with self._lock:
            self._unsent_bytes -= len(piece)
        if self._is_open:
            self._request.write(piece)

    def _close(self) -> None:
        if self._is_open:
            self._request.finish()

    def _ended(self) -> None:
        with self._lock:
            self._is_open = False
            calls, self._calls = self._calls, []
        for call in calls:
            call()


class FrontRequest(TwistedRequestAdapter):
    """One request, of HTTP/1.1 or HTTP/2, once its body has arrived."""

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        # Twisted writes bodies over 100 kB to a temporary file; a batch of records is larger.
        if self.requestHeaders.hasHeader(b"x-amz-target"):
            self.content = io.BytesIO()
        else:
            super().gotLength(length)

    def process(self) -> None:
        settings: Settings = self._site().settings
        if not is_welcome_host(self.getHeader("host") or "", settings):
            self._refuse("Host", self.getHeader("host") or "")
        elif not is_welcome_origin(self.getHeader("origin"), settings):
            self._refuse("Origin", self.getHeader("origin") or "")
        elif not self._answer_data_call(settings):
            super().process()

    def _site(self) -> FrontSite:
        site: FrontSite = self.channel.site
        return site

    def _answer_data_call(self, settings: Settings) -> bool:
        target = self.getHeader(b"x-amz-target")
        if target is None and self.path.startswith(ADMIN_PATH):
            target = self.path[len(ADMIN_PATH) :]
            if target.decode("latin-1") not in data_calls:
                self._send(_error(404, "ResourceNotFound", f"No {self.path.decode('latin-1')}."))
                return True
        call = data_calls.get(target.decode("latin-1")) if target else None
        if call is None:
            return False
        answer = answer_safely(call, self._data_request(target.decode("latin-1"), settings))
        if answer is None:
            return False
        self._send(answer)
        return True

    def _data_request(self, target: str, settings: Settings) -> DataRequest:
        headers = {
            name.decode("latin-1").lower(): values[-1].decode("latin-1")
            for name, values in self.requestHeaders.getAllRawHeaders()
        }
        account_id, region = credential_scope(headers.get("authorization", ""), settings)
        body = self.content.read()
        self.content.seek(0)
        return DataRequest(self.method.decode(), target, headers, body, region, account_id)

    def _refuse(self, header: str, value: str) -> None:
        message = f"The {header} header {value!r} names another site than this engine."
        self._send(_error(403, "AccessDeniedException", message))

    def _send(self, answer: DataAnswer | StreamingAnswer) -> None:
        self.setResponseCode(answer.status)
        headers: dict[str, str] = {"x-amzn-RequestId": str(uuid.uuid4()), **answer.headers}
        for name, value in headers.items():
            self.responseHeaders.rememberHeaderCasing(name.encode())
            self.responseHeaders.setRawHeaders(name.encode(), [value.encode()])
        if isinstance(answer, DataAnswer):
            self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(answer.body)])
            self.write(answer.body)
            self.finish()
        else:
            self.write(b"")
            answer.start(RequestPieces(self))


def answer_safely(call: DataCall, request: DataRequest) -> DataAnswer | StreamingAnswer | None:
    """What the call answers; AWS's InternalFailure and a log line when it raises."""
    try:
        return call(request)
    except Exception:
        LOG.exception("Data call %s failed", request.target)
        return _error(500, "InternalFailure", f"{request.target} failed; see the engine's log.")


def _error(status: int, code: str, message: str) -> DataAnswer:
    body = json.dumps({"__type": code, "message": message}).encode()
    return DataAnswer(status, {"Content-Type": "application/x-amz-json-1.1"}, body)


class FrontSite(TwistedGateway):
    """LocalStack's gateway as a Twisted site, with our requests in front of it."""

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        super().__init__(gateway)
        self.settings = settings
        self.requestFactory = FrontRequest
        self.protocol = _front_protocol

    def log(self, request: Any) -> None:
        """No access log: normal operation is quiet."""


class FrontChannel(HeaderPreservingHTTPChannel):
    """One HTTP/1.1 connection."""

    requestFactory = FrontRequest  # noqa: N815


def _front_protocol() -> Any:
    return _GenericHTTPChannelProtocol(FrontChannel())


class FrontServer(TwistedRuntimeServer):
    """Binds the settings' own host (LocalStack's server binds every address), plain and TLS."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def register(
        self, gateway: Gateway, listen: Any, ssl_creds: tuple[str, str] | None = None
    ) -> None:
        site = FrontSite(gateway, self._settings)
        factory: Any = site
        if ssl_creds:
            certificate, key = ssl_creds
            context = ssl.DefaultOpenSSLContextFactory(key, certificate)
            context.getContext().use_certificate_chain_file(certificate)
            factory = TLSMultiplexerFactory(context, False, site)
        for address in listen:
            # Unlike an endpoint's `listen`, this raises at once when the port is taken.
            reactor.listenTCP(address.port, factory, interface=self._settings.host, backlog=512)
