"""The order of a table's parameters: that of Java's HashMap, in which AWS gives them back."""

from __future__ import annotations

from collections.abc import Mapping

_FIRST_BUCKETS = 16


def as_java_orders(parameters: Mapping[str, str]) -> dict[str, str]:
    """By bucket, then as given; the buckets double above three entries for four of them.

    AWS documents no order; `compressionType, classification, projection.enabled, typeOfData` is
    what awswrangler's tests get of it, whatever order was written.
    """
    buckets = _FIRST_BUCKETS
    while len(parameters) > buckets * 3 // 4:
        buckets *= 2
    return dict(sorted(parameters.items(), key=lambda entry: _spread(entry[0]) % buckets))


def _spread(text: str) -> int:
    """HashMap's mix of String.hashCode, both of 32 bits."""
    code = 0
    units = text.encode("utf-16-be")
    for at in range(0, len(units), 2):
        code = (31 * code + int.from_bytes(units[at : at + 2])) & 0xFFFFFFFF
    return code ^ code >> 16
