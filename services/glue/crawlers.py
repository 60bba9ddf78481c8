"""Crawlers: their definitions, runs, schedules and history, as AWS's API shows them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from statistics import median
from typing import Any

from services.clock import MovableClock
from services.cron import ScheduleRefused, parse_schedule
from services.glue.catalog import Answer, Catalog, Operations, Request, without_none
from services.glue.classifiers import existing_classifier
from services.glue.crawler_runs import Clients, CrawlerRuns
from services.glue.errors import GlueError, already_exists, invalid_input, not_found
from services.glue.paging import paged_answer
from services.glue.store import Store, path
from services.glue.tags import put_tags, tags_of

KEPT = (
    "Name",
    "Role",
    "DatabaseName",
    "Description",
    "Targets",
    "Classifiers",
    "TablePrefix",
    "SchemaChangePolicy",
    "RecrawlPolicy",
    "LineageConfiguration",
    "LakeFormationConfiguration",
    "Configuration",
    "CrawlerSecurityConfiguration",
)
CRAWLED_TARGETS = ("S3Targets", "CatalogTargets")
#: What a crawler keeps for itself.
NOT_SHOWN = ("Metrics", "ScheduledAt")
DEFAULT_POLICY = {
    "UpdateBehavior": "UPDATE_IN_DATABASE",
    "DeleteBehavior": "DEPRECATE_IN_DATABASE",
}


class Crawlers:
    """The operations on crawlers, and the clockwork that starts scheduled ones."""

    def __init__(self, store: Store, clock: MovableClock, clients: Clients) -> None:
        self.runs = CrawlerRuns(store, clock, clients)
        self._store, self._clock = store, clock
        self._changed = threading.Event()
        self._closed = False
        self._clockwork: threading.Thread | None = None
        self._last_looked = clock.now()
        if any(self._scheduled()):
            self._wake_clockwork()

    def operations(self) -> Operations:
        return {
            "CreateCrawler": self.create,
            "UpdateCrawler": self.update,
            "DeleteCrawler": self.delete,
            "GetCrawler": self.get,
            "GetCrawlers": self.get_all,
            "BatchGetCrawlers": self.batch_get,
            "ListCrawlers": self.list_names,
            "ListCrawls": self.list_crawls,
            "GetCrawlerMetrics": self.metrics,
            "StartCrawler": self.start,
            "StopCrawler": self.stop,
            "UpdateCrawlerSchedule": self.update_schedule,
            "StartCrawlerSchedule": self.start_schedule,
            "StopCrawlerSchedule": self.stop_schedule,
        }

    def create(self, catalog: Catalog, request: Request) -> Answer:
        if catalog.get("crawler", "", request["Name"]) is not None:
            raise already_exists(f"Crawler with name {request['Name']} already exists")
        body: Answer = {
            "Classifiers": [],
            "SchemaChangePolicy": DEFAULT_POLICY,
            "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
            "LineageConfiguration": {"CrawlerLineageSettings": "DISABLE"},
            "LakeFormationConfiguration": {"UseLakeFormationCredentials": False, "AccountId": ""},
        } | _kept(request)
        _check(catalog, body)
        body |= {"CreationTime": catalog.now, "LastUpdated": catalog.now, "Version": 1}
        if request.get("Schedule"):
            body |= _schedule(request["Schedule"], catalog.now)
        catalog.put("crawler", "", request["Name"], body)
        put_tags(catalog, catalog.arn(f"crawler/{request['Name']}"), request.get("Tags") or {})
        self._wake_clockwork()
        return {}

    def update(self, catalog: Catalog, request: Request) -> Answer:
        old = _existing(catalog, request["Name"])
        if self.runs.of(catalog, request["Name"]):
            raise _running(request["Name"])
        body = old | _kept(request)
        _check(catalog, body)
        body |= {"LastUpdated": catalog.now, "Version": old["Version"] + 1}
        if "Schedule" in request:
            body |= _schedule(request["Schedule"], catalog.now)
        catalog.put("crawler", "", request["Name"], body)
        self._wake_clockwork()
        return {}

    def delete(self, catalog: Catalog, request: Request) -> Answer:
        name = request["Name"]
        _existing(catalog, name)
        if self.runs.of(catalog, name):
            raise _running(name)
        catalog.delete("crawler", "", name)
        for key, _ in catalog.items("crawl", path(name)):
            catalog.delete("crawl", path(name), key)
        put_tags(catalog, catalog.arn(f"crawler/{name}"), {})
        return {}

    def get(self, catalog: Catalog, request: Request) -> Answer:
        return {"Crawler": self._shown(catalog, _existing(catalog, request["Name"]))}

    def get_all(self, catalog: Catalog, request: Request) -> Answer:
        return paged_answer(
            "Crawlers",
            catalog.items("crawler"),
            request,
            100,
            lambda body: self._shown(catalog, body),
        )

    def batch_get(self, catalog: Catalog, request: Request) -> Answer:
        found = {name: catalog.get("crawler", "", name) for name in request["CrawlerNames"]}
        return {
            "Crawlers": [self._shown(catalog, body) for body in found.values() if body],
            "CrawlersNotFound": [name for name, body in found.items() if body is None],
        }

    def list_names(self, catalog: Catalog, request: Request) -> Answer:
        wanted = (request.get("Tags") or {}).items()
        items = [
            (name, name)
            for name, _ in catalog.items("crawler")
            if wanted <= tags_of(catalog, catalog.arn(f"crawler/{name}")).items()
        ]
        return paged_answer("CrawlerNames", items, request, 100)

    def list_crawls(self, catalog: Catalog, request: Request) -> Answer:
        """Newest first, the one under way before all."""
        name = request["CrawlerName"]
        _existing(catalog, name)
        crawls = list(catalog.items("crawl", path(name)))
        if run := self.runs.of(catalog, name):
            under_way = {"CrawlId": run.crawl_id, "State": "RUNNING", "StartTime": run.started}
            crawls.insert(0, ("0", under_way))
        filters = request.get("Filters") or []
        chosen = [item for item in crawls if all(_passes(item[1], rule) for rule in filters)]
        return paged_answer("Crawls", chosen, request, 20)

    def metrics(self, catalog: Catalog, request: Request) -> Answer:
        wanted = request.get("CrawlerNameList")
        items = [item for item in catalog.items("crawler") if not wanted or item[0] in wanted]
        return paged_answer(
            "CrawlerMetricsList", items, request, 100, lambda body: self._metrics(catalog, body)
        )

    def start(self, catalog: Catalog, request: Request) -> Answer:
        _existing(catalog, request["Name"])
        self.runs.start(catalog, request["Name"])
        return {}

    def stop(self, catalog: Catalog, request: Request) -> Answer:
        _existing(catalog, request["Name"])
        self.runs.stop(catalog, request["Name"])
        return {}

    def update_schedule(self, catalog: Catalog, request: Request) -> Answer:
        body = _existing(catalog, request["CrawlerName"])
        body |= _schedule(request.get("Schedule") or "", catalog.now)
        catalog.put("crawler", "", body["Name"], body)
        self._wake_clockwork()
        return {}

    def start_schedule(self, catalog: Catalog, request: Request) -> Answer:
        self._set_schedule(catalog, request["CrawlerName"], "SCHEDULED", "SchedulerRunning")
        self._wake_clockwork()
        return {}

    def stop_schedule(self, catalog: Catalog, request: Request) -> Answer:
        self._set_schedule(catalog, request["CrawlerName"], "NOT_SCHEDULED", "SchedulerNotRunning")
        return {}

    def close(self) -> None:
        """Stop the clockwork and every run."""
        self._closed = True
        self._changed.set()
        self.runs.stop_all()
        if self._clockwork is not None:
            self._clockwork.join(10)

    def _set_schedule(self, catalog: Catalog, name: str, state: str, error: str) -> None:
        body = _existing(catalog, name)
        if not body.get("Schedule", {}).get("ScheduleExpression"):
            raise GlueError("NoScheduleException", f"There is no schedule for crawler {name}.")
        if body["Schedule"]["State"] == state:
            raise GlueError(
                f"{error}Exception",
                f"The schedule of crawler {name} is already in state {state}.",
            )
        body["Schedule"]["State"], body["ScheduledAt"] = state, catalog.now
        catalog.put("crawler", "", name, body)

    def _shown(self, catalog: Catalog, body: Answer) -> Answer:
        run = self.runs.of(catalog, body["Name"])
        return {key: value for key, value in body.items() if key not in NOT_SHOWN} | {
            "State": run.state if run else "READY",
            "CrawlElapsedTime": int((catalog.now - run.started) * 1000) if run else 0,
        }

    def _metrics(self, catalog: Catalog, body: Answer) -> Answer:
        crawls = [crawl for _, crawl in catalog.items("crawl", path(body["Name"]))]
        times = [crawl["EndTime"] - crawl["StartTime"] for crawl in crawls]
        counts = body.get("Metrics", {})
        run = self.runs.of(catalog, body["Name"])
        guess = median(times) - (catalog.now - run.started) if run and times else 0.0
        return {
            "CrawlerName": body["Name"],
            "TimeLeftSeconds": max(0.0, guess),
            "StillEstimating": bool(run) and not times,
            "LastRuntimeSeconds": times[0] if times else 0.0,
            "MedianRuntimeSeconds": median(times) if times else 0.0,
        } | {
            name: counts.get(name, 0)
            for name in ("TablesCreated", "TablesUpdated", "TablesDeleted")
        }

    def _scheduled(self) -> list[tuple[str, dict[str, Any]]]:
        """(scope, crawler) of all that run by the clock."""
        return [
            (scope, crawler)
            for scope in self._store.scopes("crawler")
            for _, crawler in self._store.items(scope, "crawler", "")
            if crawler.get("Schedule", {}).get("State") == "SCHEDULED"
        ]

    def _wake_clockwork(self) -> None:
        """Schedules have changed. Without any, no thread waits for them."""
        self._changed.set()
        if self._clockwork is None and not self._closed and self._scheduled():
            self._clockwork = threading.Thread(
                target=self._tick, name="glue-crawler-schedules", daemon=True
            )
            self._clockwork.start()

    def _tick(self) -> None:
        while not self._closed:
            self._changed.clear()
            due = self._next_due()
            if due is None:
                self._changed.wait()
            elif self._clock.wait(due, self._changed):
                self._start_due()

    def _next_due(self) -> float | None:
        times = [_next(crawler, self._last_looked) for _, crawler in self._scheduled()]
        return min((at for at in times if at is not None), default=None)

    def _start_due(self) -> None:
        """Everything whose time has come, once, however far the clock was moved; a crawler
        that is still running misses its turn, as on AWS."""
        since, now = self._last_looked, self._clock.now()
        self._last_looked = now
        for scope, crawler in self._scheduled():
            at = _next(crawler, since)
            if at is None or at > now:
                continue
            account_id, _, region = scope.partition("/")
            try:
                self.runs.start(Catalog(self._store, account_id, region, now), crawler["Name"])
            except GlueError as busy:
                if busy.code != "CrawlerRunningException":
                    raise


def _next(crawler: Mapping[str, Any], since: float) -> float | None:
    """Its first turn later than `since`; turns before it was scheduled do not count."""
    schedule = parse_schedule(crawler["Schedule"]["ScheduleExpression"])
    return schedule.next_after(max(since, crawler["ScheduledAt"]))


def _existing(catalog: Catalog, name: str) -> Answer:
    found: Answer | None = catalog.get("crawler", "", name)
    if found is None:
        raise not_found(f"Crawler entry with name {name} does not exist")
    return found


def _running(name: str) -> GlueError:
    return GlueError("CrawlerRunningException", f"Crawler with name {name} has already started")


def _kept(request: Request) -> Answer:
    return without_none({member: request.get(member) for member in KEPT})


def _schedule(expression: str, now: float) -> Answer:
    if not expression:
        return {"Schedule": {"ScheduleExpression": "", "State": "NOT_SCHEDULED"}}
    try:
        parse_schedule(expression)
    except ScheduleRefused as wrong:
        raise invalid_input(str(wrong)) from None
    schedule = {"ScheduleExpression": expression, "State": "SCHEDULED"}
    return {"Schedule": schedule, "ScheduledAt": now}


def _check(catalog: Catalog, body: Answer) -> None:
    # Settings bring Arrow along, which nobody needs before there is a crawler.
    from services.glue.crawler_settings import grouping_of, policy_of, targets_of

    targets = body["Targets"]
    if not any(targets.get(kind) for kind in targets):
        raise invalid_input("At least one target must be specified.")
    for kind in targets:
        if targets[kind] and kind not in CRAWLED_TARGETS:
            raise invalid_input(f"{kind} are not crawled here: use S3Targets or CatalogTargets.")
    if targets.get("S3Targets") and targets.get("CatalogTargets"):
        raise invalid_input("S3Targets and CatalogTargets cannot be in one crawler.")
    for name in body.get("Classifiers", []):
        existing_classifier(catalog, name)
    targets_of(body, catalog.table)
    grouping_of(body)
    _check_recrawl(body, policy_of(body))


def _check_recrawl(body: Answer, policy: Any) -> None:
    if (body.get("RecrawlPolicy") or {}).get("RecrawlBehavior") == "CRAWL_EVENT_MODE":
        raise invalid_input("CRAWL_EVENT_MODE is not part of this engine.")
    if policy.new_folders_only and (policy.updates or policy.delete_behavior != "LOG"):
        raise invalid_input(
            "The SchemaChangePolicy for Crawl new folders only Amazon S3 target can have only LOG "
            "DeleteBehavior value and LOG UpdateBehavior value."
        )
    if body["Targets"].get("CatalogTargets") and policy.delete_behavior != "LOG":
        raise invalid_input(
            "The SchemaChangePolicy for Catalog target can have only LOG DeleteBehavior value."
        )


def _passes(crawl: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    member = {
        "CRAWL_ID": "CrawlId",
        "STATE": "State",
        "START_TIME": "StartTime",
        "END_TIME": "EndTime",
        "DPU_HOUR": "DPUHour",
    }[rule["FieldName"]]
    value, wanted = crawl.get(member), rule["FieldValue"]
    if value is None:
        return False
    if not isinstance(value, str):
        try:
            # Times are compared in milliseconds, as the API reference says.
            factor = 1000 if member.endswith("Time") else 1
            left: Any = value * factor
            right: Any = float(wanted)
        except ValueError:
            raise invalid_input(f"Filter value {wanted} is not a number.") from None
    else:
        left, right = value, wanted
    return bool(
        {
            "GT": left > right,
            "GE": left >= right,
            "LT": left < right,
            "LE": left <= right,
            "EQ": left == right,
            "NE": left != right,
        }[rule["FilterOperator"]]
    )
