"""Functions, layers and mappings outlive the engine: kept with the state of the other services."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from localstack.services.lambda_.invocation.lambda_models import S3Code
from localstack.services.lambda_.invocation.models import LambdaStore, lambda_stores

from services.localstack.running import running
from services.localstack.state import pickling
from services.localstack.state.keeper import UNREADABLE
from services.localstack.state.set_aside import set_aside

if TYPE_CHECKING:
    from services.awslambda.provider.service import FunctionsProvider


def lambda_folder() -> Path:
    """Code and positions of this engine's functions and mappings."""
    return running().settings.data_dir.resolve() / "lambda"


def former_file() -> Path:
    """Where functions were kept before they were rows of `state/lambda.sqlite3`."""
    return lambda_folder() / "functions.pickle"


def is_kept() -> bool:
    """Whether anything outlives this engine."""
    return running().settings.stream_storage == "disk"


def install() -> None:
    """Keep code below the data folder."""
    code = lambda_folder() / "code"
    if not is_kept():
        shutil.rmtree(code, ignore_errors=True)
    S3Code.get_unzipped_code_location = lambda self: code / self.s3_bucket / self.id / "code"


def go_on(provider: FunctionsProvider) -> None:
    """Go on with what a former engine had; its stores are filled already."""
    if not is_kept():
        return
    _load_former_file()
    stores = [store for _, _, store in lambda_stores.iter_stores()]
    if not any(store.functions or store.event_source_mappings for store in stores):
        return
    for store in stores:
        _forget_what_was_being_deleted(store)
    provider.on_before_state_load()
    provider.on_after_state_load()


def _load_former_file() -> None:
    file = former_file()
    if not file.exists():
        return
    try:
        for (account_id, region), kept in pickling.loads(file.read_bytes()).items():
            for name, value in kept.items():
                if name.startswith("attr_"):
                    setattr(lambda_stores[account_id][region], name, value)
        save()
        file.unlink()
    except UNREADABLE as why:
        set_aside(file, "the former store of functions", why)


def save() -> None:
    """A mapping or a function has changed without a call."""
    from services.localstack.state.provider import keeper

    if is_kept():
        keeper().changed("lambda")


def changes_by_itself() -> bool:
    """Whether a function or a mapping is on its way to another state."""
    return any(
        state.endswith(("ing", "InProgress"))
        for _, _, store in list(lambda_stores.iter_stores())
        for state in _states(store)
    )


def _states(store: LambdaStore) -> Iterator[str]:
    for mapping in list(store.event_source_mappings.values()):
        yield str(mapping.get("State", ""))
    for function in list(store.functions.values()):
        for version in list(function.versions.values()):
            config = version.config
            yield config.state.state.value
            yield config.last_update.status.value if config.last_update else ""


def _forget_what_was_being_deleted(store: LambdaStore) -> None:
    for name, function in list(store.functions.items()):
        if function.latest().config.state.state == "Deleting":
            del store.functions[name]
    for uuid, mapping in list(store.event_source_mappings.items()):
        if mapping.get("State") == "Deleting":
            del store.event_source_mappings[uuid]
