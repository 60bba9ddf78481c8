"""The core of Glue: one call for every operation, over one durable store."""

from __future__ import annotations

from services.clock import Clock
from services.glue import (
    column_statistics,
    databases,
    partitions,
    table_search,
    tables,
    tags,
    user_defined_functions,
)
from services.glue.catalog import Answer, Catalog, Operations, Request, check_catalog_id
from services.glue.errors import GlueError, not_built
from services.glue.request_check import check_request, operation_names
from services.glue.store import Store
from services.localstack.running import Running

OPERATIONS: Operations = {
    **databases.OPERATIONS,
    **tables.OPERATIONS,
    **table_search.OPERATIONS,
    **partitions.OPERATIONS,
    **column_statistics.OPERATIONS,
    **user_defined_functions.OPERATIONS,
    **tags.OPERATIONS,
}


class Glue:
    """AWS Glue's catalog. Safe for any number of threads."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self._clock = clock

    def call(self, operation: str, request: Request, *, region: str, account_id: str) -> Answer:
        """Answer one operation of AWS's API.

        `request` and the answer have the shapes of botocore's model; times are seconds since
        1970 as float. Raises GlueError (`code`, `message`, `status`).
        """
        if operation not in OPERATIONS:
            raise _unknown(operation)
        check_request(operation, request)
        catalog = Catalog(self.store, account_id, region, self._clock.now())
        check_catalog_id(catalog, request)
        with self.store.transaction():
            return OPERATIONS[operation](catalog, request)

    def close(self) -> None:
        self.store.close()


def make_glue(running: Running) -> Glue:
    """The engine's Glue: on disk in the data folder, unless tests keep everything in memory."""
    in_memory = running.settings.stream_storage == "memory"
    location = None if in_memory else running.settings.data_dir / "glue" / "catalog.sqlite"
    return Glue(Store(location), running.clock)


def _unknown(operation: str) -> GlueError:
    if operation in operation_names():
        return not_built(operation)
    return GlueError("UnknownOperationException", f"Glue has no operation {operation}.")
