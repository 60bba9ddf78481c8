"""UPDATE, DELETE and MERGE as queries that give the table's rows afterwards. Pure: syntax trees only.

A change is copy on write: the new rows replace all old ones in one commit.
https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-updating-iceberg-table-data.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from services.athena.dialect.parsing import parse, position
from services.athena.errors import SqlRefused
from services.athena.trino_types import Type

#: A column of ours beside the table's: was there a partner in the join?
_THERE = "$there"


@dataclass(frozen=True)
class RowChange:
    """`rows`: the table afterwards. `counts`: queries whose sum is the number of changed rows.

    `joined` counts the target's rows after a MERGE's join: more than `all_rows` means that
    one of them had several partners.
    """

    rows: Any
    counts: Sequence[Any]
    joined: Any = None
    all_rows: Any = None


def change(tree: Any, columns: Mapping[str, Type]) -> RowChange:
    """Raises SqlRefused for a column that the table has not."""
    if isinstance(tree, exp.Merge):
        return _merge(tree, columns)
    alias = _name(tree.this)
    where = tree.args.get("where")
    hit = _true(where.this if where else exp.true())
    count = _select([_count()], tree.this).where(hit.copy())
    if isinstance(tree, exp.Delete):
        kept = _select([_column(c, alias) for c in columns], tree.this)
        return RowChange(kept.where(exp.not_(hit.copy())), [count])
    changed = _assigned(tree.expressions, columns)
    items = [
        exp.alias_(_case([(hit.copy(), _cast(changed[c], kind))], _column(c, alias)), c)
        if c in changed
        else _column(c, alias)
        for c, kind in columns.items()
    ]
    return RowChange(_select(items, tree.this), [count])


# --- MERGE


def _merge(tree: exp.Merge, columns: Mapping[str, Type]) -> RowChange:
    whens = tree.args["whens"].expressions
    matched = [when for when in whens if when.args.get("matched")]
    others = [when for when in whens if not when.args.get("matched")]
    queries = [_kept(tree, matched, columns)]
    counts: list[Any] = []
    if matched:
        acted = _action([(when, number) for number, when in enumerate(matched, 1)])
        joined = _joined(tree.this, tree.args["using"], tree.args["on"], [_count()])
        counts.append(joined.where(exp.NEQ(this=acted, expression=exp.Literal.number(0))))
    if others:
        queries.append(_added(tree, others, columns))
        counts.append(exp.select(_count()).from_(queries[-1].copy().subquery("added")))
    rows = queries[0] if len(queries) == 1 else exp.union(*queries, distinct=False)
    if not matched:
        return RowChange(rows, counts)
    every = _joined(tree.this, tree.args["using"], tree.args["on"], [_count()])
    return RowChange(rows, counts, every, _select([_count()], tree.this))


def _joined(target: Any, source: Any, on: Any, items: Sequence[Any]) -> Any:
    """The target's rows, each with its partner if it has one."""
    return _select(items, target).join(_marked(source), on=on.copy(), join_type="left", copy=False)


def _marked(table: Any) -> Any:
    """A table or query with one more column, true in every row."""
    alias = _name(table)
    inner = table.copy()
    inner.set("alias", exp.TableAlias(this=exp.to_identifier("inner_rows", quoted=True)))
    items = [exp.Star(), exp.alias_(exp.true(), _THERE, quoted=True)]
    marked = exp.select(*items).from_(inner)
    given = table.args.get("alias")
    listed = given.args.get("columns") if given is not None else None
    if listed:
        inner.args["alias"].set("columns", [c.copy() for c in listed])
    return marked.subquery(exp.to_identifier(alias, quoted=True))


def _there() -> Any:
    marker = exp.column(exp.to_identifier(_THERE, quoted=True))
    return exp.not_(exp.Is(this=marker, expression=exp.null()))


def _action(whens: Sequence[tuple[Any, int]]) -> Any:
    """The number of the first clause that applies; 0 for none."""
    found = [(_applies(when), exp.Literal.number(number)) for when, number in whens]
    return _case(found, exp.Literal.number(0))


def _applies(when: Any) -> Any:
    condition = when.args.get("condition")
    there = _there()
    return exp.and_(there, condition.copy()) if condition is not None else there


