"""Contract: what a Trino with its Glue catalog asks, call by call.

https://github.com/trinodb/trino/tree/master/plugin/trino-hive/src/main/java/io/trino/plugin/hive/metastore/glue
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.engines import ContractEngine

#: Trino reads the partitions of a table in so many segments at once.
SEGMENTS = 5


@pytest.fixture
def glue(contract_engine: ContractEngine) -> Any:
    return contract_engine.client("glue")


@pytest.fixture
def database(glue: Any, contract_engine: ContractEngine) -> Iterator[str]:
    name = f"trino_{uuid.uuid4().hex[:8]}"
    glue.create_database(DatabaseInput={"Name": name, "LocationUri": f"s3://lake/{name}/"})
    yield name
    glue.delete_database(Name=name)


def storage(where: str) -> dict[str, Any]:
    return {
        "Columns": [{"Name": "id", "Type": "bigint"}, {"Name": "at", "Type": "date"}],
        "Location": where,
        "InputFormat": "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
            "Parameters": {},
        },
    }


@pytest.fixture
def table(glue: Any, database: str) -> str:
    keys = [{"Name": "year", "Type": "int"}, {"Name": "part", "Type": "string"}]
    glue.create_table(
        DatabaseName=database,
        TableInput={
            "Name": "t", "Owner": "trino", "TableType": "EXTERNAL_TABLE", "PartitionKeys": keys,
            "Parameters": {"numRows": "3", "trino_version": "476"}, "StorageDescriptor": storage("s3://lake/t/"),
        },
    )  # fmt: skip
    parts = [
        {
            "Values": [str(year), f"{part:03d}"],
            "StorageDescriptor": storage(f"s3://lake/t/{year}/{part}/"),
        }
        for year in (2023, 2024) for part in range(60)
    ]  # fmt: skip
    for first in range(0, len(parts), 100):
        answer = glue.batch_create_partition(
            DatabaseName=database, TableName="t", PartitionInputList=parts[first : first + 100]
        )
        assert not answer.get("Errors")
    return "t"


def partitions(glue: Any, database: str, **more: Any) -> list[dict[str, Any]]:
    """All segments side by side, page by page, as Trino reads them."""

    def segment(number: int) -> list[dict[str, Any]]:
        request = {
            "DatabaseName": database, "TableName": "t", "ExcludeColumnSchema": True,
            "MaxResults": 1000,
            "Segment": {"SegmentNumber": number, "TotalSegments": SEGMENTS}, **more,
        }  # fmt: skip
        found: list[dict[str, Any]] = []
        while True:
            answer = glue.get_partitions(**request)
            found += answer["Partitions"]
            if not answer.get("NextToken"):
                return found
            request["NextToken"] = answer["NextToken"]

    with ThreadPoolExecutor(SEGMENTS) as pool:
        return [each for part in pool.map(segment, range(SEGMENTS)) for each in part]


def test_segments_without_the_columns_give_every_partition_once(
    glue: Any, database: str, table: str
) -> None:
    found = partitions(glue, database)
    values = [tuple(each["Values"]) for each in found]
    assert len(values) == len(set(values)) == 120
    assert all(not each["StorageDescriptor"].get("Columns") for each in found)
    assert all(each["StorageDescriptor"]["SerdeInfo"] for each in found)


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("((year = 2023))", 60),
        ("((year = 2023)) AND ((part = '007'))", 1),
        ("((year in (2023, 2024))) AND ((part >= '050') AND (part < '055'))", 10),
        ("(((year > 2023))) AND ((part in ('001', '002')))", 2),
        ("(((part < '002') OR (part > '057') OR (part = '030')))", 10),
        ("((year BETWEEN 2000 AND 2023))", 60),
        ("", 120),
    ],
)
def test_the_expressions_it_writes_are_understood(
    glue: Any, database: str, table: str, expression: str, count: int
) -> None:
    assert len(partitions(glue, database, Expression=expression)) == count


def test_partitions_are_read_by_name_and_what_is_gone_is_left_out(
    glue: Any, database: str, table: str
) -> None:
    wanted = [{"Values": ["2023", "001"]}, {"Values": ["1999", "001"]}]
    answer = glue.batch_get_partition(
        DatabaseName=database, TableName=table, PartitionsToGet=wanted
    )
    assert [each["Values"] for each in answer["Partitions"]] == [["2023", "001"]]
    assert answer.get("UnprocessedKeys", []) == []
    with pytest.raises(ClientError) as refused:
        glue.get_partition(DatabaseName=database, TableName=table, PartitionValues=["1999", "001"])
    assert refused.value.response["Error"]["Code"] == "EntityNotFoundException"


STATISTICS = [
    {
        "ColumnName": "id", "ColumnType": "bigint", "AnalyzedTime": 1_700_000_000,
        "StatisticsData": {
            "Type": "LONG",
            "LongColumnStatisticsData": {
                "MinimumValue": 1,
                "MaximumValue": 3, "NumberOfNulls": 0, "NumberOfDistinctValues": 3,
            },
        },
    },
    {
        "ColumnName": "at", "ColumnType": "date", "AnalyzedTime": 1_700_000_000,
        "StatisticsData": {
            "Type": "DATE",
            "DateColumnStatisticsData": {"NumberOfNulls": 1, "NumberOfDistinctValues": 2},
        },
    },
]  # fmt: skip


def test_column_statistics_of_a_table_are_written_read_and_deleted_column_by_column(
    glue: Any, database: str, table: str
) -> None:
    place = {"DatabaseName": database, "TableName": table}
    read = glue.get_column_statistics_for_table(**place, ColumnNames=["id", "at"])
    assert (read["ColumnStatisticsList"], read.get("Errors", [])) == ([], [])
    written = glue.update_column_statistics_for_table(**place, ColumnStatisticsList=STATISTICS)
    assert written.get("Errors", []) == []
    read = glue.get_column_statistics_for_table(**place, ColumnNames=["id", "at", "year"])
    found = {each["ColumnName"]: each["StatisticsData"] for each in read["ColumnStatisticsList"]}
    assert found == {each["ColumnName"]: each["StatisticsData"] for each in STATISTICS}
    glue.delete_column_statistics_for_table(**place, ColumnName="id")
    read = glue.get_column_statistics_for_table(**place, ColumnNames=["id", "at"])
    assert [each["ColumnName"] for each in read["ColumnStatisticsList"]] == ["at"]


def test_column_statistics_of_a_partition_go_with_it(glue: Any, database: str, table: str) -> None:
    values = ["2023", "001"]
    place = {"DatabaseName": database, "TableName": table, "PartitionValues": values}
    glue.update_column_statistics_for_partition(**place, ColumnStatisticsList=STATISTICS)
    read = glue.get_column_statistics_for_partition(**place, ColumnNames=["id"])
    assert [each["ColumnName"] for each in read["ColumnStatisticsList"]] == ["id"]
    glue.delete_column_statistics_for_partition(**place, ColumnName="id")
    read = glue.get_column_statistics_for_partition(**place, ColumnNames=["id"])
    assert read["ColumnStatisticsList"] == []
    glue.delete_partition(DatabaseName=database, TableName=table, PartitionValues=values)
    with pytest.raises(ClientError) as gone:
        glue.get_column_statistics_for_partition(**place, ColumnNames=["at"])
    assert gone.value.response["Error"]["Code"] == "EntityNotFoundException"


def test_an_update_writes_parameters_and_keeps_the_owner(
    glue: Any, database: str, table: str
) -> None:
    found = glue.get_table(DatabaseName=database, Name=table)["Table"]
    assert (found["Owner"], found["DatabaseName"]) == ("trino", database)
    given = ("Name", "Owner", "TableType", "PartitionKeys", "StorageDescriptor")
    again = {key: found[key] for key in given}
    glue.update_table(
        DatabaseName=database,
        TableInput={**again, "Parameters": {"numRows": "4"}},
        SkipArchive=True,
    )
    after = glue.get_table(DatabaseName=database, Name=table)["Table"]
    assert (after["Owner"], after["Parameters"]) == ("trino", {"numRows": "4"})


def test_a_view_keeps_its_owner_its_text_and_its_type(glue: Any, database: str) -> None:
    view = {
        "Name": "v", "Owner": "trino", "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "ViewOriginalText": "/* Presto View: eyJ9 */", "ViewExpandedText": "/* Presto View */",
        "StorageDescriptor": {
            "Columns": [{"Name": "id", "Type": "bigint"}], "Location": "", "SerdeInfo": {},
        },
    }  # fmt: skip
    glue.create_table(DatabaseName=database, TableInput=view)
    listed = glue.get_tables(DatabaseName=database, MaxResults=100)["TableList"]
    found = next(each for each in listed if each["Name"] == "v")
    for member in ("Owner", "TableType", "ViewOriginalText", "ViewExpandedText", "Parameters"):
        assert found[member] == view[member]


def test_every_call_may_name_the_catalog(glue: Any, database: str, table: str) -> None:
    catalog = glue.get_table(DatabaseName=database, Name=table)["Table"]["CatalogId"]
    named = {"CatalogId": catalog, "DatabaseName": database}
    assert glue.get_database(CatalogId=catalog, Name=database)["Database"]["Name"] == database
    assert glue.get_table(**named, Name=table)["Table"]["CatalogId"] == catalog
    assert len(partitions(glue, database, CatalogId=catalog)) == 120
    listed = glue.get_tables(**named)["TableList"]
    assert [each["Name"] for each in listed] == [table]
    assert glue.get_user_defined_functions(**named, Pattern=".*")["UserDefinedFunctions"] == []
