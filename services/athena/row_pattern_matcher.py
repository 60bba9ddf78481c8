"""Row pattern matching (MATCH_RECOGNIZE): programs over labels, run on one partition's rows.

A program is a list of instructions, as Trino compiles patterns: `["label", i]`, `["split", a, b]`
(`a` is preferred), `["jump", a]`, `["start"]`, `["end"]`, `["exclude", on]`, `["done"]`.
The first thread, in the order of preference, that reaches `done` is the match.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

#: (label, its condition's slots resolved) → is the condition true?
Request = tuple[int, tuple[Any, ...]]
Asking = Generator[Request, bool, Any]


@dataclass(frozen=True)
class Slot:
    """One way from a row to another: FIRST/LAST among `labels` with an offset, then PREV/NEXT.

    `kind`: `row` the row's index, `name` its label, `rows` all rows so far (for aggregates).
    """

    kind: str
    labels: frozenset[int] | None = None
    first: bool = False
    offset: int = 0
    physical: int = 0
    final: bool = False

    def has(self, label: int) -> bool:
        return self.labels is None or label in self.labels


@dataclass(frozen=True)
class Rules:
    """A pattern and what happens around a match."""

    program: Sequence[Any]
    labels: Sequence[str]
    #: label → column of the rows' known conditions; label → slots of a condition that must be asked.
    known: dict[int, int]
    asked: dict[int, Sequence[Slot]]
    #: label → how far before and after the row its known condition looks.
    reach: dict[int, tuple[int, int]] = field(default_factory=dict)
    measures: Sequence[Slot] = ()
    skip: str = "past"
    skip_labels: frozenset[int] = frozenset()
    all_rows: bool = False
    omit_empty: bool = False
    unmatched: bool = False
    #: In a window: each row gets an answer, the match within `following` rows (None: to the end).
    window: bool = False
    seek: bool = False
    following: int | None = None


@dataclass
class Match:
    """Rows `start … start + len(labels) - 1`, by their place in the partition."""

    start: int
    labels: list[int]
    excluded: list[bool]


@dataclass(frozen=True)
class Place:
    """A row's view: the match so far and the bounds of PREV and NEXT."""

    start: int
    labels: Sequence[int]
    current: int
    low: int
    high: int

    def found(self, slot: Slot) -> int | None:
        """The row a slot leads to, by its place in the partition."""
        # Trino's FIRST looks through the whole match also under RUNNING; LAST stops at this row.
        whole = slot.final or slot.first
        end = len(self.labels) if whole else self.current - self.start + 1
        places: Iterator[int] = iter(range(end) if slot.first else range(end - 1, -1, -1))
        left = slot.offset
        for place in places:
            if slot.has(self.labels[place]):
                if left == 0:
                    row = self.start + place + slot.physical
                    return row if self.low <= row < self.high else None
                left -= 1
        return None

    def name(self, slot: Slot) -> int | None:
        row = self.found(slot)
        if row is None or not self.start <= row < self.start + len(self.labels):
            return None
        return self.labels[row - self.start]

    def rows(self, slot: Slot) -> tuple[tuple[int, int], ...]:
        """(row, label) of every row so far under the slot's labels."""
        end = len(self.labels) if slot.final else self.current - self.start + 1
        return tuple(
            (self.start + i, label) for i, label in enumerate(self.labels[:end]) if slot.has(label)
        )

    def resolved(self, slot: Slot) -> Any:
        if slot.kind == "row":
            return self.found(slot)
        return self.name(slot) if slot.kind == "name" else self.rows(slot)


