"""What LocalStack knows of tables beside DynamoDBLocal: time to live, tags, ids; in a file."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from services.localstack.state import pickling

#: Calls on tables that change it; calls on items do not.
CHANGING = (
    "CreateTable",
    "UpdateTable",
    "DeleteTable",
    "UpdateTimeToLive",
    "TagResource",
    "UntagResource",
    "UpdateContinuousBackups",
    "EnableKinesisStreamingDestination",
    "DisableKinesisStreamingDestination",
)
_LOCAL = "attr_"  # how LocalStack names the attributes of one region's store


def save(stores: Any, file: Path) -> None:
    """Write every region's attributes: a new file that takes the old one's place."""
    content = [
        (
            account_id,
            region,
            {name: value for name, value in vars(store).items() if name.startswith(_LOCAL)},
            dict(store._global),
        )
        for account_id, region, store in stores.iter_stores()
    ]
    new = file.with_suffix(".new")
    new.write_bytes(pickling.dumps(content))
    new.replace(file)


def load(stores: Any, file: Path) -> None:
    """Bring them back; nothing to do when there is no file. Raises UNREADABLE."""
    if not file.exists():
        return
    for account_id, region, local, shared in pickling.loads(file.read_bytes()):
        store = stores[account_id][region]
        vars(store).update(local)
        store._global.update(shared)


UNREADABLE = (pickle.UnpicklingError, AttributeError, ImportError, EOFError, ValueError, TypeError)
