"""The text of a row pattern as a program for the matcher."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

#: More instructions than this and a pattern is refused.
LONGEST = 100_000


@dataclass(frozen=True)
class Label:
    name: str


@dataclass(frozen=True)
class Anchor:
    """`^` or `$`"""

    word: str


@dataclass(frozen=True)
class Concatenation:
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Choice:
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Repeated:
    part: Any
    least: int
    most: int | None
    greedy: bool


@dataclass(frozen=True)
class Excluded:
    """`{- … -}`"""

    part: Any


class PatternRefused(Exception):
    """The pattern is no pattern."""


def names(node: Any) -> list[str]:
    """Labels of a pattern in the order of their first appearance."""
    if isinstance(node, Label):
        return [node.name]
    parts = (
        node.parts if isinstance(node, (Concatenation, Choice)) else [getattr(node, "part", None)]
    )
    found = [name for part in parts if part is not None for name in names(part)]
    return list(dict.fromkeys(found))


@dataclass
class _Tokens:
    """(text, is it a name) one after the other."""

    items: Sequence[tuple[str, bool]]
    at: int = 0

    def peek(self) -> tuple[str, bool]:
        return self.items[self.at] if self.at < len(self.items) else ("", False)

    def take(self, *words: str) -> bool:
        ahead = [text for text, _ in self.items[self.at : self.at + len(words)]]
        if ahead != list(words):
            return False
        self.at += len(words)
        return True

    def need(self, word: str) -> None:
        if not self.take(word):
            raise PatternRefused(f"mismatched input '{self.peek()[0] or ')'}'. Expecting: '{word}'")

    def number(self) -> int | None:
        text, is_name = self.peek()
        if is_name or not text.isdigit():
            return None
        self.at += 1
        return int(text)


def parsed(tokens: Sequence[tuple[str, bool]]) -> Any:
    """The tree of `A (B | C)+? {- D -} PERMUTE(E, F)`; tokens are (text, is it a name).

    Raises PatternRefused.
    """
    source = _Tokens(tokens)
    tree = _choice(source)
    if source.at != len(source.items):
        raise PatternRefused(f"mismatched input '{source.peek()[0]}'")
    return tree


def _choice(source: _Tokens) -> Any:
    parts = [_sequence(source)]
    while source.take("|"):
        parts.append(_sequence(source))
    return parts[0] if len(parts) == 1 else Choice(tuple(parts))


def _sequence(source: _Tokens) -> Any:
    parts = []
    while source.at < len(source.items) and source.peek()[0] not in ("|", ")", ",", "-"):
        parts.append(_quantified(source))
    if not parts:
        raise PatternRefused(f"mismatched input '{source.peek()[0] or ')'}'")
    return parts[0] if len(parts) == 1 else Concatenation(tuple(parts))


def _quantified(source: _Tokens) -> Any:
    part = _primary(source)
    least, most = 1, 1
    open_end: int | None = 1
    if source.take("*"):
        least, open_end = 0, None
    elif source.take("+"):
        least, open_end = 1, None
    elif source.take("?"):
        least, open_end = 0, most
    elif source.peek()[0] == "{" and source.items[source.at + 1][0] != "-":
        source.need("{")
        low = source.number()
        if source.take(","):
            least, open_end = low or 0, source.number()
        else:
            least = low or 0
            open_end = low
        source.need("}")
        if open_end is not None and (open_end < least or open_end == 0):
            raise PatternRefused("Pattern quantifier bounds are not in order")
    else:
        return part
    return Repeated(part, least, open_end, not source.take("?"))


def _primary(source: _Tokens) -> Any:
    text, is_name = source.peek()
    if source.take("("):
        if source.take(")"):
            return Concatenation(())
        inner = _choice(source)
        source.need(")")
        return inner
    if source.take("{", "-"):
        inner = _choice(source)
        source.need("-")
        source.need("}")
        return Excluded(inner)
    if text in ("^", "$") and not is_name:
        source.at += 1
        return Anchor(text)
    if is_name:
        source.at += 1
        if text == "PERMUTE" and source.take("("):
            return _permuted(source)
        return Label(text)
    raise PatternRefused(f"mismatched input '{text or ')'}'")


def _permuted(source: _Tokens) -> Any:
    parts = [_choice(source)]
    while source.take(","):
        parts.append(_choice(source))
    source.need(")")
    orders = itertools.permutations(parts)
    return Choice(tuple(Concatenation(order) for order in orders))


@dataclass
class _Program:
    label: Callable[[str], int]
    steps: list[Any] = field(default_factory=list)

    def add(self, *step: Any) -> int:
        if len(self.steps) >= LONGEST:
            raise PatternRefused("The pattern is too long")
        self.steps.append(list(step))
        return len(self.steps) - 1

    def compile(self, node: Any) -> None:
        if isinstance(node, Label):
            self.add("label", self.label(node.name))
        elif isinstance(node, Anchor):
            self.add("start" if node.word == "^" else "end")
        elif isinstance(node, Concatenation):
            for part in node.parts:
                self.compile(part)
        elif isinstance(node, Choice):
            self._choice(node.parts)
        elif isinstance(node, Excluded):
            self.add("exclude", True)
            self.compile(node.part)
            self.add("exclude", False)
        else:
            self._repeated(node)

    def _choice(self, parts: Sequence[Any]) -> None:
        ends = []
        for part in parts[:-1]:
            split = self.add("split", len(self.steps) + 1, None)
            self.compile(part)
            ends.append(self.add("jump", None))
            self.steps[split][2] = len(self.steps)
        self.compile(parts[-1])
        for end in ends:
            self.steps[end][1] = len(self.steps)

    def _repeated(self, node: Repeated) -> None:
        if node.most is None:
            self._loop(node)
            return
        for _ in range(node.least):
            self.compile(node.part)
        splits = []
        for _ in range(node.most - node.least):
            splits.append(self._split(node.greedy))
            self.compile(node.part)
        for split in splits:
            self._leave(split, node.greedy)

    def _loop(self, node: Repeated) -> None:
        """The way back stands at the loop's end, as Trino has it: after a turn that took no row
        the loop is left, before other turns are tried."""
        for _ in range(node.least - 1):
            self.compile(node.part)
        around = self._split(node.greedy) if node.least == 0 else None
        body = len(self.steps)
        self.compile(node.part)
        after = len(self.steps) + 1
        self.add("split", *((body, after) if node.greedy else (after, body)))
        if around is not None:
            self._leave(around, node.greedy)

    def _split(self, greedy: bool) -> int:
        after = len(self.steps) + 1
        return self.add("split", after, None) if greedy else self.add("split", None, after)

    def _leave(self, split: int, greedy: bool) -> None:
        self.steps[split][2 if greedy else 1] = len(self.steps)


def program(tree: Any, label: Callable[[str], int]) -> list[Any]:
    """Instructions of a pattern. Raises PatternRefused where it is too long."""
    made = _Program(label)
    made.compile(tree)
    made.add("done")
    return made.steps
