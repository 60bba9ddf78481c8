"""Where LocalStack finds our HTTP front, and where every service of ours is registered."""

from __future__ import annotations

import importlib
import importlib.util
import logging

from localstack.runtime.server.core import RuntimeServer, RuntimeServerPlugin

from services.localstack.running import running

#: Imported when the engine starts, so that their data calls are registered. Whatever is heavy
#: (DuckDB, PyArrow) they import at first use.
PROVIDER_MODULES = (
    "services.localstack.admin",
    "services.kinesis.provider",
    "services.firehose.provider",
    "services.awslambda.provider",
    "services.glue.provider",
    "services.athena.provider",
    "services.kinesisanalytics.provider",
    "services.opensearch.provider",
)


def show_warnings() -> None:
    """What our services warn of (a damaged file) goes to the log: LocalStack shows errors alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("services")
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)
    logger.propagate = False


def import_provider_modules() -> None:
    """Every service that is there; one that fails to import stops the engine, loudly."""
    show_warnings()
    for module in PROVIDER_MODULES:
        if _exists(module):
            importlib.import_module(module)
    for module in running().settings.extra_modules.replace(",", " ").split():
        importlib.import_module(module)


def _exists(module: str) -> bool:
    parent = module.rpartition(".")[0]
    return (
        importlib.util.find_spec(parent) is not None
        and importlib.util.find_spec(module) is not None
    )


class FrontPlugin(RuntimeServerPlugin):
    """`GATEWAY_SERVER=riacho` selects this server."""

    name = "riacho"

    def load(self, *args: object, **kwargs: object) -> RuntimeServer:
        from services.localstack.front import FrontServer

        import_provider_modules()
        return FrontServer(running().settings)
