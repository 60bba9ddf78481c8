"""OpenSearch as a part of the engine, where the setting `search` asks for it."""

from __future__ import annotations

from localstack.runtime import hooks

from services.localstack.admin import json_answer
from services.localstack.children import tied_command
from services.localstack.data_calls import DataAnswer, DataRequest, data_calls
from services.localstack.environment import JAVA
from services.localstack.ports import free_port
from services.localstack.running import Running, running
from services.opensearch.distribution import home_of
from services.opensearch.embedded import EmbeddedOpenSearch
from services.opensearch.server import Server


def _make(running: Running) -> EmbeddedOpenSearch:
    settings = running.settings
    server = Server(
        home=home_of(settings),
        data=settings.data_dir / "opensearch",
        java=JAVA,
        port=settings.search_port,
        transport_port=free_port(),
        heap=settings.search_heap,
    )
    sync = settings.stream_sync
    found = EmbeddedOpenSearch(server, lambda c: tied_command(c, without_fsync=sync == "os"))
    running.when_stopping(found.stop)
    return found


@hooks.on_infra_ready()
def start_search() -> None:
    """It takes ten seconds or more; the engine answers meanwhile."""
    if running().settings.search == "on":
        running().core("opensearch", _make).start()


def look(request: DataRequest) -> DataAnswer:
    """How the engine's OpenSearch does."""
    if running().settings.search != "on":
        return json_answer({"state": "off"})
    return json_answer(running().core("opensearch", _make).look())


data_calls["search"] = look