def _kept(tree: exp.Merge, matched: Sequence[Any], columns: Mapping[str, Type]) -> Any:
    """The target's rows as the WHEN MATCHED clauses leave them."""
    alias = _name(tree.this)
    if not matched:
        return _select([_column(c, alias) for c in columns], tree.this)
    items = []
    assigned = [
        _assigned(w.args["then"].expressions, columns) if isinstance(w.args["then"], exp.Update) else {}
        for w in matched
    ]  # fmt: skip
    for name, kind in columns.items():
        cases = [
            (_applies(when), _cast(given[name], kind) if name in given else _column(name, alias))
            for when, given in zip(matched, assigned, strict=True)
        ]
        items.append(exp.alias_(_case(cases, _column(name, alias)), name, quoted=True))
    numbered = [(when, 0 if isinstance(when.args["then"], exp.Update) else 1) for when in matched]
    rows = _joined(tree.this, tree.args["using"], tree.args["on"], items)
    return rows.where(exp.EQ(this=_action(numbered), expression=exp.Literal.number(0)))


def _added(tree: exp.Merge, others: Sequence[Any], columns: Mapping[str, Type]) -> Any:
    """Rows of the source without a partner, as WHEN NOT MATCHED inserts them."""
    values = [_inserted(when, columns) for when in others]
    conditions = [when.args.get("condition") or exp.true() for when in others]
    items = []
    for name, kind in columns.items():
        cases = [
            (condition.copy(), _cast(given.get(name, exp.null()), kind))
            for condition, given in zip(conditions, values, strict=True)
        ]
        items.append(exp.alias_(_case(cases, _cast(exp.null(), kind)), name, quoted=True))
    rows = _select(items, tree.args["using"]).join(
        _marked(tree.this), on=tree.args["on"].copy(), join_type="left", copy=False
    )
    return rows.where(exp.not_(_there()), exp.or_(*(_true(c) for c in conditions)))


def _inserted(when: Any, columns: Mapping[str, Type]) -> dict[str, Any]:
    insert = when.args["then"]
    values = insert.expression.expressions
    named = [c.name.lower() for c in insert.this.expressions] if insert.this else list(columns)
    _check(insert, named, columns)
    if len(values) != len(named):
        raise SqlRefused("Insert query has mismatched column types", 1, 1, "TYPE_MISMATCH")
    return dict(zip(named, values, strict=True))


# --- pieces of trees


def _assigned(expressions: Sequence[Any], columns: Mapping[str, Type]) -> dict[str, Any]:
    found = {each.this.name.lower(): each.expression for each in expressions}
    _check(expressions[0] if expressions else None, list(found), columns)
    return found


def _check(node: Any, names: Sequence[str], columns: Mapping[str, Type]) -> None:
    unknown = [name for name in names if name not in columns]
    if unknown:
        line, column = position(node) if node is not None else (None, None)
        raise SqlRefused(
            f"The assignment target columns {unknown} do not exist",
            line,
            column,
            "COLUMN_NOT_FOUND",
        )


def _name(table: Any) -> str:
    return str(table.alias_or_name)


def _select(items: Sequence[Any], table: Any) -> Any:
    return exp.select(*items, copy=False).from_(table.copy())


def _column(name: str, table: str) -> Any:
    return exp.column(
        exp.to_identifier(name, quoted=True), table=exp.to_identifier(table, quoted=True)
    )


def _count() -> Any:
    return parse("SELECT count(*)").expressions[0].copy()


def _true(condition: Any) -> Any:
    """TRUE where the condition is, FALSE where it is FALSE or NULL."""
    return _case([(condition.copy(), exp.true())], exp.false())


def _case(cases: Sequence[tuple[Any, Any]], otherwise: Any) -> Any:
    found = exp.Case()
    for condition, value in cases:
        found = found.when(condition.copy(), value.copy(), copy=False)
    return found.else_(otherwise.copy(), copy=False)


def _cast(value: Any, kind: Type) -> Any:
    shape = parse(f"SELECT CAST(NULL AS {kind})").expressions[0]
    return exp.Cast(this=value.copy(), to=shape.args["to"].copy())
