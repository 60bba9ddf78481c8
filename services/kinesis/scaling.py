"""How many shards an on-demand stream needs: twice its highest traffic of the last thirty days.

https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from services.kinesis.limits import WRITE_BYTES_PER_SECOND, WRITE_RECORDS_PER_SECOND

MEMORY_SECONDS = 30 * 24 * 3600
FEWEST_SHARDS = 4
MOST_SHARDS = 200
_HEADROOM = 2

#: When, and how many shards were needed then.
type Peak = tuple[float, int]


def shards_needed(bytes_per_second: float, records_per_second: float) -> int:
    """Shards that take twice this traffic."""
    by_bytes = ceil(_HEADROOM * bytes_per_second / WRITE_BYTES_PER_SECOND)
    by_records = ceil(_HEADROOM * records_per_second / WRITE_RECORDS_PER_SECOND)
    return min(MOST_SHARDS, max(FEWEST_SHARDS, by_bytes, by_records))


def remember(peaks: Sequence[Peak], needed: int, now: float) -> list[Peak]:
    """The peaks that may still matter: none is older than thirty days, or before a higher one."""
    kept = [p for p in peaks if p[0] > now - MEMORY_SECONDS and p[1] > needed]
    return [*kept, (now, needed)]


def target_shards(peaks: Sequence[Peak], warm_throughput: int | None) -> int:
    """How many shards the stream should have now; warm throughput is MiB per second."""
    return max([FEWEST_SHARDS, warm_throughput or 0, *(needed for _, needed in peaks)])
