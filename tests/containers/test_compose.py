"""The classroom as it is started: events flow, services crash and come back, nothing is lost."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from collections import Counter
from itertools import islice

import pytest

from producer.datasets import Event, dataset
from producer.ledger import read_ledger
from services.opensearch.dashboards import saved_objects
from services.opensearch.panels import panel_queries
from tests.containers.composed import Composed
from tests.waiting import wait_until

SECONDS = 120
LONG_RUNNING = ("localstack", "producer", "clickstream", "consumer", "dashboard", "opensearch")
#: Refused by OpenSearch on a text field, which is what a field without a template becomes.
DEVICES = {"terms": {"field": "device"}}
pytestmark = pytest.mark.slow


def test_events_reach_lake_and_table(compose: Composed) -> None:
    wait_until(lambda: compose.items() > 500, SECONDS)
    s3 = compose.client("s3")
    wait_until(lambda: s3.list_objects_v2(Bucket="riacho-lake", Prefix="raw/")["KeyCount"], SECONDS)


def test_firehose_delivers_clicks_into_opensearch(compose: Composed) -> None:
    wait_until(lambda: len(compose.documents()) > 100, SECONDS, every=1)
    mapping = compose.search("ecommerce/_search", {"size": 0, "aggs": {"d": DEVICES}})
    assert mapping["aggregations"]["d"]["buckets"]  # a keyword: the templates came first


def test_the_dashboard_answers_on_this_machine(compose: Composed) -> None:
    url = f"http://127.0.0.1:{compose.dashboard_port}/"
    with urllib.request.urlopen(url, timeout=30) as page:
        assert b"<title>Streamlit</title>" in page.read()


@pytest.mark.parametrize(
    ("runtime", "file", "source"),
    [
        ("python3.13", "app.py", "import os\ndef handler(e, c): return [e['n'] + 1, os.getuid()]"),
        ("nodejs22.x", "app.js", "exports.handler = async e => [e.n + 1, process.getuid()]"),
    ],
)
def test_functions_run_in_the_engines_container(
    compose: Composed, runtime: str, file: str, source: str
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(file, source)
    awslambda = compose.client("lambda")
    awslambda.create_function(
        FunctionName=file.replace(".", "-"),
        Runtime=runtime,
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/functions",
        Code={"ZipFile": packed.getvalue()},
        Timeout=30,
    )
    awslambda.get_waiter("function_active_v2").wait(FunctionName=file.replace(".", "-"))
    answer = awslambda.invoke(FunctionName=file.replace(".", "-"), Payload=b'{"n": 41}')
    assert json.load(answer["Payload"]) == [42, 10001]


def test_nothing_runs_as_root(compose: Composed) -> None:
    for service in LONG_RUNNING:
        assert compose.compose("exec", "-T", service, "id", "-u").strip() != "0", service


def test_a_check_fails_while_what_it_needs_is_away(compose: Composed) -> None:
    """The engine stands still: so do those who live on it, and their checks say it."""
    for service in LONG_RUNNING:
        code, words = compose.run_health_check(service)
        assert code == 0, f"{service}: {words}"
    compose.signal_processes("localstack", "STOP", "localstack.runtime.main")
    try:
        for service in ("localstack", "dashboard"):
            code, words = compose.run_health_check(service)
            assert code == 1, service
            assert "does not answer" in words
        for service in ("consumer", "producer"):
            wait_until(lambda s=service: compose.run_health_check(s)[0] == 1, SECONDS, every=1)
        assert "Leases have not been renewed" in compose.run_health_check("consumer")[1]
        assert "records wait" in compose.run_health_check("producer")[1]
    finally:
        compose.signal_processes("localstack", "CONT", "localstack.runtime.main")
    for service in LONG_RUNNING:
        wait_until(lambda s=service: compose.run_health_check(s)[0] == 0, SECONDS, every=1)


def test_the_engine_is_not_well_without_its_database(compose: Composed) -> None:
    compose.signal_processes("localstack", "STOP", "DynamoDBLocal")
    try:
        code, words = compose.run_health_check("localstack")
        assert code == 1
        assert "DynamoDB_20120810.ListTables" in words
    finally:
        compose.signal_processes("localstack", "CONT", "DynamoDBLocal")
    wait_until(lambda: compose.run_health_check("localstack")[0] == 0, SECONDS, every=1)


def test_three_consumers_share_the_shards(compose: Composed) -> None:
    compose.up("--no-recreate", "--scale", "consumer=3")
    leases = compose.client("dynamodb")

    def owners() -> set[str]:
        items = leases.scan(TableName="orders-consumer")["Items"]
        return {item["leaseOwner"]["S"] for item in items if "leaseOwner" in item}

    wait_until(lambda: len(owners()) == 3, SECONDS)


def test_every_service_comes_back_after_a_crash(compose: Composed) -> None:
    """Each in turn, while events flow; the engine last, with everything on its volume."""
    before = compose.items()
    for service in LONG_RUNNING[1:]:
        compose.crashes_and_restarts(service)
    compose.all_healthy(LONG_RUNNING)
    compose.crashes_and_restarts("localstack")
    compose.all_healthy(LONG_RUNNING)
    assert compose.items() >= before
    now = compose.items()
    wait_until(lambda: compose.items() > now, SECONDS)


def test_a_restart_of_the_engine_keeps_streams_tables_and_objects(compose: Composed) -> None:
    items = compose.items()
    keys = {
        o["Key"] for o in compose.client("s3").list_objects_v2(Bucket="riacho-lake")["Contents"]
    }
    compose.compose("restart", "localstack")
    wait_until(lambda: compose.is_healthy("localstack"), SECONDS, every=0.5)
    assert compose.items() >= items
    kept = compose.client("s3").list_objects_v2(Bucket="riacho-lake")["Contents"]
    assert keys <= {o["Key"] for o in kept}
    summary = compose.client("kinesis").describe_stream_summary(StreamName="orders")
    assert summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"


def test_nothing_acknowledged_is_missing_in_the_end(compose: Composed) -> None:
    """The producer is told to stop; what it put is in lake and table.

    The lake may hold an event twice where a killed engine had kept a call that it never answered:
    the producer has to send it again. The table knows events by their ids.
    """
    compose.compose("stop", "producer")

    def settled() -> bool:
        return all(v.missing == 0 for v in compose.proof().verdicts)

    wait_until(settled, SECONDS, every=2)
    proof = compose.proof()
    assert proof.acknowledged > 2_000
    lake, table = proof.verdicts
    assert table.adds_up
    assert (lake.missing, lake.unsent) == (0, 0)
    assert lake.doubled <= 1_000  # two calls of PutRecords: the engine died once by SIGKILL
    if not lake.doubled:
        assert lake.adds_up


def test_every_click_is_found_and_the_panels_count_them(compose: Composed) -> None:
    """OpenSearch and the engine died while Firehose delivered: no click is missing, and the pie by
    device shows what the generator made."""
    compose.compose("stop", "clickstream")
    entries = read_ledger(compose.ledger("clickstream"))
    acknowledged = {e.event_id for e in entries if e.kind == "acknowledged"}
    assert len(acknowledged) > 300
    wait_until(lambda: acknowledged <= set(compose.documents()), SECONDS, every=1)
    stored = Counter(compose.documents())
    assert sum(stored.values()) - len(stored) <= 1_000
    made = islice(dataset("ecommerce", seed=1).events(), 10_000)
    devices = {e.event_id: json.loads(e.data)["device"] for e in made if isinstance(e, Event)}
    expected: Counter[str] = Counter()
    for event_id, copies in stored.items():
        expected[devices[event_id]] += copies
    panels = {query.object_id: query for query in panel_queries(saved_objects())}
    pie = panels["ecommerce-devices"]
    answer = compose.search("ecommerce/_search", pie.body)
    assert {keys[0]: count for keys, count in pie.rows(answer)} == expected
