"""`1.5` as DOUBLE: Athena reads decimal literals so, Trino as DECIMAL.

AWS documents `DECIMAL '0.12'` as the way to write a decimal, and AWS's own client expects a float of
`SELECT 1.2`: https://docs.aws.amazon.com/athena/latest/ug/data-types-considerations.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlglot import exp

_DECIMAL = re.compile(r"[+-]?(\d+\.\d*|\.\d+)")


def as_doubles(tree: Any) -> None:
    """Change the literals of a parsed statement in place; their positions stay."""
    for literal in tree.find_all(exp.Literal):
        if not literal.is_string and _DECIMAL.fullmatch(literal.this):
            literal.set("this", literal.this + "E0")


def parameters_as_doubles(parameters: Sequence[str]) -> tuple[str, ...]:
    """The same for the texts given for `?`."""
    return tuple(p + "E0" if _DECIMAL.fullmatch(p.strip()) else p for p in parameters)
