"""Imported into an engine through `RIACHO_EXTRA_MODULES`: notifications never reach a queue."""

from __future__ import annotations

import threading

from localstack.services.s3.notifications import SqsNotifier


def stuck(*_: object) -> None:
    """A queue that never answers."""
    threading.Event().wait()


SqsNotifier.notify = stuck
