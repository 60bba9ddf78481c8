"""Which earlier execution answers a query that allows result reuse."""

from __future__ import annotations

import re
from typing import Any

from services.athena.query_execution import QueryExecution

#: A query that calls one of these gives another answer each time.
_NOT_THE_SAME_TWICE = re.compile(
    r"\b(rand|random|uuid|now|current_date|current_time|current_timestamp|localtime|localtimestamp|shuffle)\b",
    re.IGNORECASE,
)


def reusable(
    execution: QueryExecution, newest_first: list[dict[str, Any]], now: float
) -> dict[str, Any] | None:
    """Same workgroup, text, parameters, database and catalog, SELECT, young enough.

    https://docs.aws.amazon.com/athena/latest/ug/reusing-query-results.html
    """
    if execution.kind.substatement_type != "SELECT" or _NOT_THE_SAME_TWICE.search(execution.query):
        return None
    for saved in newest_first:
        shape = saved["shape"]
        ended = shape["Status"].get("CompletionDateTime")
        if (
            shape["Status"]["State"] == "SUCCEEDED"
            and not shape["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"]
            and shape["Query"] == execution.query
            and shape["WorkGroup"] == execution.work_group
            and shape["QueryExecutionContext"]["Database"] == execution.database
            and shape["QueryExecutionContext"]["Catalog"] == execution.catalog.lower()
            and tuple(shape.get("ExecutionParameters", ())) == execution.execution_parameters
            and now - ended <= 60 * (execution.reuse_minutes or 0)
        ):
            return saved
    return None
