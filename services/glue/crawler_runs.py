"""Crawlers at work: a thread per run, its outcome in the store, and the schedules."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from services.clock import MovableClock, RealClock
from services.glue import databases, partitions, tables
from services.glue.catalog import Catalog
from services.glue.classifiers import existing_classifier
from services.glue.errors import GlueError
from services.glue.store import Store, path

if TYPE_CHECKING:
    from services.glue.crawling.catalog_changes import Changes
    from services.glue.crawling.crawl import CatalogBefore, Crawl

LOG = logging.getLogger(__name__)
LOG_GROUP = "/aws-glue/crawlers"
#: Of BatchCreatePartition and its like.
PARTITIONS_AT_ONCE = 100

#: (service, region) to a boto3 client of this engine.
Clients = Callable[[str, str], Any]


@dataclass
class CrawlerRun:
    """A run under way."""

    crawl_id: str
    started: float
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    log: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        return "STOPPING" if self.stop.is_set() else "RUNNING"


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `status` is LastCrawl's word."""

    status: str
    error: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


class CrawlerRuns:
    """Starts, stops and remembers runs. Safe for any number of threads."""

    def __init__(self, store: Store, clock: MovableClock, clients: Clients) -> None:
        self._store, self._clock, self._clients = store, clock, clients
        self._running: dict[tuple[str, str], CrawlerRun] = {}
        self._lock = threading.Lock()

    def of(self, catalog: Catalog, name: str) -> CrawlerRun | None:
        """The run of this crawler that is under way."""
        with self._lock:
            return self._running.get((catalog.scope, name))

    def start(self, catalog: Catalog, name: str) -> None:
        """Begin a run, or CrawlerRunningException."""
        run = CrawlerRun(str(uuid.uuid4()), catalog.now)
        with self._lock:
            if (catalog.scope, name) in self._running:
                raise GlueError(
                    "CrawlerRunningException", f"Crawler with name {name} has already started"
                )
            self._running[catalog.scope, name] = run
        run.thread = threading.Thread(
            target=self._run, args=(catalog, name, run), name=f"glue-crawler-{name}", daemon=True
        )
        run.thread.start()

    def stop(self, catalog: Catalog, name: str) -> None:
        """Ask a run to end, or CrawlerNotRunningException, or CrawlerStoppingException."""
        run = self.of(catalog, name)
        if run is None:
            raise GlueError(
                "CrawlerNotRunningException", f"Crawler with name {name} is not running."
            )
        if run.stop.is_set():
            raise GlueError("CrawlerStoppingException", f"Crawler with name {name} is stopping.")
        run.stop.set()

    def stop_all(self) -> None:
        """For the end of the engine."""
        with self._lock:
            runs = list(self._running.values())
        for run in runs:
            run.stop.set()
        for run in runs:
            if run.thread is not None:
                run.thread.join(10)

    def _run(self, catalog: Catalog, name: str, run: CrawlerRun) -> None:
        outcome = Outcome("FAILED", "Internal Service Exception")
        try:
            outcome = self._crawl(catalog, name, run)
        except Exception as wrong:
            LOG.exception("crawler %s failed", name)
            outcome = Outcome("FAILED", f"Internal Service Exception: {wrong}")
        finally:
            try:
                self._record(catalog, name, run, outcome)
            finally:
                with self._lock:
                    del self._running[catalog.scope, name]

    def _crawl(self, catalog: Catalog, name: str, run: CrawlerRun) -> Outcome:
        # What reads files (Arrow) is loaded at the first crawl, not when the engine starts.
        from services.glue.crawling.crawl import CrawlFailed, CrawlStopped

        crawler: dict[str, Any] = catalog.get("crawler", "", name) or {}
        run.log.append(f"BENCHMARK : Running Start Crawl for Crawler {name}")
        try:
            before = self._before(catalog, crawler)
            changes = self._prepared(catalog, crawler, run).plan(before, self._clock.now())
            run.log.append(
                "BENCHMARK : Classification complete, writing results to database "
                f"{crawler.get('DatabaseName')}"
            )
            counts = self._apply(catalog, crawler, changes, run)
        except CrawlStopped:
            run.log.append("INFO : The crawl was cancelled")
            return Outcome("CANCELLED")
        except (CrawlFailed, ClientError, BotoCoreError, GlueError) as wrong:
            message = wrong.message if isinstance(wrong, GlueError) else str(wrong)
            run.log.append(f"ERROR : {message}")
            return Outcome("FAILED", message)
        run.log.append("BENCHMARK : Finished writing to Catalog")
        return Outcome("SUCCEEDED", None, counts)

    def _prepared(self, catalog: Catalog, crawler: dict[str, Any], run: CrawlerRun) -> Crawl:
        from services.glue.crawler_settings import grouping_of, policy_of, targets_of
        from services.glue.crawling.crawl import Crawl
        from services.glue.crawling.s3_objects import S3Objects

        classifiers = [existing_classifier(catalog, n) for n in crawler.get("Classifiers", [])]
        return Crawl(
            S3Objects(self._clients("s3", catalog.region)),
            targets_of(crawler, catalog.table),
            classifiers,
            grouping_of(crawler),
            policy_of(crawler),
            run.stop,
        )

    def _before(self, catalog: Catalog, crawler: dict[str, Any]) -> CatalogBefore:
        from services.glue.crawling.crawl import CatalogBefore

        database = _database_of(crawler)
        there = [body for _, body in catalog.items("table", path(database))]
        return CatalogBefore(
            there,
            {
                table["Name"]: [
                    body for _, body in catalog.items("partition", path(database, table["Name"]))
                ]
                for table in there
            },
        )

    def _apply(
        self, catalog: Catalog, crawler: dict[str, Any], changes: Changes, run: CrawlerRun
    ) -> dict[str, int]:
        """All of a crawl's changes, or none."""
        now = Catalog(self._store, catalog.account_id, catalog.region, self._clock.now())
        database = _database_of(crawler)
        with self._store.transaction():
            if now.get("database", "", database) is None:
                databases.create_database(now, {"DatabaseInput": {"Name": database}})
            for wanted in changes.create:
                tables.create_table(now, {"DatabaseName": database, "TableInput": wanted})
                run.log.append(f"INFO : Created table {wanted['Name']} in database {database}")
            for wanted in (*changes.update, *changes.deprecate):
                tables.update_table(now, {"DatabaseName": database, "TableInput": wanted})
                run.log.append(f"INFO : Updated table {wanted['Name']} in database {database}")
            for name in changes.delete:
                tables.delete_table(now, {"DatabaseName": database, "Name": name})
                run.log.append(f"INFO : Deleted table {name} in database {database}")
            counted = _apply_partitions(now, database, changes, run)
            _recount(now, database, changes)
        run.log += [f"INFO : {note}" for note in changes.notes]
        return counted | {
            "TablesCreated": len(changes.create),
            "TablesUpdated": len(changes.update),
            "TablesDeleted": len(changes.delete) + len(changes.deprecate),
        }

    def _record(self, catalog: Catalog, name: str, run: CrawlerRun, outcome: Outcome) -> None:
        """The outcome into the crawler and its history, the log into CloudWatch."""
        ended = self._clock.now()
        run.log.append("BENCHMARK : Crawler has finished running and is in state READY")
        logged = {"LogGroup": LOG_GROUP, "LogStream": name, "MessagePrefix": run.crawl_id}
        error = {"ErrorMessage": outcome.error[:2048]} if outcome.error else {}
        last = {"Status": outcome.status, "StartTime": run.started, **logged, **error}
        state = {"SUCCEEDED": "COMPLETED", "CANCELLED": "STOPPED"}.get(outcome.status, "FAILED")
        history = {
            "CrawlId": run.crawl_id,
            "State": state,
            "StartTime": run.started,
            "EndTime": ended,
            "Summary": json.dumps(
                {"TABLE": _summary(outcome.counts, "Tables")}
                | {"PARTITION": _summary(outcome.counts, "Partitions")}
            ),
            "DPUHour": 0.0,
            **logged,
            **error,
        }
        with self._store.transaction():
            crawler = catalog.get("crawler", "", name)
            if crawler is not None:
                metrics = outcome.counts or crawler.get("Metrics", {})
                catalog.put(
                    "crawler", "", name, crawler | {"LastCrawl": last, "Metrics": dict(metrics)}
                )
                newest_first = f"{10**14 - int(run.started * 1000):015d}-{run.crawl_id}"
                catalog.put("crawl", path(name), newest_first, history)
        self._write_log(catalog.region, name, run)

    def _write_log(self, region: str, name: str, run: CrawlerRun) -> None:
        """Where a crawler's log is on AWS. A crawl does not fail because its log could not be
        written; the engine's own log says so then."""
        try:
            logs = self._clients("logs", region)
            for create, arguments in (
                (logs.create_log_group, {"logGroupName": LOG_GROUP}),
                (logs.create_log_stream, {"logGroupName": LOG_GROUP, "logStreamName": name}),
            ):
                try:
                    create(**arguments)
                except logs.exceptions.ResourceAlreadyExistsException:
                    continue
            # CloudWatch Logs lives on the machine's clock and drops what lies hours ahead of it.
            at = int(RealClock().now() * 1000)
            events = [
                {"timestamp": at + i, "message": f"[{run.crawl_id}] {line}"}
                for i, line in enumerate(run.log)
            ]
            logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=name, logEvents=events)
        except (ClientError, BotoCoreError) as wrong:
            LOG.warning("the log of crawler %s was not written: %s", name, wrong)


