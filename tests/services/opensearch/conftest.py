"""The real OpenSearch, seen by a test: its indexes, its panels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import SearchEngine
from tests.services.opensearch.indexes import Indexes


@pytest.fixture
def indexes(search_engine: SearchEngine) -> Iterator[Indexes]:
    """Emptied afterwards: the panels look at every index of a pattern."""
    found = Indexes(search_engine.opensearch_url)
    yield found
    found.delete()
