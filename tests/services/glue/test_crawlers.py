"""Crawlers through boto3 against the engine: real objects in, tables out."""

from __future__ import annotations

import gzip
import io
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from tests.conftest import EngineUnderTest
from tests.waiting import wait_until

LAZY = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
CLICK = {"custid": 101, "device": "app_mobile", "touchproduct": 7, "cart": [{"sku": "a", "n": 1}]}


@pytest.fixture
def glue(engine: EngineUnderTest) -> Any:
    return engine.client("glue")


@pytest.fixture
def bucket(engine: EngineUnderTest) -> Iterator[str]:
    name = f"lake-{uuid.uuid4().hex[:8]}"
    s3 = engine.client("s3")
    s3.create_bucket(Bucket=name)
    yield name
    for item in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=item["Key"])
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def put(engine: EngineUnderTest, bucket: str) -> Callable[[str, Any], None]:
    """Put an object: text, bytes, or a list of events as JSON lines (gzip when so named)."""
    s3 = engine.client("s3")

    def put_object(key: str, content: Any) -> None:
        if isinstance(content, list):
            content = "".join(json.dumps(event) + "\n" for event in content)
        if isinstance(content, str):
            content = content.encode()
        if key.endswith(".gz"):
            content = gzip.compress(content)
        s3.put_object(Bucket=bucket, Key=key, Body=content)

    return put_object


