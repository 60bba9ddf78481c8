"""Contract: databases, tables, partitions, statistics, functions, tags of the Data Catalog."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.engines import ContractEngine


@pytest.fixture
def glue(contract_engine: ContractEngine) -> Any:
    return contract_engine.client("glue")


@pytest.fixture
def database(glue: Any) -> Iterator[str]:
    name = f"db_{uuid.uuid4().hex[:8]}"
    glue.create_database(DatabaseInput={"Name": name, "Description": "a test's"})
    yield name
    glue.delete_database(Name=name)


def table_input(name: str, **members: Any) -> dict[str, Any]:
    columns = [{"Name": "id", "Type": "bigint"}, {"Name": "name", "Type": "string"}]
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "json"},
        "PartitionKeys": [{"Name": "year", "Type": "int"}, {"Name": "month", "Type": "string"}],
        "StorageDescriptor": {"Columns": columns, "Location": f"s3://lake/{name}/"},
    } | members


def partition_input(year: int, month: int) -> dict[str, Any]:
    return {
        "Values": [str(year), f"{month:02}"],
        "StorageDescriptor": {
            "Columns": [{"Name": "id", "Type": "bigint"}],
            "Location": f"s3://lake/t/year={year}/month={month:02}/",
        },
    }


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_database_and_its_table_come_back_as_they_were_made(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database.upper(), TableInput=table_input("Clicks"))
    table = glue.get_table(DatabaseName=database, Name="CLICKS")["Table"]
    assert table["Name"] == "clicks"
    assert table["StorageDescriptor"]["Columns"][1] == {"Name": "name", "Type": "string"}
    assert table["Parameters"] == {"classification": "json"}
    assert table["VersionId"] == "0"
    assert table["CreateTime"].tzinfo is not None
    assert glue.get_database(Name=database)["Database"]["Description"] == "a test's"


def test_what_is_not_there_is_said_in_awss_words(glue: Any, database: str) -> None:
    gone = "EntityNotFoundException"
    assert refusal(glue.get_database, Name="nowhere") == (gone, "Database nowhere not found.")
    missing = refusal(glue.get_table, DatabaseName=database, Name="nothing")
    assert missing == (gone, "Table nothing not found.")
    missing = refusal(glue.create_table, DatabaseName="nowhere", TableInput=table_input("t"))
    assert missing == (gone, "Database nowhere not found.")


def test_what_exists_is_not_made_twice(glue: Any, database: str) -> None:
    exists = "AlreadyExistsException"
    twice = refusal(glue.create_database, DatabaseInput={"Name": database.upper()})
    assert twice == (exists, "Database already exists.")
    glue.create_table(DatabaseName=database, TableInput=table_input("t"))
    twice = refusal(glue.create_table, DatabaseName=database, TableInput=table_input("T"))
    assert twice == (exists, "Table already exists.")


def test_an_empty_name_fails_awss_validation(glue: Any) -> None:
    code, message = refusal(glue.create_database, DatabaseInput={"Name": ""})
    assert code == "ValidationException"
    assert message == (
        "1 validation error detected: Value '' at 'databaseInput.name' failed to satisfy "
        "constraint: Member must have length greater than or equal to 1"
    )


def test_a_value_of_the_wrong_type_is_refused(glue: Any) -> None:
    code, _ = refusal(glue.get_table, DatabaseName=7, Name=["x"])
    assert code == "SerializationException"


def test_every_update_is_a_new_version_unless_the_archive_is_skipped(
    glue: Any, database: str
) -> None:
    glue.create_table(DatabaseName=database, TableInput=table_input("t"))
    glue.update_table(DatabaseName=database, TableInput=table_input("t", Description="one"))
    glue.update_table(
        DatabaseName=database, TableInput=table_input("t", Description="two"), SkipArchive=True
    )
    versions = glue.get_table_versions(DatabaseName=database, TableName="t")["TableVersions"]
    assert [v["VersionId"] for v in versions] == ["2", "0"]
    assert versions[0]["Table"]["Description"] == "two"
    old = glue.get_table_version(DatabaseName=database, TableName="t", VersionId="0")
    assert "Description" not in old["TableVersion"]["Table"]


def test_an_update_from_an_old_version_is_refused(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database, TableInput=table_input("t"))
    glue.update_table(DatabaseName=database, TableInput=table_input("t"), VersionId="0")
    stale = refusal(
        glue.update_table, DatabaseName=database, TableInput=table_input("t"), VersionId="0"
    )
    assert stale == (
        "ConcurrentModificationException",
        "Update table failed due to concurrent modifications.",
    )


def test_tables_are_listed_by_pattern_and_in_pages(glue: Any, database: str) -> None:
    for name in ("orders", "orders_raw", "clicks"):
        glue.create_table(DatabaseName=database, TableInput=table_input(name))
    pages = glue.get_paginator("get_tables").paginate(
        DatabaseName=database, PaginationConfig={"PageSize": 1}
    )
    assert [t["Name"] for page in pages for t in page["TableList"]] == [
        "clicks",
        "orders",
        "orders_raw",
    ]
    for pattern, names in {
        "orders.*": ["orders", "orders_raw"],
        "orders*": ["orders", "orders_raw"],
        "*raw": ["orders_raw"],
        "clicks|orders": ["clicks", "orders"],
    }.items():
        found = glue.get_tables(DatabaseName=database, Expression=pattern)["TableList"]
        assert [t["Name"] for t in found] == names, pattern


def test_a_dropped_table_takes_its_partitions_and_versions_along(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database, TableInput=table_input("t"))
    glue.create_partition(
        DatabaseName=database, TableName="t", PartitionInput=partition_input(2024, 1)
    )
    errors = glue.batch_delete_table(DatabaseName=database, TablesToDelete=["t", "none"])["Errors"]
    assert [(e["TableName"], e["ErrorDetail"]["ErrorCode"]) for e in errors] == [
        ("none", "EntityNotFoundException")
    ]
    glue.create_table(DatabaseName=database, TableInput=table_input("t"))
    assert glue.get_partitions(DatabaseName=database, TableName="t")["Partitions"] == []
    versions = glue.get_table_versions(DatabaseName=database, TableName="t")["TableVersions"]
    assert [v["VersionId"] for v in versions] == ["0"]


def test_partitions_are_found_by_typed_expressions_in_pages(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database, TableInput=table_input("t"))
    wanted = [partition_input(year, month) for year in (999, 2023, 2024) for month in range(1, 13)]
    answer = glue.batch_create_partition(
        DatabaseName=database, TableName="t", PartitionInputList=wanted
    )
    assert answer.get("Errors", []) == []
    pages = glue.get_paginator("get_partitions").paginate(
        DatabaseName=database,
        TableName="t",
        Expression="year < 2024 AND month BETWEEN '02' AND '04'",
        PaginationConfig={"PageSize": 2},
    )
    values = [p["Values"] for page in pages for p in page["Partitions"]]
    assert sorted(values) == [[y, m] for y in ("2023", "999") for m in ("02", "03", "04")]


def test_segments_share_the_partitions_without_gap_or_overlap(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database, TableInput=table_input("t"))
    wanted = [partition_input(2024, month) for month in range(1, 13)]
    glue.batch_create_partition(DatabaseName=database, TableName="t", PartitionInputList=wanted)
    seen = []
    for number in range(3):
        answer = glue.get_partitions(
            DatabaseName=database,
            TableName="t",
            Segment={"SegmentNumber": number, "TotalSegments": 3},
            ExcludeColumnSchema=True,
        )
        assert all("Columns" not in p["StorageDescriptor"] for p in answer["Partitions"])
        seen += [tuple(p["Values"]) for p in answer["Partitions"]]
    assert sorted(seen) == sorted(tuple(p["Values"]) for p in wanted)


def test_batches_say_which_partitions_failed(glue: Any, database: str) -> None:
    place = {"DatabaseName": database, "TableName": "t"}
    glue.create_table(DatabaseName=database, TableInput=table_input("t"))
    one, two = partition_input(2024, 1), partition_input(2024, 2)
    glue.create_partition(**place, PartitionInput=one)
    made = glue.batch_create_partition(**place, PartitionInputList=[one, two])
    assert [e["ErrorDetail"]["ErrorMessage"] for e in made["Errors"]] == [
        "Partition already exists."
    ]
    entry = {"PartitionValueList": ["1", "1"], "PartitionInput": partition_input(1, 1)}
    updated = glue.batch_update_partition(**place, Entries=[entry])
    assert updated["Errors"][0]["ErrorDetail"]["ErrorCode"] == "EntityNotFoundException"
    keys = [{"Values": ["2024", "02"]}, {"Values": ["9", "9"]}]
    found = glue.batch_get_partition(**place, PartitionsToGet=keys)
    assert [p["Values"] for p in found["Partitions"]] == [["2024", "02"]]
    gone = glue.batch_delete_partition(**place, PartitionsToDelete=keys)
    assert [e["PartitionValues"] for e in gone["Errors"]] == [["9", "9"]]


def test_a_partition_needs_a_value_for_every_key(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database, TableInput=table_input("t"))
    code, message = refusal(
        glue.create_partition,
        DatabaseName=database,
        TableName="t",
        PartitionInput={"Values": ["2024"]},
    )
    assert code == "InvalidInputException"
    assert message == "The number of partition keys do not match the number of partition values"


def test_a_renamed_database_keeps_its_tables(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database, TableInput=table_input("t"))
    glue.create_partition(
        DatabaseName=database, TableName="t", PartitionInput=partition_input(2024, 1)
    )
    new = f"{database}_new"
    glue.update_database(Name=database, DatabaseInput={"Name": new})
    try:
        assert glue.get_table(DatabaseName=new, Name="t")["Table"]["DatabaseName"] == new
        found = glue.get_partitions(DatabaseName=new, TableName="t")["Partitions"]
        assert [p["DatabaseName"] for p in found] == [new]
    finally:
        glue.update_database(Name=new, DatabaseInput={"Name": database})


def test_column_statistics_come_back_and_can_be_deleted(glue: Any, database: str) -> None:
    place = {"DatabaseName": database, "TableName": "t"}
    glue.create_table(DatabaseName=database, TableInput=table_input("t"))
    numbers = {"NumberOfNulls": 1, "NumberOfDistinctValues": 5, "MaximumValue": 9}
    statistics = {
        "ColumnName": "id",
        "ColumnType": "bigint",
        "AnalyzedTime": 1_700_000_000,
        "StatisticsData": {"Type": "LONG", "LongColumnStatisticsData": numbers},
    }
    assert glue.update_column_statistics_for_table(**place, ColumnStatisticsList=[statistics])
    found = glue.get_column_statistics_for_table(**place, ColumnNames=["id", "name"])
    assert [s["StatisticsData"] for s in found["ColumnStatisticsList"]] == [
        statistics["StatisticsData"]
    ]
    glue.delete_column_statistics_for_table(**place, ColumnName="id")
    found = glue.get_column_statistics_for_table(**place, ColumnNames=["id"])
    assert found["ColumnStatisticsList"] == []


def test_tables_are_searched_over_all_databases(glue: Any, database: str) -> None:
    word = uuid.uuid4().hex
    glue.create_table(DatabaseName=database, TableInput=table_input("a", Description=word))
    glue.create_table(DatabaseName=database, TableInput=table_input("b", Owner="ana"))
    found = glue.search_tables(SearchText=word)["TableList"]
    assert [t["Name"] for t in found] == ["a"]
    filters = [{"Key": "DatabaseName", "Value": database}, {"Key": "Owner", "Value": "ana"}]
    assert [t["Name"] for t in glue.search_tables(Filters=filters)["TableList"]] == ["b"]


def test_tags_belong_to_what_exists(glue: Any, database: str) -> None:
    account_id = glue.get_database(Name=database)["Database"]["CatalogId"]
    arn = f"arn:aws:glue:us-east-1:{account_id}:database/{database}"
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"course": "streams", "lab": "1"})
    glue.untag_resource(ResourceArn=arn, TagsToRemove=["lab"])
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"course": "streams"}
    assert refusal(glue.get_tags, ResourceArn=arn + "x")[0] == "EntityNotFoundException"


def test_partition_indexes_are_accepted_and_listed(glue: Any, database: str) -> None:
    place = {"DatabaseName": database, "TableName": "t"}
    glue.create_table(DatabaseName=database, TableInput=table_input("t"))
    glue.create_partition_index(**place, PartitionIndex={"Keys": ["year"], "IndexName": "by_year"})
    (index,) = glue.get_partition_indexes(**place)["PartitionIndexDescriptorList"]
    assert (index["IndexStatus"], index["Keys"]) == ("ACTIVE", [{"Name": "year", "Type": "int"}])


def test_functions_are_kept_by_name(glue: Any, database: str) -> None:
    wanted = {"FunctionName": "Mask", "ClassName": "org.example.Mask", "OwnerType": "USER"}
    glue.create_user_defined_function(DatabaseName=database, FunctionInput=wanted)
    found = glue.get_user_defined_functions(DatabaseName=database, Pattern="m*")
    assert [f["FunctionName"] for f in found["UserDefinedFunctions"]] == ["mask"]
