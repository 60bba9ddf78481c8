"""The select list: expressions, stars, rows spread out."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from services.athena import trino_types as t
from services.athena.dialect.expressions import canonical
from services.athena.dialect.grouping import GroupingBinder, SelectState
from services.athena.dialect.typed import Scope, ScopeColumn, Typed


class SelectListBinder(GroupingBinder):
    """What a SELECT gives out, in order."""

    def _output_list(self, state: SelectState) -> None:
        for item in state.node.expressions:
            if isinstance(item, exp.Star):
                self._star(item, state, None)
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                self._star(item.this, state, item)
            elif isinstance(item, exp.Dot) and isinstance(item.expression, exp.Star):
                self._row_star(item, state)
            elif isinstance(item, exp.Aliases):
                self._aliased_star(item, state)
            else:
                self._output(item, state)

    def _star(self, star: exp.Star, state: SelectState, qualifier: Any) -> None:
        excluded = {c.name.lower() for c in star.args.get("except_") or []}
        relations = state.scope.relations
        if qualifier is not None:
            names = [p.name.lower() for p in qualifier.parts[:-1]]
            relations = self._named_relations(names, state.scope)
            if not relations:
                row = self.resolve(names, state.scope)
                if row is None or row.type.name != "row":
                    raise self.refused(
                        qualifier,
                        f"Unable to resolve reference {'.'.join(names)}",
                        "TABLE_NOT_FOUND",
                    )
                self._row_outputs(row, state)
                return
        elif not relations:
            raise self.refused(
                state.node,
                "SELECT * not allowed in queries without FROM clause",
                "COLUMN_NOT_FOUND",
            )
        if qualifier is None:
            for name, column in state.scope.merged.items():
                self._column_output(name, column, state, excluded)
        for relation in relations:
            for column in relation.columns:
                hidden_by_merge = column.name.lower() in state.scope.merged
                if not column.hidden and not hidden_by_merge:
                    self._column_output(column.name, column, state, excluded)

    def _named_relations(self, names: list[str], scope: Scope | None) -> list[Any]:
        while scope is not None:
            found = [
                r for r in scope.relations if r.alias is not None and r.alias.lower() == names[-1]
            ]
            if found:
                return found
            scope = scope.parent
        return []

    def _column_output(
        self, name: str, column: ScopeColumn, state: SelectState, excluded: set[str]
    ) -> None:
        if name.lower() in excluded:
            return
        value = Typed(column.sql, column.type)
        if self.grouped is not None:
            if column.sql not in self.grouped:
                raise self.refused(
                    state.node,
                    f"'{name}' must be an aggregate expression or appear in GROUP BY clause",
                    "EXPRESSION_NOT_AGGREGATE",
                )
            value = self.grouped[column.sql]
        state.outputs.append((name, value, False))

    def _aliased_star(self, item: exp.Aliases, state: SelectState) -> None:
        """`row.* AS (a, b)`"""
        start = len(state.outputs)
        inner = item.this
        if isinstance(inner, exp.Column):
            self._star(inner.this, state, inner)
        elif isinstance(inner, exp.Star):
            self._star(inner, state, None)
        else:
            self._row_star(inner, state)
        names = [a.name for a in item.expressions]
        if len(names) != len(state.outputs) - start:
            raise self.refused(
                item,
                f"Column alias list has {len(names)} entries but relation has {len(state.outputs) - start} columns",
                "MISMATCHED_COLUMN_ALIASES",
            )
        for place, name in enumerate(names, start):
            state.outputs[place] = (name, state.outputs[place][1], True)

    def _row_star(self, item: exp.Dot, state: SelectState) -> None:
        value = self.bind(item.this, state.scope)
        if value.type.name != "row":
            raise self.refused(item, f"Expected a row for .*, found {value.type}", "TYPE_MISMATCH")
        self._row_outputs(value, state)

    def _row_outputs(self, value: Typed, state: SelectState) -> None:
        if self.grouped is not None:
            value = self.grouped.get(canonical(value.sql), value)
        pairs = zip(t.struct_names(value.type), value.type.fields, value.type.args, strict=True)
        for stored, name, kind in pairs:
            shown = name or f"_col{len(state.outputs)}"
            state.outputs.append((shown, Typed(f"({value.sql}).{stored}", kind), False))

    def _output(self, item: Any, state: SelectState) -> None:
        bound = self.bind(item, state.scope)
        self.check_grouped(item)
        state.outputs.append(
            (_name_of(item, len(state.outputs)), bound, isinstance(item, exp.Alias))
        )


def _name_of(item: Any, place: int) -> str:
    if isinstance(item, exp.Alias):
        return str(item.alias)
    if isinstance(item, exp.Column):
        return str(item.name)
    if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Identifier):
        return str(item.expression.name)
    if isinstance(item, exp.Paren):
        return _name_of(item.this, place)
    return f"_col{place}"
