"""LocalStack's S3 that survives kill -9, unless the settings want it in memory."""

from __future__ import annotations

import logging
import pickle
import sqlite3
import threading
from pathlib import Path
from typing import Any

from localstack.runtime import hooks
from localstack.services.plugins import Service, aws_provider

from services.localstack.running import running
from services.localstack.s3.journal import Journal, JournalRefused
from services.localstack.s3.notifications import NAME, notifications
from services.localstack.state.pickling import NotKept
from services.localstack.state.provider import is_kept, keeper
from services.localstack.state.set_aside import set_aside

LOG = logging.getLogger(__name__)

JOURNAL = "journal.sqlite3"
#: Files that nobody names are looked for so long after S3's start.
TIDY_AFTER_SECONDS = 5.0
#: Calls that change nothing.
READING = ("Get", "List", "Head", "Select")
#: What reading a damaged or foreign journal raises.
UNREADABLE = (
    JournalRefused,
    sqlite3.DatabaseError,
    pickle.UnpicklingError,
    AttributeError,
    ImportError,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
)
NOT_KEPT = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code>'
    b"<Message>The change could not be written to disk. Please try again.</Message></Error>"
)


@aws_provider(api="s3", name="riacho")
def s3() -> Service:
    """S3."""
    from services.localstack.s3.list_calls import ListingProvider
    from services.localstack.s3.stores import keep_newest_last

    settings = running().settings
    if settings.object_storage == "memory":
        keep_newest_last()
        return Service.for_provider(ListingProvider())
    return Service.for_provider(ListingProvider(_durable()))


def _durable() -> Any:
    from localstack.aws import handlers

    from services.localstack.s3.bodies import BodyStore

    folder = _folder()
    try:
        memory = _load(folder)
    except UNREADABLE as why:
        set_aside(folder, "S3", why)
        memory = _load(folder)
    memory.keep_new_buckets()
    if is_kept():
        notifications(running()).watch()
    store = BodyStore(folder / "bodies")
    # Millions of files take a while to look through: nobody waits for it, nor shares a processor
    # with it while the services start.
    tidy = threading.Timer(
        TIDY_AFTER_SECONDS, lambda: store.remove_all_but(memory.journal.bodies())
    )
    tidy.name, tidy.daemon = "s3-tidy", True
    tidy.start()

    def save(chain: Any, context: Any, response: Any) -> None:
        operation = context.operation
        if not (operation and context.service.service_name == "s3"):
            return
        if response.status_code >= 400 or operation.name.startswith(READING):
            return
        try:
            store.discard(memory.save(context))
        except (sqlite3.Error, OSError, NotKept) as error:
            LOG.error("S3 could not keep what %s changed: %s", operation.name, error)
            response.status_code = 500
            response.set_response(NOT_KEPT)

    handlers.run_custom_response_handlers.append(save)
    return store


@hooks.on_infra_ready()
def go_on_notifying() -> None:
    """The notifications that a former engine did not get to are sent, without waiting for S3."""
    is_durable = running().settings.object_storage != "memory" and is_kept()
    if is_durable and keeper().file_of(NAME).exists():
        waiting = notifications(running())
        threading.Thread(target=waiting.go_on, name="s3-goes-on", daemon=True).start()


def has_journal() -> bool:
    """Whether there are buckets of a former engine."""
    return running().settings.object_storage != "memory" and (_folder() / JOURNAL).exists()


def _folder() -> Path:
    return running().settings.data_dir / "s3"


def _load(folder: Path) -> Any:
    from localstack.services.s3.models import s3_stores

    from services.localstack.s3.memory import Memory

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    sync = running().settings.stream_sync == "always"
    memory = Memory(s3_stores, Journal(folder / JOURNAL, sync=sync))
    memory.load()
    return memory
