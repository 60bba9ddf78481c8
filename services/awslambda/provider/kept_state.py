"""Functions, layers and mappings outlive the engine: saved before a change is acknowledged."""

from __future__ import annotations

import _thread
import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localstack.aws.api import RequestContext
from localstack.aws.handlers import run_custom_response_handlers
from localstack.services.lambda_.invocation.lambda_models import S3Code
from localstack.services.lambda_.invocation.models import LambdaStore, lambda_stores
from localstack.state import pickle

from services.localstack.running import running

if TYPE_CHECKING:
    from services.awslambda.provider.service import FunctionsProvider

LOG = logging.getLogger(__name__)

_READING = ("Get", "List", "Invoke")
#: A lock that is held while it is saved would be held for ever after.
_LOCKS: tuple[tuple[type, Callable[[], Any]], ...] = (
    (_thread.RLock, threading.RLock),
    (_thread.LockType, threading.Lock),
)
_saving = threading.Lock()


def state_file() -> Path:
    """Where the functions of this engine are kept."""
    return running().settings.data_dir.resolve() / "lambda" / "functions.pickle"


def is_kept() -> bool:
    """Whether anything outlives this engine."""
    return running().settings.stream_storage == "disk"


def install() -> None:
    """Keep code below the data folder, and save after every change."""
    code = state_file().parent / "code"
    if not is_kept():
        shutil.rmtree(code, ignore_errors=True)
    S3Code.get_unzipped_code_location = lambda self: code / self.s3_bucket / self.id / "code"
    if not is_kept():
        return
    for kind, make in _LOCKS:
        pickle.register(kind)(
            lambda pickler, lock, make=make: pickler.save_reduce(make, (), obj=lock)
        )
    run_custom_response_handlers.append(_save_after)


def _save_after(chain: Any, context: RequestContext, response: Any) -> None:
    if context.service is None or context.service.service_name != "lambda":
        return
    if context.operation is not None and not context.operation.name.startswith(_READING):
        save()


def save() -> None:
    """Write everything now, whole or not at all."""
    if not is_kept():
        return
    with _saving:
        stores = {
            (account_id, region): dict(store.__dict__)
            for account_id, regions in list(lambda_stores.items())
            for region, store in list(regions.items())
        }
        path = state_file()
        # The first function is saved before its code is unpacked there.
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_bytes(pickle.dumps(stores))
        os.replace(draft, path)


def load(provider: FunctionsProvider) -> None:
    """Bring back what a former engine had, and go on with it."""
    if not is_kept() or not state_file().exists():
        return
    stores = pickle.loads(state_file().read_bytes())
    for (account_id, region), kept in stores.items():
        store = lambda_stores[account_id][region]
        for name, value in kept.items():
            # Its place among the stores it has already.
            if name.startswith("attr_"):
                setattr(store, name, value)
        _forget_what_was_being_deleted(store)
    provider.on_before_state_load()
    provider.on_after_state_load()


def _forget_what_was_being_deleted(store: LambdaStore) -> None:
    for name, function in list(store.functions.items()):
        if function.latest().config.state.state == "Deleting":
            del store.functions[name]
    for uuid, mapping in list(store.event_source_mappings.items()):
        if mapping.get("State") == "Deleting":
            del store.event_source_mappings[uuid]
