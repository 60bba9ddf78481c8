"""What a doctor says about one thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, WARNING, LACKING = "good", "warning", "lacking"


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `mend` is empty when it is good."""

    name: str
    verdict: str
    found: str
    mend: str = ""
