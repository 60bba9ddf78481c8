"""The AWS CLI's athena and glue commands that a course uses, against the real engine."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from awscli.clidriver import create_clidriver

from tests.conftest import EngineUnderTest
from tests.waiting import wait_until

#: https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-returncodes.html
REFUSED = (254, 255)


class AwsCli:
    """`aws SERVICE COMMAND …` in this process: starting it anew takes a second a command."""

    def __init__(self, engine: EngineUnderTest, bucket: str) -> None:
        self.endpoint_url, self.bucket = engine.endpoint_url, bucket

    def text(self, line: str, *more: str) -> str:
        """What the command prints. `line` is cut at blanks; `more` are whole arguments."""
        out, err = io.StringIO(), io.StringIO()
        arguments = ["--endpoint-url", self.endpoint_url, *line.split(), *more]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = create_clidriver().main(arguments)
        assert code == 0, f"aws {line}: {err.getvalue()}"
        return out.getvalue()

    def __call__(self, line: str, *more: str) -> Any:
        printed = self.text(line, *more, "--output", "json")
        return json.loads(printed) if printed.strip() else None

    def refused(self, line: str, *more: str) -> str:
        """Why the service refused it."""
        err = io.StringIO()
        arguments = ["--endpoint-url", self.endpoint_url, *line.split(), *more]
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
            assert create_clidriver().main(arguments) in REFUSED
        return err.getvalue()

    def query(self, sql: str, *more: str) -> str:
        """Run a statement to its end; its id."""
        location = f"OutputLocation=s3://{self.bucket}/results/"
        started: str = self(
            "athena start-query-execution", "--query-string", sql,
            "--result-configuration", location, *more,
        )["QueryExecutionId"]  # fmt: skip

        def state() -> str:
            line = f"athena get-query-execution --query-execution-id {started} --output text"
            return self.text(line, "--query", "QueryExecution.Status.State").strip()

        wait_until(lambda: state() not in ("QUEUED", "RUNNING"), 60)
        assert state() == "SUCCEEDED"
        return started


@pytest.fixture(scope="module")
def bucket(engine: EngineUnderTest) -> str:
    name = f"cli-{uuid.uuid4().hex[:8]}"
    engine.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def aws(engine: EngineUnderTest, bucket: str, monkeypatch: pytest.MonkeyPatch) -> AwsCli:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_PAGER", ""),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    return AwsCli(engine, bucket)


@pytest.fixture
def name() -> str:
    return f"cli_{uuid.uuid4().hex[:8]}"


def test_a_query_from_the_database_to_its_rows(aws: AwsCli, name: str, tmp_path: Path) -> None:
    rows = tmp_path / "a.csv"
    rows.write_text("1,one\n2,two\n")
    aws.text(f"s3 cp {rows} s3://{aws.bucket}/{name}/day=1/a.csv --no-progress")
    aws.query(f"CREATE DATABASE {name}")
    inside = ("--query-execution-context", f"Database={name}")
    aws.query(
        "CREATE EXTERNAL TABLE t (id int, word string) PARTITIONED BY (day string) ROW FORMAT DELIMITED "
        f"FIELDS TERMINATED BY ',' LOCATION 's3://{aws.bucket}/{name}/'", *inside,
    )  # fmt: skip
    aws.query("MSCK REPAIR TABLE t", *inside)
    asked = aws.query(
        "SELECT id, word, day FROM t WHERE id > ? ORDER BY id", *inside, "--execution-parameters", "0"
    )  # fmt: skip
    results = f"athena get-query-results --query-execution-id {asked}"
    cells = "ResultSet.Rows[*].Data[*].VarCharValue"
    assert aws.text(results + " --output text", "--query", cells) == (
        "id\tword\tday\n1\tone\t1\n2\ttwo\t1\n"
    )
    assert aws(results, "--query", cells) == [["id", "word", "day"], ["1", "one", "1"], ["2", "two", "1"]]  # fmt: skip
    assert "two" in aws.text(results + " --output table")
    first = aws(results + " --max-items 2")
    again = aws(results + f" --starting-token {first['NextToken']}")
    assert [len(page["ResultSet"]["Rows"]) for page in (first, again)] == [2, 1]
    execution = aws(f"athena get-query-execution --query-execution-id {asked}")["QueryExecution"]
    assert execution["Statistics"]["DataScannedInBytes"] == 12
    where = execution["ResultConfiguration"]["OutputLocation"]
    assert aws.text(f"s3 cp {where} -") == '"id","word","day"\n"1","one","1"\n"2","two","1"\n'
    statistics = aws(f"athena get-query-runtime-statistics --query-execution-id {asked}")
    assert statistics["QueryRuntimeStatistics"]["Rows"]["InputBytes"] == 12
    assert asked in aws("athena list-query-executions --max-items 5")["QueryExecutionIds"]
    batch = aws(
        f"athena batch-get-query-execution --query-execution-ids {asked} {uuid.UUID(int=0)}"
    )
    assert [each["QueryExecutionId"] for each in batch["QueryExecutions"]] == [asked]
    assert len(batch["UnprocessedQueryExecutionIds"]) == 1


def test_a_query_that_fails_says_why_and_one_that_runs_is_stopped(aws: AwsCli) -> None:
    location = ("--result-configuration", f"OutputLocation=s3://{aws.bucket}/results/")
    start = "athena start-query-execution"
    failed = aws(start, "--query-string", "SELECT * FROM nowhere", *location)["QueryExecutionId"]
    status = f"athena get-query-execution --query-execution-id {failed}"
    wait_until(lambda: aws(status)["QueryExecution"]["Status"]["State"] == "FAILED", 60)
    assert "TABLE_NOT_FOUND" in aws.text(
        status + " --output text", "--query", "QueryExecution.Status.StateChangeReason"
    )
    results = f"athena get-query-results --query-execution-id {failed}"
    assert "Query did not finish successfully" in aws.refused(results)
    endless = (
        "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x), UNNEST(sequence(1, 10000)) b(y), "
        "UNNEST(sequence(1, 10000)) c(z) WHERE rand() > x * y * z"
    )
    running = aws(start, "--query-string", endless, *location)["QueryExecutionId"]
    aws(f"athena stop-query-execution --query-execution-id {running}")
    status = f"athena get-query-execution --query-execution-id {running}"
    wait_until(lambda: aws(status)["QueryExecution"]["Status"]["State"] == "CANCELLED", 60)
    assert "InvalidRequestException" in aws.refused(start, "--query-string", "SELEC 1", *location)


def test_work_groups(aws: AwsCli, name: str) -> None:
    where = f"ResultConfiguration={{OutputLocation=s3://{aws.bucket}/{name}/}}"
    aws(f"athena create-work-group --name {name} --description mine", "--configuration", where)
    assert aws("athena list-work-groups", "--query", f"WorkGroups[?Name=='{name}'].State") == ["ENABLED"]  # fmt: skip
    aws(
        f"athena update-work-group --work-group {name} --description ours",
        "--configuration-updates", "BytesScannedCutoffPerQuery=10000000,EnforceWorkGroupConfiguration=true",
    )  # fmt: skip
    found = aws(f"athena get-work-group --work-group {name}")["WorkGroup"]
    assert found["Description"] == "ours"
    assert found["Configuration"]["BytesScannedCutoffPerQuery"] == 10_000_000
    arn = f"arn:aws:athena:us-east-1:000000000000:workgroup/{name}"
    aws(f"athena tag-resource --resource-arn {arn} --tags Key=course,Value=st1612")
    assert aws(f"athena list-tags-for-resource --resource-arn {arn}")["Tags"] == [{"Key": "course", "Value": "st1612"}]  # fmt: skip
    aws(f"athena untag-resource --resource-arn {arn} --tag-keys course")
    asked = aws.query("SELECT 1", "--work-group", name)
    assert aws(f"athena list-query-executions --work-group {name}")["QueryExecutionIds"] == [asked]
    aws(f"athena delete-work-group --work-group {name} --recursive-delete-option")
    assert "not found" in aws.refused(f"athena get-work-group --work-group {name}")
    versions = aws("athena list-engine-versions")["EngineVersions"]
    assert "Athena engine version 3" in [v["EffectiveEngineVersion"] for v in versions]


def test_named_queries(aws: AwsCli, name: str) -> None:
    made = aws(
        f"athena create-named-query --name {name} --database default", "--query-string", "SELECT 1"
    )["NamedQueryId"]
    assert made in aws("athena list-named-queries")["NamedQueryIds"]
    aws(f"athena update-named-query --named-query-id {made} --name {name}", "--query-string", "SELECT 2")  # fmt: skip
    assert aws(f"athena get-named-query --named-query-id {made}")["NamedQuery"]["QueryString"] == "SELECT 2"  # fmt: skip
    batch = aws(f"athena batch-get-named-query --named-query-ids {made}")
    assert [each["Name"] for each in batch["NamedQueries"]] == [name]
    aws(f"athena delete-named-query --named-query-id {made}")
    assert made not in aws("athena list-named-queries")["NamedQueryIds"]


def test_prepared_statements(aws: AwsCli, name: str) -> None:
    this = f"--statement-name {name} --work-group primary"
    aws(f"athena create-prepared-statement {this}", "--query-statement", "SELECT ? + 1 AS n")
    listed = aws("athena list-prepared-statements --work-group primary")["PreparedStatements"]
    assert name in [each["StatementName"] for each in listed]
    asked = aws.query(f"EXECUTE {name} USING 41")
    cells = "ResultSet.Rows[1].Data[0].VarCharValue"
    assert aws(f"athena get-query-results --query-execution-id {asked}", "--query", cells) == "42"
    aws(f"athena update-prepared-statement {this}", "--query-statement", "SELECT ? + 2 AS n")
    found = aws(f"athena get-prepared-statement {this}")["PreparedStatement"]
    assert found["QueryStatement"] == "SELECT ? + 2 AS n"
    batch = aws(f"athena batch-get-prepared-statement --prepared-statement-names {name} --work-group primary")  # fmt: skip
    assert [each["StatementName"] for each in batch["PreparedStatements"]] == [name]
    aws(f"athena delete-prepared-statement {this}")
    assert "ResourceNotFoundException" in aws.refused(f"athena get-prepared-statement {this}")


def test_catalogs_and_metadata(aws: AwsCli, name: str) -> None:
    aws(f"glue create-database --database-input Name={name}")
    aws.query(f"CREATE EXTERNAL TABLE {name}.t (id int) LOCATION 's3://{aws.bucket}/none/'")
    catalog = "--catalog-name AwsDataCatalog"
    listed = aws(f"athena list-databases {catalog}", "--query", "DatabaseList[*].Name")
    assert name in listed
    assert aws(f"athena get-database {catalog} --database-name {name}")["Database"]["Name"] == name
    tables = aws(f"athena list-table-metadata {catalog} --database-name {name}")
    assert [each["Name"] for each in tables["TableMetadataList"]] == ["t"]
    table = aws(f"athena get-table-metadata {catalog} --database-name {name} --table-name t")
    assert table["TableMetadata"]["Columns"] == [{"Name": "id", "Type": "int"}]
    catalogs = aws("athena list-data-catalogs", "--query", "DataCatalogsSummary[*].CatalogName")
    assert "AwsDataCatalog" in catalogs
    aws(f"athena create-data-catalog --name {name} --type GLUE --parameters catalog-id=000000000000")  # fmt: skip
    assert aws(f"athena get-data-catalog --name {name}")["DataCatalog"]["Type"] == "GLUE"
    aws(f"athena delete-data-catalog --name {name}")


def test_glues_tables_and_partitions(aws: AwsCli, name: str, tmp_path: Path) -> None:
    aws(f"glue create-database --database-input Name={name},Description=course")
    assert name in aws("glue get-databases", "--query", "DatabaseList[*].Name")
    assert aws(f"glue get-database --name {name}")["Database"]["Description"] == "course"
    storage = {
        "Columns": [{"Name": "id", "Type": "int"}],
        "Location": f"s3://{aws.bucket}/{name}/",
        "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
    }
    table = {"Name": "t", "StorageDescriptor": storage, "PartitionKeys": [{"Name": "day", "Type": "string"}]}  # fmt: skip
    (tmp_path / "table.json").write_text(json.dumps(table))
    document = f"file://{tmp_path}/table.json"
    aws(f"glue create-table --database-name {name} --table-input {document}")
    (tmp_path / "table.json").write_text(json.dumps({**table, "Description": "again"}))
    aws(f"glue update-table --database-name {name} --table-input {document}")
    assert aws(f"glue get-tables --database-name {name}", "--query", "TableList[*].Name") == ["t"]
    found = aws(f"glue get-table --database-name {name} --name t")["Table"]
    assert found["Description"] == "again"
    versions = aws(f"glue get-table-versions --database-name {name} --table-name t")
    assert len(versions["TableVersions"]) == 2
    here = f"--database-name {name} --table-name t"
    aws(f"glue create-partition {here}", "--partition-input", json.dumps({"Values": ["1"], "StorageDescriptor": storage}))  # fmt: skip
    more = [{"Values": [day], "StorageDescriptor": storage} for day in ("2", "3")]
    assert aws(f"glue batch-create-partition {here}", "--partition-input-list", json.dumps(more)) in (None, {}, {"Errors": []})  # fmt: skip
    days = aws(f"glue get-partitions {here}", "--expression", "day > '1'", "--query", "Partitions[*].Values[0]")  # fmt: skip
    assert sorted(days) == ["2", "3"]
    assert aws(f"glue get-partition {here} --partition-values 1")["Partition"]["Values"] == ["1"]
    aws(f"glue delete-partition {here} --partition-values 1")
    aws(f"glue batch-delete-partition {here} --partitions-to-delete Values=2 Values=3")
    assert aws(f"glue get-partitions {here}")["Partitions"] == []
    assert "t" in aws("glue search-tables", "--search-text", "again", "--query", "TableList[*].Name")  # fmt: skip
    aws(f"glue delete-table --database-name {name} --name t")
    assert "EntityNotFoundException" in aws.refused(f"glue get-table --database-name {name} --name t")  # fmt: skip
    aws(f"glue delete-database --name {name}")


def test_a_crawler_finds_a_table(aws: AwsCli, name: str, tmp_path: Path) -> None:
    rows = tmp_path / "a.json"
    rows.write_text('{"id": 1, "word": "one"}\n{"id": 2, "word": "two"}\n')
    aws.text(f"s3 cp {rows} s3://{aws.bucket}/{name}/day=1/a.json --no-progress")
    aws(f"glue create-database --database-input Name={name}")
    targets = json.dumps({"S3Targets": [{"Path": f"s3://{aws.bucket}/{name}/"}]})
    aws(f"glue create-crawler --name {name} --role r --database-name {name}", "--targets", targets)
    assert name in aws("glue list-crawlers")["CrawlerNames"]
    aws(f"glue start-crawler --name {name}")
    last = ("--query", "Crawler.LastCrawl.Status", "--output", "text")
    wait_until(lambda: aws.text(f"glue get-crawler --name {name}", *last).strip() == "SUCCEEDED", 60)  # fmt: skip
    metrics = aws(f"glue get-crawler-metrics --crawler-name-list {name}")["CrawlerMetricsList"]
    assert metrics[0]["TablesCreated"] == 1
    assert aws(f"glue get-tables --database-name {name}", "--query", "TableList[*].Name") == [name]
    aws(f"glue update-crawler --name {name} --description again")
    assert name in aws("glue get-crawlers", "--query", "Crawlers[?Description=='again'].Name")
    aws(f"glue delete-crawler --name {name}")
    grok = {"Classification": "web", "Name": name, "GrokPattern": "%{WORD:word}"}
    aws("glue create-classifier", "--grok-classifier", json.dumps(grok))
    assert name in aws("glue get-classifiers", "--query", "Classifiers[*].GrokClassifier.Name")
    aws(f"glue delete-classifier --name {name}")


def test_it_runs_as_a_program_of_its_own(aws: AwsCli) -> None:
    command = [sys.executable, "-m", "awscli", "--endpoint-url", aws.endpoint_url]
    done = subprocess.run(
        [*command, "athena", "list-work-groups", "--query", "WorkGroups[?Name=='primary'].State", "--output", "text"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "ENABLED\n"), done.stderr
