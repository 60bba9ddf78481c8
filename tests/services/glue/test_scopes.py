"""What separates catalogs, and what Glue here does not do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import EngineUnderTest
from tests.contract.glue.test_catalog import refusal


@pytest.fixture
def glue(engine: EngineUnderTest) -> Any:
    return engine.client("glue")


@pytest.fixture
def database(glue: Any) -> Iterator[str]:
    name = f"db_{uuid.uuid4().hex[:8]}"
    glue.create_database(DatabaseInput={"Name": name})
    yield name
    glue.delete_database(Name=name)


def test_regions_are_separate(engine: EngineUnderTest, database: str) -> None:
    elsewhere = engine.client("glue", region="eu-west-1")
    assert refusal(elsewhere.get_database, Name=database)[0] == "EntityNotFoundException"


def test_another_accounts_catalog_is_out_of_reach(glue: Any, database: str) -> None:
    code, _ = refusal(glue.get_database, CatalogId="999999999999", Name=database)
    assert code == "AccessDeniedException"


def test_a_job_is_refused_honestly(glue: Any) -> None:
    code, message = refusal(glue.start_job_run, JobName="etl")
    assert code == "InternalFailure"
    assert message == "Glue's StartJobRun is not part of this engine."
