"""MATCH_RECOGNIZE and pattern windows as SQL around the matcher `athena_match`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from services.athena.dialect import comparison, row_patterns
from services.athena.dialect.expressions import ExpressionBinder
from services.athena.dialect.pattern_parsing import PatternClauses
from services.athena.dialect.pattern_scope import PatternScope, known_names
from services.athena.dialect.typed import Scope, Typed, text
from services.athena.row_pattern_matcher import Slot
from services.athena.trino_types import Type, duck_type


@dataclass
class BoundPattern:
    """A pattern whose conditions are bound; measures are added to `measures` while they are met."""

    prefix: str
    clauses: PatternClauses
    columns: Scope
    labels: dict[str, int]
    conditions: dict[str, tuple[PatternScope, str]]
    measures: PatternScope
    partition: str
    order: str
    program: list[Any]
    window: bool = False
    following: int | None = None
    bound_measures: dict[str, Typed] = field(default_factory=dict)


class PatternBinder(ExpressionBinder):
    """Adds row patterns to the binder of queries."""

    pattern_windows: dict[int, BoundPattern]

    def bind_pattern(
        self, node: Any, clauses: PatternClauses, columns: Scope, window: bool = False
    ) -> BoundPattern:
        """The pattern with its conditions; `node` has `partition_by` and `order`."""
        prefix = self.fresh("p")
        labels = {name: i for i, name in enumerate(row_patterns.names(clauses.pattern))}
        for subset, members in clauses.subsets.items():
            for member in members:
                if member not in labels:
                    raise self.refused(
                        node, f"subset element: {member} is not a primary pattern variable",
                        "INVALID_LABEL",
                    )  # fmt: skip
            if subset in labels:
                raise self.refused(node, f"union pattern variable name: {subset} is a duplicate of primary pattern variable name",
                                   "INVALID_LABEL")  # fmt: skip
        try:
            program = row_patterns.program(clauses.pattern, labels.__getitem__)
        except row_patterns.PatternRefused as error:
            raise self.refused(node, str(error), "NOT_SUPPORTED") from None
        partition, order = self._sorting(node, columns)
        bound = BoundPattern(
            prefix, clauses, columns, labels, {},
            PatternScope(prefix, columns, labels, clauses.subsets, in_window=window),
            partition, order, program, window,
        )  # fmt: skip
        if window:
            bound.following = self._following(node)
        for name, condition in clauses.define:
            self._define(bound, node, name, condition)
        return bound

    def _sorting(self, node: Any, columns: Scope) -> tuple[str, str]:
        keys = [self.bind(p, columns) for p in node.args.get("partition_by") or []]
        partition = ", ".join(comparison.key(k.sql, k.type) for k in keys)
        items = []
        order = node.args.get("order")
        for item in order.expressions if order is not None else []:
            value = self.bind(item.this, columns)
            direction = "DESC" if item.args.get("desc") else "ASC"
            nulls = "FIRST" if item.args.get("nulls_first") else "LAST"
            items.append(f"{comparison.key(value.sql, value.type)} {direction} NULLS {nulls}")
        return partition, ", ".join(items)

    def _following(self, node: Any) -> int | None:
        spec = node.args["spec"]
        start, end = spec.args.get("start"), spec.args.get("end")
        if start != "CURRENT ROW":
            raise self.refused(
                node, "Pattern recognition requires frame specified as BETWEEN CURRENT ROW AND ...",
                "INVALID_WINDOW_FRAME",
            )  # fmt: skip
        if end == "UNBOUNDED" or end == "UNBOUNDED FOLLOWING":
            return None
        if end == "CURRENT ROW":
            return 0
        bound = self.bind(end, Scope()) if not isinstance(end, str) else None
        if bound is None or not isinstance(bound.constant, int):
            raise self.unsupported(node, "a pattern's frame needs a literal number of rows")
        return bound.constant

    def _define(self, bound: BoundPattern, node: Any, name: str, condition: Any) -> None:
        if name not in bound.labels:
            raise self.refused(
                condition, f"defined variable: {name} is not a primary pattern variable",
                "INVALID_LABEL",
            )  # fmt: skip
        scope = PatternScope(
            bound.prefix, bound.columns, bound.labels, bound.clauses.subsets, name, bound.window
        )
        value = self._in_pattern(scope, condition)
        if value.type.name not in ("boolean", "unknown"):
            raise self.refused(
                condition,
                f"Expression defining a label must be boolean (actual type: {value.type})",
                "TYPE_MISMATCH",
            )
        bound.conditions[name] = (scope, value.sql)

    def _in_pattern(self, scope: PatternScope, node: Any) -> Typed:
        saved = (self.pattern, self.grouped, self.in_aggregate)
        self.pattern, self.grouped, self.in_aggregate = scope, None, False
        try:
            return self.bind(node, scope.columns)
        finally:
            self.pattern, self.grouped, self.in_aggregate = saved

    def measure(self, bound: BoundPattern, node: Any, name: str) -> Typed:
        """A measure's SQL over the columns `matched` gives; NULL in rows without a match."""
        key = name.lower()
        if key not in bound.bound_measures:
            value = self._in_pattern(bound.measures, node)
            sql = value.sql if value.sql != "NULL" else f"CAST(NULL AS {duck_type(value.type)})"
            if bound.window or bound.clauses.rows == "UNMATCHED":
                sql = f"(CASE WHEN {bound.prefix}_number IS NOT NULL THEN {sql} END)"
            bound.bound_measures[key] = Typed(sql, value.type)
        return bound.bound_measures[key]

    def window_measure(self, bound: BoundPattern, node: Any) -> Typed:
        """`measure OVER w`"""
        for value, name in bound.clauses.measures:
            if name.lower() == node.name.lower():
                return self.measure(bound, value, name)
        raise self.refused(
            node, f"Measure '{node.name}' is not defined in the corresponding window",
            "INVALID_WINDOW_MEASURE",
        )  # fmt: skip

    def window_aggregate(self, bound: BoundPattern, node: Any) -> Typed:
        """`sum(x) OVER w`: over the rows of the match that begins at this row."""
        value = self._in_pattern(bound.measures, node)
        if not value.sql.startswith(f"{bound.prefix}_a"):
            raise self.unsupported(node, "this function over a window with a pattern")
        return value

    # --- the SQL

    def matched(self, bound: BoundPattern, source: str) -> tuple[str, str]:
        """`WITH …` and what stands after FROM to get one row per output row of the match.

        `source` stands after FROM itself. Columns: `<p>_row`, `<p>_number` and what the measures
        use; the source's rows are `<p>_base`, with `<p>_rid`.
        """
        p = bound.prefix
        partition = f"dense_rank() OVER (ORDER BY {bound.partition})" if bound.partition else "1"
        sorted_by = ", ".join(x for x in (bound.partition, bound.order) if x)
        over = f"ORDER BY {sorted_by}" if sorted_by else ""
        base = (
            f"SELECT *, {partition} AS {p}_pid, row_number() OVER ({over}) AS {p}_rid FROM {source}"
        )
        rules, known, texts = self._rules(bound)
        conditions = f"SELECT * FROM {p}_base"
        lags = self._lags(bound)
        if lags:
            conditions = f"SELECT *, {', '.join(lags)} FROM {p}_base"
        per_partition = (
            f"SELECT min({p}_rid) AS {p}_first, list([{', '.join(known) or 'NULL'}] ORDER BY {p}_rid) AS {p}_known, "
            f"list([{', '.join(texts) or 'NULL'}] ORDER BY {p}_rid) AS {p}_texts "
            f"FROM ({conditions}) GROUP BY {p}_pid"
        )
        call = (
            f"athena_match({text(rules)}, CAST({p}_first AS BIGINT), CAST({p}_known AS BOOLEAN[][]), "
            f"CAST({p}_texts AS VARCHAR[][]))"
        )
        out = f"SELECT unnest({call}) AS {p}_o FROM ({per_partition})"
        with_ = f"WITH {p}_base AS MATERIALIZED ({base}), {p}_out AS ({out})"
        return with_, self._slots(bound)

    def _slots(self, bound: BoundPattern) -> str:
        """The output rows with every slot's columns beside them."""
        p, m = bound.prefix, bound.measures
        items = [f'{p}_o."row" AS {p}_row', f"{p}_o.number AS {p}_number", f"{p}_o.navs AS {p}_navs",
                 f"{p}_o.groups AS {p}_groups"]  # fmt: skip
        items += [f"{p}_o.names[{i + 1}] AS {p}_n{i}" for i in range(len(m.names))]
        sql = f"(SELECT {', '.join(items)} FROM {p}_out)"
        for i, columns in sorted(m.used.items()):
            picked = ", ".join(
                [f"{p}_rid AS {p}_b{i}_rid", *(f"{c} AS {p}_b{i}_{c}" for c in columns)]
            )
            sql += f" LEFT JOIN (SELECT {picked} FROM {p}_base) ON {p}_b{i}_rid = {p}_navs[{i + 1}]"
        if not m.aggregates:
            return sql
        values = [
            f"(SELECT {a.sql} FROM (SELECT unnest({p}_groups[{a.slot + 1}].k) AS _u_rid, "
            f"unnest({p}_groups[{a.slot + 1}].n) AS _u_name, {p}_number AS _u_number) "
            f"JOIN {p}_base ON {p}_rid = _u_rid) AS {p}_a{j}"
            for j, a in enumerate(m.aggregates)
        ]
        return f"(SELECT *, {', '.join(values)} FROM {sql})"

    def _lags(self, bound: BoundPattern) -> list[str]:
        """Columns of known conditions' slots: the row itself or one a fixed number away."""
        p = bound.prefix
        lags: dict[str, str] = {}
        for place, (scope, _) in enumerate(bound.conditions.values()):
            if not scope.is_known():
                continue
            for i, columns in scope.used.items():
                far = scope.rows[i].physical
                word = "lag" if far < 0 else "lead"
                over = f"OVER (PARTITION BY {p}_pid ORDER BY {p}_rid)"
                for column in [f"{p}_rid", *columns]:
                    name = f"{p}_b{i}_rid" if column == f"{p}_rid" else f"{p}_b{i}_{column}"
                    value = f"{word}({column}, {abs(far)}) {over}" if far else column
                    lags[_renamed(name, p, place)] = value
        return [f"{value} AS {name}" for name, value in lags.items()]

    def _rules(self, bound: BoundPattern) -> tuple[str, list[str], list[str]]:
        """(the matcher's rules as JSON, SQL of known conditions, SQL of columns as texts)"""
        p, clauses = bound.prefix, bound.clauses
        known: list[str] = []
        texts: list[str] = []
        rules: dict[str, Any] = {
            "program": bound.program,
            "labels": list(bound.labels),
            "known": {},
            "reach": {},
            "asked": {},
            "measures": [_slot(s) for s in (*bound.measures.rows, *bound.measures.names, *bound.measures.groups)],
            "skip": clauses.after[0],
            "skip_labels": self._skip_labels(bound),
            "all_rows": clauses.rows != "ONE",
            "omit_empty": clauses.rows == "OMIT",
            "unmatched": clauses.rows == "UNMATCHED",
            "window": bound.window,
            "seek": clauses.seek,
            "following": bound.following,
        }  # fmt: skip
        for place, (name, (scope, sql)) in enumerate(bound.conditions.items()):
            label = bound.labels[name]
            fixed = scope.is_known()
            if fixed:
                shown = sql
                for old, new in known_names(scope).items():
                    shown = shown.replace(old, new)
                rules["known"][label] = len(known)
                known.append(_renamed(shown, p, place))
                far = [slot.physical for slot in scope.rows]
                rules["reach"][label] = [min([0, *far]), max([0, *far])]
            if not fixed or (bound.window and any(slot.physical for slot in scope.rows)):
                rules["asked"][label] = self._asked(scope, sql, texts)
        return json.dumps(rules), known, texts

    def _skip_labels(self, bound: BoundPattern) -> list[int]:
        label = bound.clauses.after[1]
        if not label:
            return []
        members = bound.clauses.subsets.get(label, [label])
        if any(m not in bound.labels for m in members):
            raise self.refused(None, f"{label} is not a primary or union pattern variable",
                               "INVALID_LABEL")  # fmt: skip
        return [bound.labels[m] for m in members]

    def _asked(self, scope: PatternScope, sql: str, texts: list[str]) -> dict[str, Any]:
        """A condition that needs the match so far: its SQL runs on texts of the columns."""
        if "@@SCAN" in sql:
            raise self.unsupported(
                None, "a sub-query over a table in a DEFINE that depends on the match"
            )

        def place(column: str) -> int:
            shown = f"CAST({column} AS VARCHAR)"
            if shown not in texts:
                texts.append(shown)
            return texts.index(shown)

        rows = [
            [[place(c), f"{scope.prefix}_b{i}_{c}", duck_type(kind)] for c, kind in scope.used.get(i, {}).items()]
            for i in range(len(scope.rows))
        ]  # fmt: skip
        aggregates = [
            {"slot": a.slot, "sql": a.sql,
             "columns": [[place(c), c, duck_type(kind)] for c, kind in a.columns.items()]}
            for a in scope.aggregates
        ]  # fmt: skip
        return {"sql": sql, "prefix": scope.prefix, "rows": rows, "aggregates": aggregates,
                "slots": [_slot(s) for s in (*scope.rows, *scope.names, *scope.groups)]}  # fmt: skip


