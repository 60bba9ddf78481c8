"""Every panel's numbers out of the real OpenSearch are those of the data that was sent."""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any

import pytest

from producer.agent.log_formats import LOG_FORMATS
from producer.datasets import Ecommerce
from producer.ledger import summarize
from services.opensearch.dashboards import saved_objects
from services.opensearch.panels import TimeRange, panel_queries
from tests.conftest import SearchEngine
from tests.scripts.command import riacho
from tests.services.opensearch.indexes import Indexes
from tests.waiting import wait_until

CLICKS = 2_000
LOG_LINES = [
    f'{host} - - [17/May/2015:1{n % 3}:05:03 +0000] "GET /{page} HTTP/1.1" {status} {size} "-" '
    f'"Mozilla/5.0 (Windows NT 6.1; rv:27.0) Gecko/20100101 Firefox/27.0"'
    for n, (host, page, status, size) in enumerate(
        (
            f"192.0.2.{n % 7}",
            f"page-{n % 5}",
            (200, 200, 404, 301)[n % 4],
            (n * 37, "-")[n % 9 == 8],
        )
        for n in range(90)
    )
]


def combined(line: str) -> dict[str, Any]:
    """The agent's JSON of an access log's line."""
    log_format = LOG_FORMATS["COMBINEDAPACHELOG"]
    match = log_format.pattern.fullmatch(line)
    assert match is not None
    return dict(zip(log_format.fields, match.groups(), strict=True))


def put_documents(indexes: Indexes, index: str, documents: list[dict[str, Any]]) -> None:
    for number, document in enumerate(documents):
        indexes.call("PUT", f"/{index}/_doc/{number}", document)


@pytest.mark.slow
def test_clickstream_panels_show_what_the_ledger_and_the_events_say(
    search_engine: SearchEngine, indexes: Indexes, tmp_path: Path
) -> None:
    ledger, stream = tmp_path / "sent.ledger", "panels"
    there = ("--stream", stream, "--endpoint-url", search_engine.endpoint_url)
    produced = riacho(
        *("produce", "--dataset", "ecommerce", "--count", str(CLICKS), "--create-shards", "2"),
        *("--ledger", str(ledger), *there),
    )
    assert produced.returncode == 0, produced.stderr
    where = f"endpoint={search_engine.opensearch_url},index=ecommerce,id=event_id"
    command = [sys.executable, "-m", "scripts.command_line.main", "consume", *there]
    worker = Popen([*command, "--processor", f"to_opensearch:{where}"], stderr=DEVNULL)
    try:
        wait_until(lambda: indexes.count("ecommerce*") >= CLICKS, 90, 0.5)
    finally:
        worker.terminate()
        assert worker.wait(60) == 0

    events = [json.loads(event.data) for event in Ecommerce().events(CLICKS)]
    assert indexes.panel("ecommerce-events") == {(): summarize(ledger).acknowledged}
    assert indexes.panel("ecommerce-visitors") == {(): len({e["custid"] for e in events})}
    assert indexes.panel("ecommerce-devices") == counted(events, "device")
    assert indexes.panel("ecommerce-heat-map") == counted(events, "url", "trafficfrom")
    assert indexes.panel("ecommerce-funnel") == counted(events, "url", "device")

    start = datetime(2026, 1, 1, 9, tzinfo=UTC)
    first_day = TimeRange(start, start + timedelta(days=1))
    assert first_day.interval == "30m"
    visitors: dict[tuple[Any, ...], set[int]] = {}
    for event in events:
        moment = datetime.fromisoformat(event["trans_timestamp"])
        piece = moment.replace(minute=moment.minute // 30 * 30, second=0, microsecond=0)
        visitors.setdefault((f"{piece.isoformat()}.000Z",), set()).add(event["custid"])
    shown = indexes.panel("ecommerce-visitors-over-time", first_day)
    assert shown == {piece: len(found) for piece, found in visitors.items()}


def counted(events: list[dict[str, Any]], *fields: str) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(event[field] for field in fields) for event in events)


def test_errors_are_shown_by_region_and_over_time(indexes: Indexes) -> None:
    now = datetime.now(UTC)
    codes = (None, "E_TIMEOUT", None, "E_DRM")
    logs = [
        {
            "timestamp": (now - timedelta(seconds=n)).isoformat().replace("+00:00", "Z"),
            "user_id": f"u{n % 11}",
            "device": ("tv", "mobile")[n % 2],
            "ip_address": f"192.0.2.{n}",
            "region": ("eu-west-1", "sa-east-1", "us-east-1")[n % 3],
            **({"error_code": codes[n % 4]} if n % 8 else {}),
        }
        for n in range(60)
    ]
    put_documents(indexes, "streaming-media-2026-11-24", logs)
    errors = [log for log in logs if log.get("error_code")]
    assert indexes.panel("streaming-media-errors-by-region") == counted(
        errors, "region", "error_code"
    )
    assert indexes.panel("streaming-media-devices") == counted(logs, "device")
    last_hour = TimeRange(now - timedelta(hours=1), now + timedelta(seconds=1))
    shown = indexes.panel("streaming-media-errors-over-time", last_hour)
    by_region: Counter[str] = Counter()
    for (_, region), count in shown.items():
        by_region[region] += int(count)
    assert by_region == Counter(log["region"] for log in errors)


def test_access_logs_are_shown_by_response_page_and_time(indexes: Indexes) -> None:
    logs = [combined(line) for line in LOG_LINES]
    put_documents(indexes, "weblogs", logs)
    pages = [log["request"].split()[1] for log in logs]
    assert indexes.panel("weblogs-requests") == {(): len(logs)}
    assert indexes.panel("weblogs-hosts") == {(): len({log["host"] for log in logs})}
    sizes = [int(log["bytes"]) for log in logs if log["bytes"] != "-"]
    assert indexes.panel("weblogs-bytes") == {(): sum(sizes)}
    responses = Counter((int(log["response"]),) for log in logs)
    assert indexes.panel("weblogs-responses") == responses
    assert indexes.panel("weblogs-pages") == Counter((page,) for page in pages)
    missing = [p for p, log in zip(pages, logs, strict=True) if log["response"] == "404"]
    assert indexes.panel("weblogs-missing-pages") == Counter((page,) for page in missing)
    day = datetime(2015, 5, 17, tzinfo=UTC)
    shown = indexes.panel("weblogs-over-time", TimeRange(day, day + timedelta(days=1)))
    assert sum(shown.values()) == len(logs)
    hours = {datetime.fromisoformat(moment).hour for moment, _ in shown}
    assert hours == {10, 11, 12}
    assert indexes.documents("weblogs")[0]["_source"]["browser"]["name"] == "Firefox"


def test_no_panel_fails_where_nothing_was_sent_yet(indexes: Indexes) -> None:
    for query in panel_queries(saved_objects()):
        assert indexes.panel(query.object_id) == {}


def test_panels_can_be_looked_at_without_a_browser(
    search_engine: SearchEngine, indexes: Indexes
) -> None:
    put_documents(indexes, "ecommerce", [{"device": "browser", "custid": 1}])
    endpoint = ("--endpoint", search_engine.opensearch_url)
    indexes.cluster.refresh("ecommerce")
    told = json.loads(riacho("search", "panels", "--json", *endpoint).stdout)
    assert told["ecommerce-devices"] == [[["browser"], 1]]
    assert "browser: 1" in riacho("search", "panels", *endpoint).stdout
