"""Expressions of row patterns: navigation, CLASSIFIER, MATCH_NUMBER and aggregates over labels.

An expression becomes SQL over *slots*: `<prefix>_b0_c_5` is column `c_5` of the row slot 0 leads
to, `<prefix>_n0` the label of name slot 0, `<prefix>_a0` an aggregate, `<prefix>_number` the match's
number. Who evaluates it supplies those columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect.functions import AGGREGATES
from services.athena.dialect.pattern_parsing import label_name
from services.athena.dialect.typed import Scope, Typed, text
from services.athena.row_pattern_matcher import Slot
from services.athena.trino_types import Type

_NAVIGATION = ("first", "last", "prev", "next")


@dataclass
class Aggregated:
    """An aggregate over a `rows` slot: `sql` over base columns, `_u_name` and `_u_number`."""

    slot: int
    sql: str
    columns: dict[str, Type]


@dataclass
class _Navigation:
    """What is known inside `PREV(LAST(…))`; `labels` is learned from the first reference."""

    first: bool = False
    offset: int = 0
    physical: int = 0
    final: bool = False
    label: str | None = None
    seen: bool = False


@dataclass
class PatternScope:
    """The names of one pattern while its expressions are bound."""

    prefix: str
    columns: Scope
    labels: dict[str, int]
    subsets: dict[str, list[str]]
    #: The label whose condition is bound; None for measures.
    defining: str | None = None
    #: MATCH_NUMBER is not for windows.
    in_window: bool = False
    rows: list[Slot] = field(default_factory=list)
    names: list[Slot] = field(default_factory=list)
    groups: list[Slot] = field(default_factory=list)
    used: dict[int, dict[str, Type]] = field(default_factory=dict)
    aggregates: list[Aggregated] = field(default_factory=list)
    numbered: bool = False
    _navigation: _Navigation | None = None
    _aggregate: dict[str, Any] | None = None

    # --- the hook

    def bind(self, b: Any, node: Any, scope: Scope) -> Typed | None:
        """The node's SQL over slots; None where it is an ordinary expression."""
        if isinstance(node, (exp.Column, exp.Dot, exp.Identifier)):
            return self._column(b, node, scope)
        if isinstance(node, (exp.Subquery, exp.Select, exp.Exists)):
            return self._query(b, node)
        if isinstance(node, exp.Window):
            raise b.refused(node, "Cannot nest window functions inside row pattern recognition",
                            "NESTED_WINDOW")  # fmt: skip
        if isinstance(node, exp.GroupConcat):
            return self._aggregated(b, node, "listagg", scope)
        if not isinstance(node, exp.Anonymous):
            return None
        name = str(node.this).lower()
        if name in _NAVIGATION:
            return self._navigated(b, node, name, scope)
        if name == "classifier":
            return self._classifier(b, node)
        if name == "match_number":
            return self._number(b, node)
        return self._aggregated(b, node, name, scope) if name in AGGREGATES else None

    # --- references

    def _column(self, b: Any, node: Any, scope: Scope) -> Typed | None:
        parts = _parts(node)
        if not parts:
            return None
        if parts[0].name.lower() in scope.lambdas:
            return None
        label = label_name(parts[0]) if len(parts) > 1 else None
        if label is not None and (label in self.labels or label in self.subsets):
            parts = parts[1:]
        else:
            label = None
        for count in range(len(parts), 0, -1):  # fields of a row come after
            found = b.resolve([p.name.lower() for p in parts[:count]], self.columns)
            if found is not None:
                value = self._leaf(b, node, found, label)
                fields = b._fields(value, [p.name for p in parts[count:]])
                if fields is not None:
                    return fields  # type: ignore[no-any-return]
        shown = ".".join(p.name for p in parts)
        raise b.column_missing(node, shown)

    def _leaf(self, b: Any, node: Any, found: Typed, label: str | None) -> Typed:
        if self._aggregate is not None:
            self._same_label(b, node, label)
            self._aggregate["columns"][found.sql] = found.type
            return found
        navigation = self._reference(b, node, label)
        slot = self._slot(self.rows, self._made("row", navigation))
        self.used.setdefault(slot, {})[found.sql] = found.type
        return Typed(f"{self.prefix}_b{slot}_{found.sql}", found.type)

    def _reference(self, b: Any, node: Any, label: str | None) -> _Navigation:
        navigation = self._navigation
        if navigation is None:
            return _Navigation(label=label)
        if navigation.seen and navigation.label != label:
            raise b.refused(
                node, "All labels and classifiers inside the call to navigation function must match",
                "INVALID_ARGUMENTS",
            )  # fmt: skip
        navigation.seen, navigation.label = True, label
        return navigation

    def _same_label(self, b: Any, node: Any, label: str | None) -> None:
        assert self._aggregate is not None
        if self._aggregate["seen"] and self._aggregate["label"] != label:
            raise b.refused(
                node, "All labels and classifiers inside the call to aggregate function must match",
                "INVALID_ARGUMENTS",
            )  # fmt: skip
        self._aggregate["seen"], self._aggregate["label"] = True, label

    def _made(self, kind: str, n: _Navigation) -> Slot:
        return Slot(kind, self._members(n.label), n.first, n.offset, n.physical, n.final)

    def _members(self, label: str | None) -> frozenset[int] | None:
        if label is None:
            return None
        return frozenset(self.labels[name] for name in self.subsets.get(label, [label]))

    @staticmethod
    def _slot(slots: list[Slot], slot: Slot) -> int:
        if slot not in slots:
            slots.append(slot)
        return slots.index(slot)

    # --- functions of patterns

    def _classifier(self, b: Any, node: Any) -> Typed:
        label = None
        if node.expressions:
            parts = _parts(node.expressions[0])
            label = label_name(parts[0]) if len(parts) == 1 else None
            if label is None or (label not in self.labels and label not in self.subsets):
                shown = node.expressions[0].sql("trino")
                raise b.refused(node, f"{shown} is not a primary pattern variable or subset name",
                                "INVALID_FUNCTION_ARGUMENT")  # fmt: skip
        if node._meta and node._meta.get("frame"):
            raise b.refused(
                node,
                f"{node.meta['frame']} semantics is not supported with classifier pattern recognition function",
                "INVALID_PROCESSING_MODE",
            )
        if self._aggregate is not None:
            self._same_label(b, node, label)
            return Typed("_u_name", t.VARCHAR)
        slot = self._slot(self.names, self._made("name", self._reference(b, node, label)))
        return Typed(f"{self.prefix}_n{slot}", t.VARCHAR)

    def _number(self, b: Any, node: Any) -> Typed:
        if self.in_window:
            raise b.refused(node, "MATCH_NUMBER function is not supported in window",
                            "INVALID_PATTERN_RECOGNITION_FUNCTION")  # fmt: skip
        if self._aggregate is not None:
            return Typed("_u_number", t.BIGINT)
        self.numbered = True
        return Typed(f"{self.prefix}_number", t.BIGINT)

    def _navigated(self, b: Any, node: Any, name: str, scope: Scope) -> Typed:
        if self._aggregate is not None:
            raise b.refused(node, f"Cannot nest {name} pattern navigation function inside aggregation",
                            "NESTED_ROW_PATTERN_FUNCTION")  # fmt: skip
        arguments = node.expressions
        if not 1 <= len(arguments) <= 2:
            raise b.refused(
                node, f"{name} pattern recognition function requires 1 or 2 arguments",
                "INVALID_FUNCTION_ARGUMENT",
            )  # fmt: skip
        physical = name in ("prev", "next")
        offset = self._offset(b, node, name, arguments, 1 if physical else 0)
        outer = self._navigation
        if outer is not None and (physical or outer.first is not False or outer.seen):
            raise b.refused(node, f"Cannot nest {name} pattern navigation function inside "
                            "pattern navigation function", "NESTED_ROW_PATTERN_FUNCTION")  # fmt: skip
        inner = outer or _Navigation()
        if physical:
            inner.physical = -offset if name == "prev" else offset
        else:
            inner.first, inner.offset = name == "first", offset
            inner.final = (node._meta or {}).get("frame") == "FINAL"
        if inner.final and self.defining is not None:
            raise b.refused(node, "FINAL semantics is not supported in DEFINE clause",
                            "INVALID_PROCESSING_MODE")  # fmt: skip
        if outer is not None:  # LAST directly below PREV: one navigation
            return b.bind(arguments[0], scope)  # type: ignore[no-any-return]
        self._navigation = inner
        try:
            value = b.bind(arguments[0], scope)
        finally:
            self._navigation = None
        if not inner.seen:
            raise b.refused(
                node,
                f"Pattern navigation function '{name.upper()}' must contain at least one column reference or CLASSIFIER()",
                "INVALID_ARGUMENTS",
            )
        slot = self._slot(self.rows, self._made("row", inner))
        self.used.setdefault(slot, {})
        if _is_leaf(value.sql, self.prefix):
            return value  # type: ignore[no-any-return]
        return Typed(
            f"(CASE WHEN {self.prefix}_b{slot}_rid IS NOT NULL THEN {value.sql} END)", value.type
        )

    def _offset(self, b: Any, node: Any, name: str, arguments: list[Any], default: int) -> int:
        if len(arguments) < 2:
            return default
        given = arguments[1]
        if not isinstance(given, exp.Literal) or given.is_string or not given.this.isdigit():
            raise b.refused(node, f"{name} pattern recognition function requires a number as the second argument",
                            "INVALID_FUNCTION_ARGUMENT")  # fmt: skip
        return int(given.this)

    # --- aggregates

    def _aggregated(self, b: Any, node: Any, name: str, scope: Scope) -> Typed:
        if self._navigation is not None:
            raise b.refused(node, f"Cannot nest {name} aggregate function inside pattern navigation function",
                            "NESTED_AGGREGATION")  # fmt: skip
        frame = (node._meta or {}).get("frame")
        if frame == "FINAL" and self.defining is not None:
            raise b.refused(node, "FINAL semantics is not supported in DEFINE clause",
                            "INVALID_PROCESSING_MODE")  # fmt: skip
        if self._aggregate is not None:
            raise b.refused(node, f"Cannot nest aggregations inside aggregation '{name}'",
                            "NESTED_AGGREGATION")  # fmt: skip
        self._aggregate = {"label": None, "seen": False, "columns": {}}
        try:
            if isinstance(node, exp.GroupConcat):
                value = b.list_aggregation(node, scope)
            else:
                arguments = [self._counted(a) for a in node.expressions]
                value = b._aggregate(name, [a for a in arguments if a is not None], node, scope, "",
                                     " ORDER BY _u_rid")  # fmt: skip
            label, columns = self._aggregate["label"], self._aggregate["columns"]
        finally:
            self._aggregate = None
        slot = self._slot(self.groups, Slot("rows", self._members(label), final=frame == "FINAL"))
        self.aggregates.append(Aggregated(slot, value.sql, columns))
        return Typed(f"{self.prefix}_a{len(self.aggregates) - 1}", value.type)

    def _counted(self, argument: Any) -> Any:
        """`count(A.*)` counts the rows of a label."""
        assert self._aggregate is not None
        if isinstance(argument, exp.Column) and isinstance(argument.this, exp.Star):
            self._aggregate["label"] = label_name(argument.args["table"])
            self._aggregate["seen"] = True
            return None
        return argument

    # --- queries inside

    def _query(self, b: Any, node: Any) -> Typed:
        """A sub-query sees neither the pattern nor its rows."""
        b.pattern = None
        try:
            return b.bind(node, Scope(parent=self.columns.parent))  # type: ignore[no-any-return]
        finally:
            b.pattern = self

    # --- is it known before the match?

    def is_known(self) -> bool:
        """Does a condition depend on the row's place in the partition alone?"""
        if self.numbered or self.aggregates:
            return False
        own = {self.labels[self.defining]} if self.defining is not None else set()

        def here(slot: Slot) -> bool:
            return (
                (slot.labels is None or own <= slot.labels) and not slot.first and not slot.offset
            )

        return all(map(here, self.rows)) and all(
            here(slot) and not slot.physical for slot in self.names
        )


def known_names(scope: PatternScope) -> dict[str, str]:
    """CLASSIFIER() in a known condition is the label itself."""
    label = text(scope.defining or "")
    return {f"{scope.prefix}_n{i}": label for i in range(len(scope.names))}


def _parts(node: Any) -> list[Any]:
    if isinstance(node, exp.Column):
        return [] if isinstance(node.this, exp.Star) else list(node.parts)
    if isinstance(node, exp.Identifier):
        return [node]
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        before = _parts(node.this)
        return [*before, node.expression] if before else []
    return []


def _is_leaf(sql: str, prefix: str) -> bool:
    return sql.startswith(prefix + "_") and sql.replace("_", "").isalnum()
