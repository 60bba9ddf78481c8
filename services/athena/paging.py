"""NextToken and MaxResults of the list calls."""

from __future__ import annotations

from typing import Any

from services.athena.errors import invalid_request

Shape = dict[str, Any]


def offset(request: Shape) -> int:
    """Where the page begins. Raises InvalidRequestException for a token that is not ours."""
    token = request.get("NextToken")
    if not token:
        return 0
    if not token.isdigit():
        raise invalid_request("Malformed NextToken")
    return int(token)


def page(member: str, items: list[Any], request: Shape, most: int) -> Shape:
    """One page under `member`, and NextToken when there is more."""
    start = offset(request)
    count = request.get("MaxResults") or most
    answer: Shape = {member: items[start : start + count]}
    if start + count < len(items):
        answer["NextToken"] = str(start + count)
    return answer
