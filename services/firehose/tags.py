"""Tags of delivery streams: limits and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.firehose.errors import LimitExceeded

MAX_TAGS = 50


def added(current: Mapping[str, str], new: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Tags after TagDeliveryStream; a key that is there gets the new value."""
    merged = {**current, **{tag["Key"]: tag.get("Value", "") for tag in new}}
    if len(merged) > MAX_TAGS:
        raise LimitExceeded(
            f"A delivery stream has at most {MAX_TAGS} tags; this would make {len(merged)}."
        )
    return merged


def page(current: Mapping[str, str], after: str, limit: int) -> dict[str, Any]:
    """The answer of ListTagsForDeliveryStream."""
    keys = [key for key in sorted(current) if key > after]
    return {
        "Tags": [{"Key": key, "Value": current[key]} for key in keys[:limit]],
        "HasMoreTags": len(keys) > limit,
    }
