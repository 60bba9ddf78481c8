"""Pages of a list and the tokens that lead from one to the next."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from typing import Any

from services.glue.errors import invalid_input


def to_token(last: str) -> str:
    """The token that goes on after the item called `last`."""
    return base64.urlsafe_b64encode(json.dumps({"after": last}).encode()).decode()


def from_token(token: str | None) -> str | None:
    """The name the token goes on after; InvalidInputException when Glue never gave it."""
    if not token:
        return None
    try:
        return str(json.loads(base64.urlsafe_b64decode(token))["after"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise invalid_input("Invalid token: NextToken was not given by this service.") from None


def page[T](
    items: Iterable[tuple[str, T]], token: str | None, limit: int
) -> tuple[list[T], str | None]:
    """Up to `limit` bodies of (name, body) later than the token, and the next token.

    The names are in ascending order."""
    after = from_token(token)
    chosen: list[tuple[str, T]] = []
    for name, body in items:
        if after is not None and name <= after:
            continue
        if len(chosen) == limit:
            return [body for _, body in chosen], to_token(chosen[-1][0])
        chosen.append((name, body))
    return [body for _, body in chosen], None


def paged_answer(
    member: str,
    items: Iterable[tuple[str, Any]],
    request: dict[str, Any],
    limit: int,
    shown: Callable[[Any], Any] = lambda body: body,
) -> dict[str, Any]:
    """One page as an answer: `member` holds the bodies, NextToken is there when more follow."""
    bodies, token = page(items, request.get("NextToken"), request.get("MaxResults") or limit)
    answer: dict[str, Any] = {member: [shown(body) for body in bodies]}
    return answer | ({"NextToken": token} if token else {})
