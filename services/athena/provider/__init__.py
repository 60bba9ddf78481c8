"""Athena in LocalStack: the front's quick calls, and a service for calls through its chain."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from localstack.services.plugins import Service, aws_provider

from services.athena.errors import AthenaError
from services.athena.provider import quick_calls
from services.athena.provider.stored_objects import LocalStackObjectStore
from services.localstack.core_service import core_service
from services.localstack.running import Running, running
from services.localstack.state.set_aside import set_aside_when_damaged

if TYPE_CHECKING:
    from services.athena.athena import Athena


def athena_core() -> Athena:
    """The one Athena of this engine, made at first use: DuckDB is loaded only then."""
    return running().core("athena", _make)


def _make(engine: Running) -> Athena:
    from services.athena.athena import Athena
    from services.athena.duckdb_engine import DuckDbEngine
    from services.athena.stored_state import StoredState
    from services.glue.glue import make_glue

    folder = engine.settings.data_dir / "athena"
    set_aside_when_damaged(folder / "state.sqlite", "athena")
    store = LocalStackObjectStore()
    duckdb = DuckDbEngine(store, folder, decimal_literals_as_double=True)
    threading.Thread(target=duckdb.warm_up, name="athena-warm-up", daemon=True).start()
    return Athena(
        clock=engine.clock,
        glue=engine.core("glue", make_glue),
        store=store,
        engine=duckdb,
        state=StoredState(folder / "state.sqlite"),
        managed_results=folder / "managed-results",
    )


quick_calls.register(athena_core)


@aws_provider(api="athena", name="riacho")
def athena() -> Service:
    """For what the quick calls leave to LocalStack's chain."""
    return core_service("athena", athena_core, AthenaError)
