"""ORDER BY, OFFSET, LIMIT, FETCH."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from services.athena.dialect import comparison
from services.athena.dialect.function_calls import CallBinder
from services.athena.dialect.relations import RelationBinder
from services.athena.dialect.typed import Query, Scope, Typed


class OrderingBinder(RelationBinder, CallBinder):
    """The end of a query: which rows, in which order."""

    def _ordered_rows(self, node: Any, query: Query, outer: Scope | None) -> Query:
        """ORDER BY, OFFSET, LIMIT over a finished query: only its own columns are in scope."""
        names = [self.fresh("c_") for _ in query.columns]
        typed = [Typed(n, c.type) for n, c in zip(names, query.columns, strict=True)]
        named = {c.name.lower(): v for c, v in zip(query.columns, typed, strict=True)}
        scope = Scope(parent=outer, outputs=named)
        order = self._order_items(node.args.get("order"), scope, typed, named)
        sql = f"SELECT * FROM ({query.sql}) AS {self.fresh('q')}({', '.join(names)})"
        return Query(self._limited(node, sql, order), query.columns)

    def _order_items(
        self, order: Any, scope: Scope, typed: list[Typed], named: dict[str, Typed]
    ) -> list[str]:
        if order is None:
            return []
        items = []
        for ordered in order.expressions:
            value = self._order_value(ordered.this, scope, typed, named)
            direction = "DESC" if ordered.args.get("desc") else "ASC"
            nulls = "FIRST" if ordered.args.get("nulls_first") else "LAST"
            by = comparison.order_key(value.sql, value.type, nulls == "FIRST")
            items.append(f"{by}\x00 {direction} NULLS {nulls}")
        return items

    def _order_value(
        self, node: Any, scope: Scope, typed: list[Typed], named: dict[str, Typed]
    ) -> Typed:
        if isinstance(node, exp.Literal) and not node.is_string and node.this.isdigit():
            place = int(node.this)
            if not 1 <= place <= len(typed):
                raise self.refused(
                    node,
                    f"ORDER BY position {place} is not in select list",
                    "INVALID_COLUMN_REFERENCE",
                )
            return typed[place - 1]
        if isinstance(node, exp.Column) and len(node.parts) == 1 and node.name.lower() in named:
            return named[node.name.lower()]
        value = self.bind(node, scope)
        if not comparison.orderable(value.type) and value.type.name != "unknown":
            raise self.refused(
                node,
                f"Type {value.type} is not orderable, and therefore cannot be used in ORDER BY",
                "TYPE_MISMATCH",
            )
        return value

    def _limited(self, node: Any, sql: str, order: list[str]) -> str:
        order_sql = f" ORDER BY {', '.join(i.replace(chr(0), '') for i in order)}" if order else ""
        limit, offset = node.args.get("limit"), node.args.get("offset")
        count = None
        if limit is not None:
            raw = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression
            count = self._count(raw, limit)
            if isinstance(limit, exp.Fetch):
                options = limit.args.get("limit_options")
                if options is not None and options.args.get("with_ties"):
                    return self._with_ties(sql, order_sql, count, node)
                count = count if raw is not None else "1"
        sql += order_sql
        if count is not None and count != "ALL":
            sql += f" LIMIT {count}"
        if offset is not None:
            sql += f" OFFSET {self._count(offset.expression, offset)}"
        return sql

    def _with_ties(self, sql: str, order_sql: str, count: str | None, node: Any) -> str:
        if not order_sql:
            raise self.refused(
                node, "FETCH FIRST WITH TIES clause requires ORDER BY", "MISSING_ORDER_BY"
            )
        inner = sql.replace(
            "SELECT ", f"SELECT rank() OVER ({order_sql.strip()}) AS rank_ties, ", 1
        )
        return f"SELECT * EXCLUDE rank_ties FROM ({inner}) WHERE rank_ties <= {count} ORDER BY rank_ties"

    def _count(self, node: Any, at: Any) -> str:
        if node is None:
            return "1"
        if isinstance(node, exp.Var) and node.name.upper() == "ALL":
            return "ALL"
        if isinstance(node, exp.Placeholder):
            value = self.parameter(node)
            return f"CAST({value.sql} AS BIGINT)"
        if isinstance(node, exp.Literal) and not node.is_string and node.this.isdigit():
            return str(node.this)
        shown = "-" if isinstance(node, exp.Neg) else node.sql("trino")
        raise self.refused(node, f"mismatched input '{shown}'")
