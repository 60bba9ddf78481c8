"""How far a shard is done, when its records are finished out of their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class Progress:
    """Records are `taken` in the shard's order and `finished` in any: several invocations may be
    under way. The checkpoint is the last record before which nothing is left."""

    def __init__(self) -> None:
        self._under_way: deque[str] = deque()
        self._finished: set[str] = set()

    def take(self, sequence_numbers: Iterable[str]) -> None:
        self._under_way.extend(sequence_numbers)

    def finish(self, sequence_numbers: Iterable[str]) -> str | None:
        """The new checkpoint, or None where it did not move."""
        self._finished.update(sequence_numbers)
        checkpoint = None
        while self._under_way and self._under_way[0] in self._finished:
            checkpoint = self._under_way.popleft()
            self._finished.remove(checkpoint)
        return checkpoint

    @property
    def is_done(self) -> bool:
        """Whether everything that was taken is finished."""
        return not self._under_way