@pytest.fixture
def crawl(glue: Any, bucket: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """Run a crawler over a path of the bucket to its end; the database is called as the bucket."""
    names: list[str] = []

    def run(prefix: str = "", **settings: Any) -> dict[str, Any]:
        name = settings.pop("Name", f"crawler-{bucket}")
        target = {"Path": f"s3://{bucket}/{prefix}"} | settings.pop("Target", {})
        if name not in names:
            glue.create_crawler(
                Name=name,
                Role="crawler",
                DatabaseName=bucket,
                Targets={"S3Targets": [target]},
                **settings,
            )
            names.append(name)
        before = len(glue.list_crawls(CrawlerName=name)["Crawls"])
        glue.start_crawler(Name=name)
        wait_until(
            lambda: (
                glue.get_crawler(Name=name)["Crawler"]["State"] == "READY"
                and len(glue.list_crawls(CrawlerName=name)["Crawls"]) > before
            )
        )
        crawler: dict[str, Any] = glue.get_crawler(Name=name)["Crawler"]
        return crawler

    yield run
    for name in names:
        glue.delete_crawler(Name=name)
    for database in glue.get_databases()["DatabaseList"]:
        if database["Name"] == bucket:
            glue.delete_database(Name=bucket)


@pytest.fixture
def tables(glue: Any, bucket: str) -> Callable[[], dict[str, dict[str, Any]]]:
    return lambda: {t["Name"]: t for t in glue.get_tables(DatabaseName=bucket)["TableList"]}


def columns(table: dict[str, Any]) -> dict[str, str]:
    return {c["Name"]: c["Type"] for c in table["StorageDescriptor"]["Columns"]}


def test_a_raw_zone_of_firehose_becomes_one_table_with_four_partition_keys(
    put: Any, crawl: Any, tables: Any, glue: Any, bucket: str
) -> None:
    for hour in ("05", "06", "07"):
        put(f"rawdata/2024/01/31/{hour}/clicks-1.gz", [CLICK, CLICK])
    assert crawl("rawdata/")["LastCrawl"]["Status"] == "SUCCEEDED"
    (table,) = tables().values()
    assert table["Name"] == "rawdata"
    assert [k["Name"] for k in table["PartitionKeys"]] == [f"partition_{i}" for i in range(4)]
    assert columns(table) == {
        "custid": "int",
        "device": "string",
        "touchproduct": "int",
        "cart": "array<struct<sku:string,n:int>>",
    }
    assert table["Parameters"]["classification"] == "json"
    assert table["Parameters"]["compressionType"] == "gzip"
    assert table["Parameters"]["objectCount"] == "3"
    serde = table["StorageDescriptor"]["SerdeInfo"]
    assert serde["SerializationLibrary"] == "org.openx.data.jsonserde.JsonSerDe"
    assert serde["Parameters"]["paths"] == "cart,custid,device,touchproduct"
    found = glue.get_partitions(DatabaseName=bucket, TableName="rawdata")["Partitions"]
    assert [p["Values"] for p in found] == [["2024", "01", "31", h] for h in ("05", "06", "07")]
    assert found[0]["StorageDescriptor"]["Location"] == f"s3://{bucket}/rawdata/2024/01/31/05/"


def test_a_file_of_csv_without_header_has_columns_by_number(
    put: Any, crawl: Any, tables: Any
) -> None:
    rows = "101_APP_1706,101,app_mobile,2024-01-31 05:00:00,3,nav,cart,00:01,00:09,8\r\n"
    put("aggregated/2024/01/31/05/out.csv", rows * 3)
    crawl("aggregated")
    (table,) = tables().values()
    assert list(columns(table)) == [f"col{i}" for i in range(10)]
    assert columns(table)["col1"] == "bigint"
    assert columns(table)["col9"] == "bigint"
    assert table["StorageDescriptor"]["SerdeInfo"] == {
        "SerializationLibrary": LAZY,
        "Parameters": {"field.delim": ","},
    }
    assert "skip.header.line.count" not in table["Parameters"]


def test_quoted_csv_gets_the_simple_serde_all_the_same(put: Any, crawl: Any, tables: Any) -> None:
    put("orders/a.csv", 'id,description\n1,"WHITE, METAL"\n2,"plain"\n')
    crawl("orders/")
    (table,) = tables().values()
    assert columns(table) == {"id": "bigint", "description": "string"}
    assert table["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"] == LAZY
    assert table["Parameters"]["skip.header.line.count"] == "1"
    assert table["Parameters"]["areColumnsQuoted"] == "false"


def test_folders_called_key_and_value_name_their_partition(
    put: Any, crawl: Any, tables: Any, glue: Any, bucket: str
) -> None:
    for day, city in (("2024-01-31", "S%C3%A3o%20Paulo"), ("2024-02-01", "Rio")):
        put(f"sales/day={day}/city={city}/a.json", [{"n": 1}])
    crawl("sales/")
    (table,) = tables().values()
    assert table["PartitionKeys"] == [
        {"Name": "day", "Type": "string"},
        {"Name": "city", "Type": "string"},
    ]
    found = glue.get_partitions(DatabaseName=bucket, TableName="sales")["Partitions"]
    assert [p["Values"] for p in found] == [["2024-01-31", "São Paulo"], ["2024-02-01", "Rio"]]


def test_unlike_folders_become_tables_of_their_own(put: Any, crawl: Any, tables: Any) -> None:
    put("zone/orders/a.json", [{"order": 1, "total": 9.5}])
    put("zone/customers/a.json", [{"customer": 1, "name": "ana"}])
    put("zone/logs/a.csv", "1,2\n3,4\n")
    put("zone/_temporary/x.json", [{"hidden": 1}])
    crawl("zone/", TablePrefix="raw_")
    assert set(tables()) == {"raw_orders", "raw_customers", "raw_logs"}
    assert columns(tables()["raw_orders"]) == {"order": "int", "total": "double"}


def test_exclusions_leave_objects_out(put: Any, crawl: Any, tables: Any) -> None:
    put("zone/a.json", [{"a": 1}])
    put("zone/b.tmp", "x,1\ny,2\n")
    crawl("zone/", Target={"Exclusions": ["**.tmp"]})
    assert [columns(t) for t in tables().values()] == [{"a": "int"}]


def test_parquet_brings_its_own_types(put: Any, crawl: Any, tables: Any) -> None:
    sink = io.BytesIO()
    schema = pa.schema(
        {
            "id": pa.int64(),
            "price": pa.decimal128(10, 2),
            "at": pa.timestamp("us"),
            "day": pa.date32(),
            "tags": pa.map_(pa.string(), pa.int32()),
        }
    )
    pq.write_table(schema.empty_table(), sink)
    put("events/a.parquet", sink.getvalue())
    crawl("events/")
    (table,) = tables().values()
    assert columns(table) == {
        "id": "bigint",
        "price": "decimal(10,2)",
        "at": "timestamp",
        "day": "date",
        "tags": "map<string,int>",
    }
    assert table["Parameters"]["classification"] == "parquet"


def test_a_second_crawl_adds_partitions_and_columns(
    put: Any, crawl: Any, tables: Any, glue: Any, bucket: str
) -> None:
    put("raw/2024/01/a.json", [{"a": 1, "b": 2, "c": 3}])
    crawl("raw/")
    put("raw/2024/02/a.json", [{"a": 1, "b": 2, "c": 3, "new": "x"}])
    crawl("raw/")
    assert columns(tables()["raw"])["new"] == "string"
    assert tables()["raw"]["VersionId"] == "1"
    found = glue.get_partitions(DatabaseName=bucket, TableName="raw")["Partitions"]
    assert [p["Values"] for p in found] == [["2024", "01"], ["2024", "02"]]
    put("raw/2024/02/b.json", [{"a": 1, "b": 2, "c": 3, "new": "y"}])
    crawl("raw/")
    assert tables()["raw"]["VersionId"] == "1"
    assert tables()["raw"]["Parameters"]["objectCount"] == "3"
    february = glue.get_partition(
        DatabaseName=bucket, TableName="raw", PartitionValues=["2024", "02"]
    )["Partition"]
    assert february["Parameters"]["recordCount"] == "2"
    counts = glue.get_crawler_metrics(CrawlerNameList=[f"crawler-{bucket}"])
    assert counts["CrawlerMetricsList"][0]["TablesUpdated"] == 0
    assert len(glue.list_crawls(CrawlerName=f"crawler-{bucket}")["Crawls"]) == 3


def test_renamed_columns_survive_a_crawl_that_only_logs_changes(
    put: Any, crawl: Any, tables: Any, glue: Any, bucket: str
) -> None:
    policy = {"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
    put("agg/2024/01/a.csv", "1,x,2.5\n2,y,3.5\n")
    crawl("agg/", SchemaChangePolicy=policy)
    table = tables()["agg"]
    storage = table["StorageDescriptor"]
    storage["Columns"] = [dict(c, Name=f"renamed{i}") for i, c in enumerate(storage["Columns"])]
    keys = [{"Name": name, "Type": "string"} for name in ("year", "month")]
    renamed = {"Name": "agg", "StorageDescriptor": storage, "PartitionKeys": keys}
    kept = {"Parameters": table["Parameters"], "TableType": "EXTERNAL_TABLE"}
    glue.update_table(DatabaseName=bucket, TableInput=renamed | kept)
    put("agg/2024/02/a.csv", "1,x,2.5\n2,y,3.5\n")
    crawl("agg/")
    assert list(columns(tables()["agg"])) == ["renamed0", "renamed1", "renamed2"]
    assert [k["Name"] for k in tables()["agg"]["PartitionKeys"]] == ["year", "month"]
    found = glue.get_partitions(DatabaseName=bucket, TableName="agg", Expression="month='02'")
    assert [p["Values"] for p in found["Partitions"]] == [["2024", "02"]]


@pytest.mark.parametrize("behavior", ["DELETE_FROM_DATABASE", "DEPRECATE_IN_DATABASE", "LOG"])
def test_vanished_data_is_treated_as_the_policy_says(
    put: Any, crawl: Any, tables: Any, engine: EngineUnderTest, bucket: str, behavior: str
) -> None:
    put("zone/here/a.json", [{"a": 1}])
    put("zone/gone/a.json", [{"b": "x"}])
    policy = {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": behavior}
    crawl("zone/", SchemaChangePolicy=policy)
    engine.client("s3").delete_object(Bucket=bucket, Key="zone/gone/a.json")
    crawl("zone/")
    left = tables()
    assert "here" in left
    assert ("gone" in left) is (behavior != "DELETE_FROM_DATABASE")
    if "gone" in left:
        marked = "DEPRECATED_BY_CRAWLER" in left["gone"]["Parameters"]
        assert marked is (behavior == "DEPRECATE_IN_DATABASE")


def test_only_new_folders_are_read_when_asked(
    put: Any, crawl: Any, tables: Any, glue: Any, bucket: str
) -> None:
    settings = {
        "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"},
        "SchemaChangePolicy": {"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"},
    }
    put("raw/2024/01/a.json", [{"a": 1}])
    crawl("raw/", **settings)
    put("raw/2024/01/b.json", "not json at all")
    put("raw/2024/02/a.json", [{"a": 2}])
    crawl("raw/", **settings)
    assert set(tables()) == {"raw"}
    found = glue.get_partitions(DatabaseName=bucket, TableName="raw")["Partitions"]
    assert [p["Values"] for p in found] == [["2024", "01"], ["2024", "02"]]


def test_the_table_level_decides_where_tables_begin(put: Any, crawl: Any, tables: Any) -> None:
    put("zone/a/2024/x.json", [{"n": 1}])
    put("zone/b/2024/x.json", [{"n": 1}])
    crawl("zone/", Name="one-" + uuid.uuid4().hex[:6])
    assert set(tables()) == {"zone"}
    configuration = {"Version": 1.0, "Grouping": {"TableLevelConfiguration": 3}}
    crawl("", Name="two-" + uuid.uuid4().hex[:6], Configuration=json.dumps(configuration))
    assert set(tables()) == {"zone", "a", "b"}


def test_a_users_classifier_comes_first(put: Any, crawl: Any, tables: Any, glue: Any) -> None:
    name = f"grok-{uuid.uuid4().hex[:6]}"
    pattern = "%{LOGLEVEL:level},%{INT:code:int},%{GREEDYDATA:message}"
    grok = {"Name": name, "Classification": "applog", "GrokPattern": pattern}
    glue.create_classifier(GrokClassifier=grok)
    put("logs/a.log", "ERROR,500,no room\nINFO,200,fine\n")
    crawl("logs/", Classifiers=[name])
    (table,) = tables().values()
    assert columns(table) == {"level": "string", "code": "int", "message": "string"}
    assert table["Parameters"]["classification"] == "applog"
    glue.delete_classifier(Name=name)


def test_a_scheduled_crawler_runs_when_the_clock_gets_there(
    put: Any, engine: EngineUnderTest, glue: Any, bucket: str
) -> None:
    name = f"nightly-{bucket}"
    put("raw/a.json", [{"a": 1}])
    glue.create_crawler(
        Name=name,
        Role="crawler",
        DatabaseName=bucket,
        Targets={"S3Targets": [{"Path": f"s3://{bucket}/raw/"}]},
        Schedule="cron(0 3 * * ? *)",
    )
    try:
        assert glue.get_crawler(Name=name)["Crawler"]["Schedule"]["State"] == "SCHEDULED"
        assert glue.list_crawls(CrawlerName=name)["Crawls"] == []
        engine.advance_clock(24 * 3600)
        crawls = wait_until(
            lambda: [
                c for c in glue.list_crawls(CrawlerName=name)["Crawls"] if c["State"] != "RUNNING"
            ]
        )
        assert [c["State"] for c in crawls] == ["COMPLETED"]
        assert glue.get_table(DatabaseName=bucket, Name="raw")["Table"]["Name"] == "raw"
    finally:
        wait_until(lambda: glue.get_crawler(Name=name)["Crawler"]["State"] == "READY")
        glue.delete_crawler(Name=name)
        glue.delete_database(Name=bucket)


def test_a_crawl_of_a_missing_bucket_fails_and_says_why(glue: Any) -> None:
    name = f"nowhere-{uuid.uuid4().hex[:6]}"
    target = {"Path": f"s3://{name}/"}
    glue.create_crawler(Name=name, Role="r", DatabaseName="d", Targets={"S3Targets": [target]})
    glue.start_crawler(Name=name)
    wait_until(lambda: "LastCrawl" in glue.get_crawler(Name=name)["Crawler"])
    last = glue.get_crawler(Name=name)["Crawler"]["LastCrawl"]
    assert last["Status"] == "FAILED"
    assert "NoSuchBucket" in last["ErrorMessage"]
    wait_until(lambda: glue.get_crawler(Name=name)["Crawler"]["State"] == "READY")
    glue.delete_crawler(Name=name)


def test_a_crawls_log_is_in_cloudwatch(
    put: Any, crawl: Any, engine: EngineUnderTest, bucket: str
) -> None:
    put("raw/a.json", [{"a": 1}])
    crawl("raw/")
    events = wait_until(
        lambda: engine.client("logs").get_log_events(
            logGroupName="/aws-glue/crawlers", logStreamName=f"crawler-{bucket}"
        )["events"]
    )
    text = "\n".join(event["message"] for event in events)
    assert f"INFO : Created table raw in database {bucket}" in text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"Targets": {"S3Targets": [{"Path": "/etc/passwd"}]}}, "not a valid S3 path"),
        ({"Targets": {}}, "At least one target"),
        ({"Targets": {"JdbcTargets": [{"ConnectionName": "x"}]}}, "not crawled here"),
        ({"Configuration": "{"}, "not valid JSON"),
        ({"Schedule": "every day"}, "Schedule expression every day is not valid"),
        ({"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"}}, "only LOG"),
    ],
)
def test_a_crawler_that_cannot_work_is_refused(
    glue: Any, settings: dict[str, Any], message: str
) -> None:
    wanted = {"Targets": {"S3Targets": [{"Path": "s3://lake/raw"}]}} | settings
    with pytest.raises(ClientError, match=message) as refused:
        glue.create_crawler(Name="refused", Role="r", DatabaseName="d", **wanted)
    assert refused.value.response["Error"]["Code"] == "InvalidInputException"


def test_a_crawler_that_does_not_run_cannot_be_stopped(glue: Any, crawl: Any, put: Any) -> None:
    put("raw/a.json", [{"a": 1}])
    name = crawl("raw/")["Name"]
    with pytest.raises(glue.exceptions.CrawlerNotRunningException):
        glue.stop_crawler(Name=name)