def _database_of(crawler: dict[str, Any]) -> str:
    """A crawler of catalog tables works in their database."""
    catalog_targets = crawler["Targets"].get("CatalogTargets") or []
    name = catalog_targets[0]["DatabaseName"] if catalog_targets else crawler.get("DatabaseName")
    return str(name or "default").lower()


def _apply_partitions(
    catalog: Catalog, database: str, changes: Changes, run: CrawlerRun
) -> dict[str, int]:
    counts = {"PartitionsCreated": 0, "PartitionsUpdated": 0, "PartitionsDeleted": 0}
    for table, wanted in changes.add_partitions.items():
        place = {"DatabaseName": database, "TableName": table}
        for at in range(0, len(wanted), PARTITIONS_AT_ONCE):
            chunk = list(wanted[at : at + PARTITIONS_AT_ONCE])
            partitions.batch_create_partition(catalog, place | {"PartitionInputList": chunk})
        counts["PartitionsCreated"] += len(wanted)
        run.log.append(f"INFO : Created {len(wanted)} partitions of table {table}")
    for table, updated in changes.update_partitions.items():
        for one in updated:
            place = {"DatabaseName": database, "TableName": table}
            values = {"PartitionValueList": one["Values"], "PartitionInput": one}
            partitions.update_partition(catalog, place | values)
        counts["PartitionsUpdated"] += len(updated)
    for table, gone in changes.delete_partitions.items():
        for values_gone in gone:
            place = {"DatabaseName": database, "TableName": table}
            partitions.delete_partition(catalog, place | {"PartitionValues": values_gone})
        counts["PartitionsDeleted"] += len(gone)
        run.log.append(f"INFO : Deleted {len(gone)} partitions of table {table}")
    return counts


def _recount(catalog: Catalog, database: str, changes: Changes) -> None:
    """Counts of objects and records are noted where they belong, without a new version."""
    for wanted in changes.recount:
        table = catalog.table(database, wanted["Name"])
        catalog.put("table", path(database), table["Name"], table | wanted)
    for name, found in changes.recount_partitions.items():
        for one in found:
            place = {"DatabaseName": database, "TableName": name}
            values = {"PartitionValueList": one["Values"], "PartitionInput": one}
            partitions.update_partition(catalog, place | values)


def _summary(counts: Mapping[str, int], kind: str) -> dict[str, int]:
    return {
        word: counts.get(f"{kind}{verb}", 0)
        for word, verb in (("ADD", "Created"), ("UPDATE", "Updated"), ("DELETE", "Deleted"))
    }
