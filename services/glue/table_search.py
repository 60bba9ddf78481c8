"""GetTables with its pattern, and SearchTables over the whole catalog."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from services.glue.catalog import Answer, Catalog, Operations, Request
from services.glue.errors import invalid_input
from services.glue.paging import paged_answer
from services.glue.store import path

COMPARATORS: dict[str, Callable[[Any, Any], bool]] = {
    "EQUALS": operator.eq,
    "GREATER_THAN": operator.gt,
    "LESS_THAN": operator.lt,
    "GREATER_THAN_EQUALS": operator.ge,
    "LESS_THAN_EQUALS": operator.le,
}


def get_tables(catalog: Catalog, request: Request) -> Answer:
    database_name = catalog.database(request["DatabaseName"])["Name"]
    matches = name_pattern(request.get("Expression")).fullmatch
    tables = [item for item in catalog.items("table", path(database_name)) if matches(item[0])]
    return paged_answer("TableList", tables, request, 100)


def search_tables(catalog: Catalog, request: Request) -> Answer:
    found = [
        table
        for table in catalog.store.all_below(catalog.scope, "table")
        if _has_text(table, request.get("SearchText"))
        and all(_satisfies(table, rule) for rule in request.get("Filters") or [])
    ]
    for criterion in reversed(request.get("SortCriteria") or []):
        found.sort(
            key=lambda table: str(_property(table, criterion["FieldName"]) or ""),
            reverse=criterion.get("Sort") == "DESC",
        )
    numbered = [(f"{position:010d}", table) for position, table in enumerate(found)]
    return paged_answer("TableList", numbered, request, 100)


def name_pattern(expression: str | None) -> re.Pattern[str]:
    """The pattern of GetTables: a regular expression, in which Hive's lone `*` is anything."""
    if not expression:
        return re.compile(".*", re.DOTALL)
    text = re.sub(r"(?<![.\])\\\w}])\*|(?<=\w)\*(?=$|[|\w])", ".*", expression)
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error:
        raise invalid_input(f"Invalid expression: {expression}") from None


def _has_text(table: dict[str, Any], text: str | None) -> bool:
    """Words match anywhere, whole in quotes: the name, description, columns and properties."""
    if not text:
        return True
    storage = table.get("StorageDescriptor") or {}
    columns = [*storage.get("Columns", []), *table.get("PartitionKeys", [])]
    properties = table.get("Parameters") or {}
    fields = [table["Name"], table["DatabaseName"], table.get("Description") or ""]
    fields += [f"{column['Name']} {column.get('Comment') or ''}" for column in columns]
    fields += [f"{key} {value}" for key, value in properties.items()]
    haystack = "\n".join(fields).lower()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.search(rf"(?<!\w){re.escape(text[1:-1].lower())}(?!\w)", haystack) is not None
    return any(word in haystack for word in re.findall(r"\w+", text.lower()))


def _satisfies(table: dict[str, Any], rule: Request) -> bool:
    value, wanted = _property(table, rule.get("Key", "")), rule.get("Value", "")
    if value is None:
        return False
    compare = COMPARATORS[rule.get("Comparator") or "EQUALS"]
    if isinstance(value, int | float):
        try:
            return compare(value, float(wanted))
        except ValueError:
            raise invalid_input(f"Filter value '{wanted}' is not a number of seconds.") from None
    return compare(str(value).lower(), wanted.lower())


def _property(table: dict[str, Any], key: str) -> Any:
    by_name = {name.lower(): value for name, value in table.items()}
    by_name |= {"tabletype": table.get("TableType"), "database": table["DatabaseName"]}
    if key.lower() in by_name:
        return by_name[key.lower()]
    return (table.get("Parameters") or {}).get(key)


OPERATIONS: Operations = {"GetTables": get_tables, "SearchTables": search_tables}
