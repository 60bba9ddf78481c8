"""The lake of each test."""

from __future__ import annotations

import pytest

from tests.conftest import EngineUnderTest
from tests.services.firehose.lake import Lake


@pytest.fixture
def lake(engine: EngineUnderTest) -> Lake:
    return Lake(engine)
