"""Damaged files are put aside, where they can be looked at: an engine starts without them."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path

LOG = logging.getLogger(__name__)


def set_aside(file: Path, whose: str, why: object) -> None:
    """Move a file, and what SQLite keeps beside it, or a folder, and say so in the engine's log:
    `sqs.sqlite3` goes into `sqs.sqlite3.set-aside-…/`."""
    aside = file.with_name(f"{file.name}.set-aside-{time.time_ns()}")
    aside.mkdir(mode=0o700)
    for each in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        if each.exists():
            each.rename(aside / each.name)
    LOG.error("%s starts empty: what it kept cannot be read (%s). It is in %s.", whose, why, aside)


def set_aside_when_damaged(database: Path, whose: str) -> None:
    """Look through a SQLite file that is about to be opened; nothing to do when there is none."""
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(database)) as opened:
            found = str(opened.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        set_aside(database, whose, found)
