"""Why OpenSearch or its Dashboards cannot be used.

SearchFailed
├── SearchUnreachable
└── SearchRefused
"""

from __future__ import annotations


class SearchFailed(RuntimeError):
    """The message says what failed, where, and what to do."""


class SearchUnreachable(SearchFailed):
    """Nobody answers at the address, or not within the time."""


class SearchRefused(SearchFailed):
    """It answered with an error, in its own words."""
