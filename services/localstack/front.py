"""The engine's HTTP front: guards the door, answers data calls, leaves the rest to LocalStack."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from localstack.aws.serving.twisted import TLSMultiplexerFactory
from localstack.runtime.server.twisted import TwistedRuntimeServer
from rolo.gateway import Gateway
from rolo.serving.twisted import TwistedGateway
from twisted.internet import reactor, ssl

from services.localstack.ending import arrange_the_end, write_identity
from services.localstack.environment import identity_file
from services.localstack.front_channel import front_protocol
from services.localstack.front_request import FrontRequest
from services.settings import Settings


class FrontSite(TwistedGateway):
    """LocalStack's gateway as a Twisted site, with our requests in front of it."""

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        super().__init__(gateway)
        self.settings = settings
        self.requestFactory = FrontRequest
        self.protocol = front_protocol

    def log(self, request: Any) -> None:
        """No access log: normal operation is quiet."""


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
        write_identity(identity_file(self._settings.data_dir), self._identity())

    def _identity(self) -> str:
        settings = self._settings
        return json.dumps(
            {"pid": os.getpid(), "host": settings.host, "port": settings.port, "since": time.time()}
        )

    def run(self) -> None:
        arrange_the_end()
        super().run()

    def shutdown(self) -> None:
        identity_file(self._settings.data_dir).unlink(missing_ok=True)
        if self.thread_pool:
            self.thread_pool.stop(timeout=1)
        reactor.stop()