def _renamed(sql: str, prefix: str, place: int) -> str:
    """Slots of several conditions side by side need names of their own."""
    return sql.replace(f"{prefix}_b", f"{prefix}_d{place}b")


def _slot(slot: Slot) -> list[Any]:
    labels = None if slot.labels is None else sorted(slot.labels)
    return [slot.kind, labels, slot.first, slot.offset, slot.physical, slot.final]


def pattern_relation(b: Any, node: Any, scope: Scope) -> str:
    """`t MATCH_RECOGNIZE (…) AS m` as an item of FROM; its columns are added to `scope`."""
    clauses: PatternClauses = node.meta["clauses"]
    inner = Scope(parent=scope.parent)
    source = b._item(node.this, inner)
    bound: BoundPattern = b.bind_pattern(node, clauses, inner)
    p = bound.prefix
    columns: list[tuple[str, Type, bool]] = []
    items: list[str] = []
    taken: set[str] = set()
    all_rows = clauses.rows != "ONE"

    def given(name: str, value: Typed) -> None:
        columns.append((name, value.type, False))
        items.append(value.sql)
        taken.add(value.sql)

    order = node.args.get("order")
    keys = list(node.args.get("partition_by") or [])
    if all_rows and order is not None:
        keys += [item.this for item in order.expressions]
    for key in keys:
        given(key.name, b.bind(key, inner))
    for value_node, name in clauses.measures:
        value = b.measure(bound, value_node, name)
        columns.append((name, value.type, False))
        items.append(value.sql)
    if all_rows:
        for relation in inner.relations:
            for column in relation.columns:
                if not column.hidden and column.sql not in taken:
                    given(column.name, Typed(column.sql, column.type))
    if not items:
        raise b.refused(node, "MATCH_RECOGNIZE gives no column: it needs PARTITION BY or MEASURES",
                        "SYNTAX_ERROR")  # fmt: skip
    with_, slots = b.matched(bound, source)
    names = b._add(scope, node.args.get("alias"), None, columns)
    shown = ", ".join(f"{item} AS {name}" for item, name in zip(items, names, strict=True))
    sql = f"{with_} SELECT {shown} FROM {slots} JOIN {p}_base ON {p}_rid = {p}_row"
    return f"({sql}) AS {b.fresh('r')}({', '.join(names)})"


def pattern_source(b: Any, bound: BoundPattern, source: str) -> str:
    """A SELECT's rows (`source` stands after FROM) with the columns of a pattern window beside them."""
    with_, slots = b.matched(bound, source)
    return f"({with_} SELECT * FROM {bound.prefix}_base JOIN {slots} ON {bound.prefix}_rid = {bound.prefix}_row)"
