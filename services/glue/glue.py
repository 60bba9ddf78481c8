"""The core of Glue: one call for every operation, over one durable store."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from services.clock import MovableClock
from services.connect import connect
from services.glue import (
    classifiers,
    column_statistics,
    databases,
    partitions,
    table_search,
    tables,
    tags,
    user_defined_functions,
)
from services.glue.catalog import Answer, Catalog, Operations, Request, check_catalog_id
from services.glue.crawler_runs import Clients
from services.glue.crawlers import Crawlers
from services.glue.errors import GlueError, not_built
from services.glue.request_check import check_request, operation_names
from services.glue.schemas import registry
from services.glue.store import Store
from services.localstack.running import Running
from services.localstack.state.set_aside import set_aside_when_damaged

OPERATIONS: Operations = {
    **databases.OPERATIONS,
    **tables.OPERATIONS,
    **table_search.OPERATIONS,
    **partitions.OPERATIONS,
    **column_statistics.OPERATIONS,
    **user_defined_functions.OPERATIONS,
    **classifiers.OPERATIONS,
    **registry.OPERATIONS,
    **tags.OPERATIONS,
}


class Glue:
    """AWS Glue's catalog. Safe for any number of threads."""

    def __init__(self, store: Store, clock: MovableClock, clients: Clients) -> None:
        self.store = store
        self._clock = clock
        self._crawlers = Crawlers(store, clock, clients)
        self._operations = {**OPERATIONS, **self._crawlers.operations()}

    def call(self, operation: str, request: Request, *, region: str, account_id: str) -> Answer:
        """Answer one operation of AWS's API.

        `request` and the answer have the shapes of botocore's model; times are seconds since
        1970 as float. Raises GlueError (`code`, `message`, `status`).
        """
        if operation not in self._operations:
            raise _unknown(operation)
        check_request(operation, request)
        catalog = Catalog(self.store, account_id, region, self._clock.now())
        check_catalog_id(catalog, request)
        with self.store.transaction():
            return self._operations[operation](catalog, request)

    def close(self) -> None:
        """Stop what is crawling."""
        self._crawlers.close()
        self.store.close()


def make_glue(running: Running) -> Glue:
    """The engine's Glue: on disk in the data folder, unless tests keep everything in memory."""
    in_memory = running.settings.stream_storage == "memory"
    location = None if in_memory else catalog_file(running)
    if location is not None:
        set_aside_when_damaged(location, "glue")
    glue = Glue(Store(location), running.clock, _clients(running.settings.port))
    running.when_stopping(glue.close)
    return glue


def catalog_file(running: Running) -> Path:
    """Where the catalog is kept."""
    return running.settings.data_dir / "glue" / "catalog.sqlite"


def _clients(port: int) -> Clients:
    """Clients of this engine, each made once: making one is slow, and not safe in threads."""
    made: dict[tuple[str, str], Any] = {}
    lock = threading.Lock()

    def client(service: str, region: str) -> Any:
        with lock:
            if (service, region) not in made:
                made[service, region] = connect(service, f"http://127.0.0.1:{port}", region)
            return made[service, region]

    return client


def _unknown(operation: str) -> GlueError:
    if operation in operation_names():
        return not_built(operation)
    return GlueError("UnknownOperationException", f"Glue has no operation {operation}.")
