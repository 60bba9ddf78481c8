"""Batch operations: every entry by itself, what is refused is told in the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from services.glue.catalog import Answer, Request
from services.glue.errors import GlueError


def each[Entry](
    entries: Iterable[Entry], act: Callable[[Entry], object], named: Callable[[Entry], Request]
) -> Answer:
    """`Errors` of the entries that were refused, each under what `named` says of it; else nothing.

    https://docs.aws.amazon.com/glue/latest/webapi/API_BatchCreatePartition.html
    """
    errors = []
    for entry in entries:
        try:
            act(entry)
        except GlueError as wrong:
            detail = {"ErrorCode": wrong.code, "ErrorMessage": wrong.message}
            errors.append(named(entry) | {"ErrorDetail": detail})
    return {"Errors": errors} if errors else {}
