"""Which worker looks after the lease table: KCL 2.x's choice, so that mixed fleets agree.

All lease owners, sorted and then shuffled by java.util.Random with a fixed seed: everybody who
reads the same table comes to the same name without a word.
"""

from __future__ import annotations

from collections.abc import Iterable

from consumers.kcl.lease import Lease

#: Amazon's DeterministicShuffleShardSyncLeaderDecider.
_SEED = 1947


def is_leader(leases: Iterable[Lease], worker_id: str) -> bool:
    """Whether this worker is the leader; without any owner everybody is."""
    owners = sorted({lease.lease_owner for lease in leases if lease.lease_owner is not None})
    return not owners or shuffled(owners)[0] == worker_id


def shuffled(items: list[str], seed: int = _SEED) -> list[str]:
    """`Collections.shuffle(items, new Random(seed))`."""
    numbers, result = JavaRandom(seed), list(items)
    for size in range(len(result), 1, -1):
        other = numbers.next_int(size)
        result[size - 1], result[other] = result[other], result[size - 1]
    return result


class JavaRandom:
    """The part of java.util.Random that a shuffle needs.

    https://docs.oracle.com/javase/8/docs/api/java/util/Random.html
    """

    _MULTIPLIER, _ADDEND, _MASK = 0x5DEECE66D, 0xB, (1 << 48) - 1

    def __init__(self, seed: int) -> None:
        self._seed = (seed ^ self._MULTIPLIER) & self._MASK

    def next_int(self, bound: int) -> int:
        """From 0 up to, not including, `bound`."""
        bits = self._next_31_bits()
        if bound & (bound - 1) == 0:
            return (bound * bits) >> 31
        # The last, incomplete round of remainders is drawn again: Java sees an overflow there.
        while bits - bits % bound + (bound - 1) >= 1 << 31:
            bits = self._next_31_bits()
        return bits % bound

    def _next_31_bits(self) -> int:
        self._seed = (self._seed * self._MULTIPLIER + self._ADDEND) & self._MASK
        return self._seed >> 17
