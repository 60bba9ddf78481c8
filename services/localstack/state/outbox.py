"""What was acknowledged and is still on its way to somebody else: a row each until it is there."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

from services.localstack.state import pickling
from services.localstack.state.rows import StateRows


class Outbox:
    """Rows below one prefix, in the order they were added. May be used from every thread."""

    def __init__(self, rows: StateRows, prefix: str) -> None:
        self._rows, self._prefix = rows, prefix
        # After those of a former engine, whatever its clock said.
        last = max((name for name, _ in rows.below(prefix)), default=f"{prefix}0")
        self._numbers = itertools.count(max(time.time_ns(), int(last.removeprefix(prefix)) + 1))

    def add(self, sent: Any) -> str:
        """Write it; its name. Raises sqlite3.Error or NotKept."""
        name = f"{self._prefix}{next(self._numbers):024d}"
        self._rows.write([(name, pickling.dumps(sent))])
        return name

    def remove(self, name: str) -> None:
        """It has arrived, or nobody will ever take it. Written shortly after, with others: what
        arrived just before `kill -9` may be sent again."""
        self._rows.remove_soon(name)

    def waiting(self) -> Iterator[tuple[str, Any]]:
        """What has not arrived, oldest first."""
        for name, content in self._rows.below(self._prefix):
            yield name, pickling.loads(content)