@dataclass
class Partition:
    """One partition's rows; `known[row][column]` are conditions that depend on the row alone."""

    rules: Rules
    size: int
    known: Sequence[Sequence[bool | None]]
    _signatures: dict[Slot, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for slots in self.rules.asked.values():
            for slot in slots:
                self._signatures[slot] = 0

    # --- one match

    def match(self, start: int, low: int, high: int, number: int) -> Asking:
        """The preferred match that begins at `start` within rows `low … high - 1`, or None."""
        program = self.rules.program
        seen: set[Any] = set()
        # A path is (path before, label, excluded); None is the empty one.
        stack: list[tuple[int, int, Any, bool]] = [(0, start, None, False)]
        while stack:
            at, row, path, excluding = stack.pop()
            while True:
                state = (at, row, excluding, self._signature(path, start))
                if state in seen:  # an earlier thread was here: this one can only do the same
                    break
                seen.add(state)
                step = program[at]
                kind = step[0]
                if kind == "split":
                    stack.append((step[2], row, path, excluding))
                    at = step[1]
                elif kind == "jump":
                    at = step[1]
                elif kind == "exclude":
                    excluding, at = step[1], at + 1
                elif kind == "start":
                    if row != low:
                        break
                    at += 1
                elif kind == "end":
                    if row != high:
                        break
                    at += 1
                elif kind == "done":
                    return _unrolled(path, start)
                else:
                    if row >= high:
                        break
                    label = step[1]
                    holds = yield from self._holds(label, row, path, start, low, high, number)
                    if not holds:
                        break
                    path = (path, label, excluding)
                    row, at = row + 1, at + 1
        return None

    def _holds(
        self, label: int, row: int, path: Any, start: int, low: int, high: int, number: int
    ) -> Asking:
        before, after = self.rules.reach.get(label, (0, 0))
        if label in self.rules.known and row + before >= low and row + after < high:
            return bool(self.known[row][self.rules.known[label]])
        slots = self.rules.asked.get(label)
        if slots is None and label in self.rules.known:  # a partition's edge: the SQL knew it
            return bool(self.known[row][self.rules.known[label]])
        if slots is None:
            return True
        labels = [*_labels(path), label]
        place = Place(start, labels, row, low, high)
        answer = yield label, (number, *(place.resolved(slot) for slot in slots))
        return answer

    def _signature(self, path: Any, start: int) -> Any:
        """What later conditions can see of a path: equal signatures have equal futures."""
        if not self._signatures or path is None:
            return None
        labels = _labels(path)
        seen: list[Any] = []
        for slot in self._signatures:
            if slot.kind == "rows" or (slot.kind == "name" and slot.physical):
                return tuple(labels)
            places = range(len(labels)) if slot.first else range(len(labels) - 1, -1, -1)
            kept = [(i, labels[i]) for i in places if slot.has(labels[i])][: slot.offset + 1]
            seen.append(tuple(kept))
        return tuple(seen)

    # --- all matches

    def run(self) -> Generator[Request, bool, list[dict[str, Any]]]:
        """Output rows: `row`, `number` (None: unmatched), `label`, and one value per slot."""
        if self.rules.window:
            return (yield from self._run_window())
        out: list[dict[str, Any]] = []
        row, number, covered = 0, 1, -1
        while row < self.size:
            found: Match | None = yield from self.match(row, 0, self.size, number)
            if found is None:
                if self.rules.unmatched and row > covered:
                    out.append({"row": row, "number": None, "slots": None})
                row += 1
                continue
            out += self._output(found, number)
            number += 1
            covered = max(covered, row + len(found.labels) - 1)
            row = self._next(found)
        return out

    def _next(self, found: Match) -> int:
        if not found.labels or self.rules.skip == "next":
            return found.start + 1
        if self.rules.skip == "past":
            return found.start + len(found.labels)
        places = [i for i, x in enumerate(found.labels) if x in self.rules.skip_labels]
        if not places:
            raise PatternFailed("AFTER MATCH SKIP failed: pattern variable is not present in match")
        place = places[0] if self.rules.skip == "first" else places[-1]
        if place == 0:
            raise PatternFailed("AFTER MATCH SKIP failed: cannot skip to first row of match")
        return found.start + place

    def _output(self, found: Match, number: int) -> list[dict[str, Any]]:
        rules = self.rules
        if not found.labels:
            if rules.all_rows and rules.omit_empty:
                return []
            return [self._measured(found, found.start - 1, found.start, number, 0, self.size)]
        last = found.start + len(found.labels) - 1
        if not rules.all_rows:
            return [self._measured(found, last, found.start, number, 0, self.size)]
        return [
            self._measured(found, row, row, number, 0, self.size)
            for row in range(found.start, last + 1)
            if not found.excluded[row - found.start]
        ]

    def _measured(
        self, found: Match, current: int, row: int, number: int, low: int, high: int
    ) -> dict[str, Any]:
        place = Place(found.start, found.labels, current, low, high)
        return {
            "row": row,
            "number": number,
            "slots": [place.resolved(slot) for slot in self.rules.measures],
        }

    def _run_window(self) -> Generator[Request, bool, list[dict[str, Any]]]:
        out: list[dict[str, Any]] = []
        until = 0
        for row in range(self.size):
            found: Match | None = None
            high = self.size
            if self.rules.following is not None:
                high = min(high, row + self.rules.following + 1)
            if row >= until:
                for start in range(row, high if self.rules.seek else row + 1):
                    found = yield from self.match(start, row, high, 1)
                    if found is not None:
                        break
            if found is None:
                out.append({"row": row, "number": None, "slots": None})
                continue
            until = row + 1
            if found.labels and self.rules.skip != "next":
                until = self._next(found)
            last = found.start + len(found.labels) - 1
            out.append(self._measured(found, last, row, 1, row, high))
        return out


class PatternFailed(Exception):
    """A match that the rules cannot go on from."""


def _labels(path: Any) -> list[int]:
    labels = []
    while path is not None:
        path, label, _ = path
        labels.append(label)
    labels.reverse()
    return labels


def _unrolled(path: Any, start: int) -> Match:
    excluded = []
    at = path
    while at is not None:
        excluded.append(at[2])
        at = at[0]
    excluded.reverse()
    return Match(start, _labels(path), excluded)
