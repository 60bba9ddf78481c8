"""JSON as the agent's own parser takes it: with `//` and `/* */` comments."""

from __future__ import annotations

import json
import re
from typing import Any

# A string, or a comment: strings come first, so that `//` in a URL stays.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)


def parse_commented_json(text: str) -> Any:
    """The document. Raises ValueError with line and column; comments count as spaces."""
    return json.loads(_TOKEN.sub(_blank, text))


def _blank(match: re.Match[str]) -> str:
    token = match.group()
    return token if token.startswith('"') else re.sub(r"[^\n]", " ", token)
