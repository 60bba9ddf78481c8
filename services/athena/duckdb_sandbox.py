"""DuckDB connections that can reach the cached files and nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def open_database(folders: Sequence[Path], *, threads: int, memory_limit: str, spill: Path) -> Any:
    """A database in memory whose settings are locked: no other folder, no network, no extension."""
    import duckdb

    spill.mkdir(parents=True, exist_ok=True)
    database = duckdb.connect(
        ":memory:",
        config={
            "threads": threads,
            "memory_limit": memory_limit,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        },
    )
    database.execute("SET TimeZone = 'UTC'")
    database.execute("SET parquet_metadata_cache = true")
    database.execute("SET default_null_order = 'nulls_last'")
    return database


def lock(database: Any, folders: Sequence[Path]) -> None:
    """After set-up: nothing may be changed and only `folders` may be read or written."""
    listed = ", ".join("'" + str(folder).replace("'", "''") + "/'" for folder in folders)
    database.execute(f"SET allowed_directories = [{listed}]")
    database.execute("SET enable_external_access = false")
    database.execute("SET lock_configuration = true")


def default_threads() -> int:
    return max(2, os.cpu_count() or 2)
