"""Numbers with words: `123K`, `1kB`, `2 hours, 3 minutes`."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

from services.athena.python_errors import invalid_argument


def seconds_text(seconds: float) -> str:
    if seconds != seconds or seconds in (float("inf"), float("-inf")):
        raise invalid_argument("Invalid argument found: " + str(seconds))
    left = abs(round_half_even(seconds))
    words: list[str] = []
    for name, size in (
        ("week", 604800),
        ("day", 86400),
        ("hour", 3600),
        ("minute", 60),
        ("second", 1),
    ):
        count, left = divmod(left, size)
        if count or (name == "second" and not words):
            words.append(f"{count} {name}{'' if count == 1 else 's'}")
    return ", ".join(words)


def round_half_even(x: float) -> int:
    return int(Decimal(x).quantize(Decimal(1), ROUND_HALF_UP))


_SIZES = {
    "B": 1,
    "kB": 2**10,
    "MB": 2**20,
    "GB": 2**30,
    "TB": 2**40,
    "PB": 2**50,
    "EB": 2**60,
    "ZB": 2**70,
    "YB": 2**80,
}


def data_size(x: str) -> str:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]+)", x)
    if not found or found[2] not in _SIZES:
        raise invalid_argument(f"Invalid data size: '{x}'")
    return str(int(Decimal(found[1]) * _SIZES[found[2]]))


_DURATIONS = {
    "ns": Decimal("0.000001"),
    "us": Decimal("0.001"),
    "ms": Decimal(1),
    "s": Decimal(1000),
    "m": Decimal(60000),
    "h": Decimal(3600000),
    "d": Decimal(86400000),
}


def duration(x: str) -> int:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", x)
    if not found or found[2] not in _DURATIONS:
        raise invalid_argument(f"duration is not a valid data duration string: {x}")
    return int((Decimal(found[1]) * _DURATIONS[found[2]]).quantize(Decimal(1), ROUND_HALF_UP))


def short_number(x: str) -> str:
    """`123456` as `123K`; fractions are cut off first."""
    number = Decimal(
        min(
            max(int(_finite(float(x)) if "." in x or "e" in x or x[-1] in "nfy" else x), -(2**63)),
            2**63 - 1,
        )
    )
    size = abs(number)
    for limit, suffix in ((10**15, "Q"), (10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if size >= limit:
            return _short(number / limit) + suffix
    return _short(number)


def _finite(x: float) -> float:
    return 0.0 if x != x else min(max(x, -1e19), 1e19)


def _short(number: Decimal) -> str:
    places = 2 if number < 10 else (1 if number < 100 else 0)  # a negative number is below 10
    shown = f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
