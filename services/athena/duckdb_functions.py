"""Functions DuckDB lacks, in Python; each is registered once per database."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any


def install(database: Any) -> None:
    """Create them. Cheap ones are macros elsewhere; these need Python."""
    database.create_function(
        "athena_groups", groups, ["VARCHAR", "VARCHAR"], "VARCHAR[]", null_handling="special"
    )
    database.create_function("athena_lower_keys", lower_keys, ["VARCHAR"], "VARCHAR")


@lru_cache(256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def groups(line: str | None, pattern: str) -> list[str | None] | None:
    """The groups of a whole-line match, or None."""
    if line is None:
        return None
    found = _compiled(pattern).fullmatch(line)
    return list(found.groups()) if found else None


def lower_keys(text: str) -> str:
    """A JSON object with all its keys in lower case."""
    import orjson

    return orjson.dumps(_lower(orjson.loads(text))).decode()


def _lower(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.lower(): _lower(inner) for key, inner in value.items()}
    return [_lower(inner) for inner in value] if isinstance(value, list) else value
