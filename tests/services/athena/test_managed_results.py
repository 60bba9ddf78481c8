"""Workgroups whose query results lie in Athena's own storage."""

from __future__ import annotations

import pytest

from services.athena.errors import AthenaError
from tests.services.athena.conftest import AthenaInMemory

MANAGED = {"ManagedQueryResultsConfiguration": {"Enabled": True}}
GROUP = {"WorkGroup": "managed", "ResultConfiguration": {}}


@pytest.fixture
def managed(athena: AthenaInMemory) -> AthenaInMemory:
    athena.call("CreateWorkGroup", Name="managed", Configuration=MANAGED)
    return athena


def test_results_need_no_bucket_and_are_read_through_the_api_alone(managed: AthenaInMemory) -> None:
    execution = managed.run("SELECT 1 AS a", **GROUP)
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["ManagedQueryResultsConfiguration"] == {"Enabled": True}
    assert "OutputLocation" not in execution["ResultConfiguration"]
    assert managed.rows("SELECT 1 AS a", **GROUP) == [["1"]]
    assert managed.rows("SHOW DATABASES", **GROUP) == [["default"]]
    assert managed.store.buckets["out"] == {}


def test_results_are_gone_after_24_hours(managed: AthenaInMemory) -> None:
    query_execution_id = managed.run("SELECT 1", **GROUP)["QueryExecutionId"]
    managed.clock.advance(24 * 3600 + 1)
    with pytest.raises(AthenaError, match="kept for 24 hours"):
        managed.call("GetQueryResults", QueryExecutionId=query_execution_id)


def test_a_location_beside_managed_results_is_refused(managed: AthenaInMemory) -> None:
    with pytest.raises(AthenaError, match="leave ResultConfiguration out"):
        managed.start("SELECT 1", WorkGroup="managed")
    both = {**MANAGED, "ResultConfiguration": {"OutputLocation": "s3://out/x/"}}
    with pytest.raises(AthenaError, match="cannot have an OutputLocation"):
        managed.call("CreateWorkGroup", Name="both", Configuration=both)


def test_a_new_table_needs_its_own_folder(managed: AthenaInMemory) -> None:
    assert "external_location" in managed.reason("CREATE TABLE t AS SELECT 1 AS a", **GROUP)
    sql = "CREATE TABLE t WITH (external_location = 's3://lake/t/') AS SELECT 1 AS a"
    assert managed.run(sql, **GROUP)["Status"]["State"] == "SUCCEEDED"
    assert managed.rows("SELECT a FROM t", **GROUP) == [["1"]]


def test_a_workgroup_changes_to_managed_results_and_back(athena: AthenaInMemory) -> None:
    athena.call("CreateWorkGroup", Name="managed")
    changed = {"ManagedQueryResultsConfigurationUpdates": {"Enabled": True}}
    athena.call("UpdateWorkGroup", WorkGroup="managed", ConfigurationUpdates=changed)
    assert athena.run("SELECT 1", **GROUP)["Status"]["State"] == "SUCCEEDED"
    changed = {"ManagedQueryResultsConfigurationUpdates": {"Enabled": False}}
    athena.call("UpdateWorkGroup", WorkGroup="managed", ConfigurationUpdates=changed)
    with pytest.raises(AthenaError, match="No output location"):
        athena.start("SELECT 1", **GROUP)
