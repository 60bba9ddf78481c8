"""Filter criteria: which records of a stream a mapping hands over."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

#: Whether an event has what a pattern asks for: EventBridge's language.
Matches = Callable[[dict[str, Any], dict[str, Any]], bool]


class Filters:
    """A record is kept when any of the patterns matches it; without patterns all are."""

    def __init__(self, patterns: tuple[str, ...], matches: Matches) -> None:
        self._patterns = tuple(json.loads(pattern) for pattern in patterns)
        self._matches = matches

    def keeps(self, event: Mapping[str, Any]) -> bool:
        """`event` is one entry of `Records`."""
        if not self._patterns:
            return True
        seen = filter_view(event)
        return any(self._matches(pattern, seen) for pattern in self._patterns)


def filter_view(event: Mapping[str, Any]) -> dict[str, Any]:
    """What patterns are matched against: for Kinesis the record's fields, with `data` decoded.

    https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html: data that is no
    JSON is matched as text; a pattern for JSON does not match it, so the record is dropped.
    """
    kinesis = event.get("kinesis")
    if kinesis is None:
        return dict(event)
    return {**event, **kinesis, "data": _decoded(kinesis["data"])}


def _decoded(data: str) -> Any:
    try:
        text = base64.b64decode(data).decode()
    except UnicodeDecodeError:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
