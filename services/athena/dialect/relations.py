"""FROM: tables, joins, UNNEST, LATERAL, VALUES, sub-queries; and what WHERE says of partitions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect import coercion, comparison
from services.athena.dialect.expressions import ExpressionBinder
from services.athena.dialect.pattern_parsing import RowPattern
from services.athena.dialect.pattern_queries import pattern_relation
from services.athena.dialect.typed import OutputColumn, Query, Relation, Scope, ScopeColumn, Typed
from services.athena.trino_types import Type

_ITEM_PARTS = frozenset({
    "this", "db", "catalog", "alias", "joins", "sample", "expressions", "offset", "order", "limit",
    "with_", "view", "outer", "ordinality", "laterals", "partition_by", "version",
})  # fmt: skip
_COLUMN_NAME = re.compile(r"\bc_\d+\b")


@dataclass
class TableScan:
    """A table in FROM whose files are found after the whole statement is bound.

    `placeholder` stands in the SQL; `columns` its unique column names by catalog name, in order.
    `conjuncts` are conditions on partition columns only; `allowed` the values of `=` and IN.
    """

    placeholder: str
    table: Any
    columns: dict[str, str]
    partition_columns: dict[str, str]
    conjuncts: list[str] = field(default_factory=list)
    allowed: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class TableSource:
    """What a table name stands for: a table with files, or a query (view, information_schema)."""

    columns: list[tuple[str, Type, bool]]  # name, type, is it a partition column
    table: Any = None
    query: Query | None = None
    database: str | None = None


class RelationBinder(ExpressionBinder):
    """`tables` finds a table by the parts of its name; raises TABLE_NOT_FOUND."""

    def __init__(
        self,
        tables: Callable[[Any, list[str], RelationBinder], TableSource],
        parameters: Sequence[str] = (),
        now: float = 0.0,
    ) -> None:
        super().__init__(parameters, now)
        self._tables = tables
        self.ctes: dict[str, tuple[str, list[OutputColumn]]] = {}
        self.windows: dict[str, Any] = {}
        self.pattern_windows: dict[int, Any] = {}
        self.scans: list[TableScan] = []

    def query(self, node: Any, outer: Scope | None = None) -> Query:
        raise NotImplementedError

    def from_clause(self, node: exp.Select, scope: Scope) -> str:
        """` FROM …` with the relations put into `scope`; empty without FROM."""
        from_ = node.args.get("from_") or node.args.get("from")
        if from_ is None:
            return ""
        sql = self._item(from_.this, scope)
        for join in node.args.get("joins") or []:
            sql = self._join(sql, join, scope)
        for lateral in node.args.get("laterals") or []:
            sql += f" CROSS JOIN {self._item(lateral, scope)}"
        return f" FROM {sql}"

    # --- one item

    def _item(self, node: Any, scope: Scope) -> str:
        self.check_parts(node, _ITEM_PARTS)
        joins = node.args.get("joins") or []
        sample = node.args.get("sample")
        if isinstance(node, exp.Table):
            sql = self._table(node, scope)
        elif isinstance(node, exp.Subquery):
            sql = self._derived(node, scope)
        elif isinstance(node, exp.Values):
            sql = self._values_item(node, scope)
        elif isinstance(node, exp.Unnest):
            sql = self._unnest(node, scope)
        elif isinstance(node, exp.Lateral):
            sql = self._lateral(node, scope)
        elif isinstance(node, RowPattern):
            sql = pattern_relation(self, node, scope)
        elif isinstance(node, exp.Paren):
            return self._item(node.this, scope)
        else:
            raise self.unsupported(node, f"{type(node).__name__} in FROM")
        if sample is not None:
            sql = self._sampled(sql, sample)
        for join in joins:
            sql = self._join(sql, join, scope)
        return f"({sql})" if joins else sql

    def _sampled(self, sql: str, sample: Any) -> str:
        percent = sample.args.get("percent") or sample.args.get("size")
        share = self.bind(percent, Scope()).sql
        names = self._last_names
        return f"(SELECT * FROM {sql} WHERE random() * 100 < {share}) AS {self.fresh('r')}({', '.join(names)})"

    _last_names: Sequence[str] = ()

    def _add(
        self, scope: Scope, alias: Any, name: str | None, columns: Sequence[tuple[str, Type, bool]],
        database: str | None = None, unique: Sequence[str] | None = None,
    ) -> list[str]:  # fmt: skip
        """A new relation in scope; returns its unique column names."""
        given = [c.name for c in (alias.args.get("columns") or [])] if alias is not None else []
        shown = alias.name if alias is not None and alias.this is not None else name
        visible = [place for place, c in enumerate(columns) if not c[2]]
        if given and len(given) != len(visible):
            raise self.refused(
                alias,
                f"Column alias list has {len(given)} entries but '{shown}' has {len(visible)} columns available",
                "MISMATCHED_COLUMN_ALIASES",
            )
        renamed = dict(zip(visible, given, strict=True)) if given else {}
        names = list(unique) if unique else [self.fresh("c_") for _ in columns]
        entries = [
            ScopeColumn(renamed.get(place, c[0]), c[1], names[place], c[2])
            for place, c in enumerate(columns)
        ]
        scope.relations.append(
            Relation(
                shown, entries, None if alias is not None and alias.this is not None else database
            )
        )
        self._last_names = names
        return names

    def _table(self, node: exp.Table, scope: Scope) -> str:
        if isinstance(node.this, (exp.Anonymous, exp.Func)):
            return self._table_function(node, scope)
        parts = [p.name.lower() for p in node.parts]
        alias = node.args.get("alias")
        if len(parts) == 1 and parts[0] in self.ctes:
            if node.args.get("version") is not None:
                raise self.unsupported(node, "FOR … AS OF of a WITH query")
            name, outputs = self.ctes[parts[0]]
            names = self._add(scope, alias, parts[0], [(c.name, c.type, c.hidden) for c in outputs])
            return f"{name} AS {self.fresh('r')}({', '.join(names)})"
        source = self._tables(node, parts, self)
        columns = [(name, kind, name.startswith("$")) for name, kind, _ in source.columns]
        names = self._add(scope, alias, parts[-1], columns, source.database)
        if source.query is not None:
            return f"({source.query.sql}) AS {self.fresh('r')}({', '.join(names)})"
        return self._scan(source, columns, names)

    def _scan(
        self, source: TableSource, columns: Sequence[tuple[str, Type, bool]], names: Sequence[str]
    ) -> str:
        placeholder = f"@@SCAN{len(self.scans)}@@"
        partitions = {c[0]: n for c, n in zip(source.columns, names, strict=True) if c[2]}
        scan = TableScan(
            placeholder,
            source.table,
            {c[0]: n for c, n in zip(columns, names, strict=True)},
            partitions,
        )
        self.scans.append(scan)
        return f"({placeholder}) AS {self.fresh('r')}({', '.join(names)})"

    def _table_function(self, node: exp.Table, scope: Scope) -> str:
        call = node.this
        name = (
            str(call.this).lower()
            if isinstance(call, exp.Anonymous)
            else type(call).__name__.lower()
        )
        if name == "sequence":
            items = [
                self.bind(
                    a.expression if isinstance(a, (exp.EQ, exp.Kwarg, exp.PropertyEQ)) else a, scope
                )
                for a in call.expressions
            ]
            start, stop = items[0].sql, items[1].sql
            step = items[2].sql if len(items) > 2 else "1"
            names = self._add(
                scope, node.args.get("alias"), "sequence", [("sequential_number", t.BIGINT, False)]
            )
            return f"(SELECT unnest(generate_series(CAST({start} AS BIGINT), CAST({stop} AS BIGINT), CAST({step} AS BIGINT)))) AS {self.fresh('r')}({names[0]})"
        raise self.refused(node, f"Table function '{name}' not registered", "FUNCTION_NOT_FOUND")

    def _derived(self, node: exp.Subquery, scope: Scope) -> str:
        alias = node.args.get("alias")
        if isinstance(node.this, exp.Table) and not any(
            node.args.get(k) for k in ("order", "limit")
        ):
            inner_scope = Scope(parent=scope.parent)
            sql = self._item(node.this, inner_scope)
            if alias is None:
                scope.relations += inner_scope.relations
                return f"({sql})" if " JOIN " in sql else sql
        query = self.query(
            exp.Subquery(
                this=node.this,
                **{k: node.args.get(k) for k in ("order", "limit", "offset", "with_")},
            ),
            scope.parent,
        )
        columns = [(c.name, c.type, False) for c in query.columns]
        names = self._add(scope, alias, None, columns)
        return f"({query.sql}) AS {self.fresh('r')}({', '.join(names)})"

    def _lateral(self, node: exp.Lateral, scope: Scope) -> str:
        inner = Scope(list(scope.relations), scope.parent, merged=dict(scope.merged))
        body = node.this
        query = self.query(body, inner)
        columns = [(c.name, c.type, False) for c in query.columns]
        names = self._add(scope, node.args.get("alias"), None, columns)
        outside = {c.sql for r in inner.relations for c in r.columns}
        word = "LATERAL " if outside & set(_COLUMN_NAME.findall(query.sql)) else ""
        return f"{word}({query.sql}) AS {self.fresh('r')}({', '.join(names)})"

    def _values_item(self, node: exp.Values, scope: Scope) -> str:
        kinds, sql = self.values(node, Scope(parent=scope.parent))
        columns = [(f"_col{i}", kind, False) for i, kind in enumerate(kinds)]
        names = self._add(scope, node.args.get("alias"), None, columns)
        return f"({sql}) AS {self.fresh('r')}({', '.join(names)})"

    def values(self, node: exp.Values, scope: Scope) -> tuple[list[Type], str]:
        """(column types, `VALUES …`)"""
        rows = [self._value_row(item, scope) for item in node.expressions]
        width = len(rows[0])
        if any(len(row) != width for row in rows):
            other = next(len(row) for row in rows if len(row) != width)
            raise self.refused(
                node, f"Values rows have mismatched sizes: {width} vs {other}", "TYPE_MISMATCH"
            )
        columns = [self.unify(column, node, "Values rows") for column in zip(*rows, strict=True)]
        kinds = [column[0].type for column in columns]
        listed = [
            "("
            + ", ".join(
                f"CAST({v.sql} AS {t.duck_type(v.type)})" if v.sql == "NULL" else v.sql for v in row
            )
            + ")"
            for row in zip(*columns, strict=True)
        ]
        return kinds, f"VALUES {', '.join(listed)}"

    def _value_row(self, item: Any, scope: Scope) -> list[Typed]:
        if isinstance(item, exp.Tuple):
            nodes = item.expressions
            if len(nodes) == 1:
                inner = nodes[0]
                if isinstance(inner, exp.Anonymous) and str(inner.this).upper() == "ROW":
                    nodes = inner.expressions
                elif isinstance(inner, exp.Cast):
                    return self._spread(self.bind(inner, scope))
            return [self.bind(n, scope) for n in nodes]
        return self._spread(self.bind(item, scope))

    @staticmethod
    def _spread(value: Typed) -> list[Typed]:
        """A row stands for its fields."""
        if value.type.name != "row":
            return [value]
        names = t.struct_names(value.type)
        return [Typed(f"({value.sql}).{n}", k) for n, k in zip(names, value.type.args, strict=True)]

    # --- UNNEST

    def _unnest(self, node: exp.Unnest, scope: Scope) -> str:
        inner = Scope(list(scope.relations), scope.parent, merged=dict(scope.merged))
        values = [self.bind(e, inner) for e in node.expressions]
        picks: list[str] = []
        outer: list[str] = []
        columns: list[tuple[str, Type, bool]] = []
        sizes = []
        for value in values:
            column = self.fresh("u")
            if value.type.name == "map":
                picks.append(f"unnest(map_entries({value.sql})) AS {column}")
                sizes.append(f"coalesce(cardinality({value.sql}), 0)")
                outer += [f"{column}.key", f"{column}.value"]
                columns += [("", value.type.args[0], False), ("", value.type.args[1], False)]
            elif value.type.name == "array":
                picks.append(f"unnest({value.sql}) AS {column}")
                sizes.append(f"coalesce(len({value.sql}), 0)")
                element = value.type.args[0]
                if element.name == "row":
                    outer += [f"({column}).{n}" for n in t.struct_names(element)]
                    columns += [
                        (n or "", k, False)
                        for n, k in zip(element.fields, element.args, strict=True)
                    ]
                else:
                    outer.append(column)
                    columns.append(("", element, False))
            elif value.type.name == "unknown":
                raise self.refused(node, "Cannot unnest type: unknown", "INVALID_FUNCTION_ARGUMENT")
            else:
                raise self.refused(
                    node, f"Cannot unnest type: {value.type}", "INVALID_FUNCTION_ARGUMENT"
                )
        alias = node.args.get("alias")
        if node.args.get("offset"):
            column = self.fresh("u")
            longest = f"greatest({', '.join(sizes)})" if len(sizes) > 1 else sizes[0]
            picks.append(f"unnest(range(1, CAST({longest} AS BIGINT) + 1)) AS {column}")
            outer.append(column)
            columns.append(("ordinality", t.BIGINT, False))
            alias = _with_offset(alias, node.args["offset"])
        columns = [
            (name or f"_col{i}", kind, hidden) for i, (name, kind, hidden) in enumerate(columns)
        ]
        names = self._add(scope, alias, None, columns)
        return f"LATERAL (SELECT {', '.join(outer)} FROM (SELECT {', '.join(picks)})) AS {self.fresh('r')}({', '.join(names)})"

    # --- joins

    def _join(self, left_sql: str, join: exp.Join, scope: Scope) -> str:
        before = len(scope.relations)
        right = join.this
        right_sql = self._item(right, scope)
        left_relations, right_relations = scope.relations[:before], scope.relations[before:]
        side, kind = (join.side or "").upper(), (join.kind or "").upper()
        word = f"{side} JOIN" if side else "JOIN"
        if kind == "CROSS" or (
            not join.args.get("on") and not join.args.get("using") and not join.method
        ):
            return f"{left_sql} CROSS JOIN {right_sql}"
        if isinstance(right, exp.Unnest):
            self._check_unnest_join(join, side)
        if join.args.get("using") or (join.method or "").upper() == "NATURAL":
            condition = self._using(join, left_relations, right_relations, side, scope)
        else:
            condition = self._on(join, scope, side)
        self._null_supplied(left_relations, right_relations, side)
        return f"{left_sql} {word} {right_sql} ON {condition}"

    def _check_unnest_join(self, join: exp.Join, side: str) -> None:
        """A joined UNNEST is refused any condition but ON TRUE."""
        on = join.args.get("on")
        if isinstance(on, exp.Boolean) and on.this:
            return
        raise self.refused(
            on if on is not None else join,
            f"{side or 'INNER'} JOIN involving UNNEST is only supported with condition ON TRUE",
            "NOT_SUPPORTED",
        )

    def _on(self, join: exp.Join, scope: Scope, side: str) -> str:
        parts = self.conjuncts(join.args["on"], scope, prune=not side)
        return "(" + " AND ".join(parts) + ")"

    def _null_supplied(
        self, left: Sequence[Relation], right: Sequence[Relation], side: str
    ) -> None:
        """Conditions in WHERE must not prune a side that an outer join fills with NULLs."""
        sides = {"LEFT": [right], "RIGHT": [left], "FULL": [left, right]}.get(side, [])
        names = {c.sql for relations in sides for r in relations for c in r.columns}
        for scan in self.scans:
            scan.partition_columns = {
                k: v for k, v in scan.partition_columns.items() if v not in names
            }

    def _using(
        self,
        join: exp.Join,
        left: Sequence[Relation],
        right: Sequence[Relation],
        side: str,
        scope: Scope,
    ) -> str:
        names = [u.name.lower() for u in join.args.get("using") or []]
        if not names:
            theirs = [c.name.lower() for r in right for c in r.columns if not c.hidden]
            ours = {c.name.lower() for r in left for c in r.columns if not c.hidden}
            names = [n for n in dict.fromkeys(theirs) if n in ours]
        tests = []
        for name in names:
            a = self._one(join, left, name, scope, merged=True)
            b = self._one(join, right, name, scope)
            x, y = self.unify([Typed(a.sql, a.type), Typed(b.sql, b.type)], join)
            tests.append(comparison.equal(x.sql, y.sql, x.type))
            sql = {"FULL": f"coalesce({x.sql}, {y.sql})", "RIGHT": y.sql}.get(side, x.sql)
            scope.merged[name] = ScopeColumn(a.name, x.type, sql)
        return "(" + " AND ".join(tests) + ")" if tests else "true"

    def _one(
        self,
        join: Any,
        relations: Sequence[Relation],
        name: str,
        scope: Scope,
        merged: bool = False,
    ) -> ScopeColumn:
        if merged and name in scope.merged:
            return scope.merged[name]
        found = [c for r in relations for c in r.columns if c.name.lower() == name]
        if not found:
            side = "left" if merged else "right"
            raise self.refused(
                next((u for u in join.args.get("using") or [] if u.name.lower() == name), join),
                f"Column '{name}' is missing from {side} side of join",
                "COLUMN_NOT_FOUND",
            )
        return found[0]

    # --- WHERE, and what it says of partitions

    def conjuncts(self, node: Any, scope: Scope, prune: bool = True) -> list[str]:
        """The parts of an AND, each bound; those on partition columns prune the scans."""
        parts, stack = [], [node]
        while stack:
            current = stack.pop()
            if isinstance(current, exp.And):
                stack += [current.expression, current.this]
            elif isinstance(current, exp.Paren) and isinstance(current.this, exp.And):
                stack.append(current.this)
            else:
                parts.append(current)
        bound = []
        for part in parts:
            value = self.bind(part, scope)
            if value.type.name not in ("boolean", "unknown"):
                raise self.refused(
                    part,
                    f"WHERE clause must evaluate to a boolean: actual type {value.type}",
                    "TYPE_MISMATCH",
                )
            sql = coercion.coerced(value, t.BOOLEAN).sql
            bound.append(sql)
            if prune:
                self._prune(part, sql, scope)
        return bound

    def _prune(self, node: Any, sql: str, scope: Scope) -> None:
        names = set(_COLUMN_NAME.findall(sql))
        if not names or "@@" in sql or "SELECT" in sql or "random" in sql:
            return
        for scan in self.scans:
            if names <= set(scan.partition_columns.values()):
                scan.conjuncts.append(sql)
                self._note_values(node, scan, scope)

    def _note_values(self, node: Any, scan: TableScan, scope: Scope) -> None:
        """`column = 'x'` and `column IN ('x', 'y')`."""
        if isinstance(node, exp.EQ):
            sides = [node.this, node.expression]
            items = [sides[1]] if isinstance(sides[0], exp.Column) else [sides[0]]
            column = sides[0] if isinstance(sides[0], exp.Column) else sides[1]
        elif isinstance(node, exp.In) and node.expressions:
            column, items = node.this, node.expressions
        else:
            return
        if not isinstance(column, exp.Column) or not all(isinstance(i, exp.Literal) for i in items):
            return
        bound = self.bind(column, scope)
        for name, unique in scan.partition_columns.items():
            if unique == bound.sql:
                values = frozenset(str(i.this) for i in items)
                scan.allowed[name] = scan.allowed.get(name, values) & values


def _with_offset(alias: Any, offset: Any) -> Any:
    """sqlglot takes the last column alias for the ordinality: put it back."""
    if not isinstance(offset, exp.Identifier) or alias is None:
        return alias
    columns = [*(alias.args.get("columns") or []), offset]
    return exp.TableAlias(this=alias.this, columns=columns)
