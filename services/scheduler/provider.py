"""LocalStack's store of schedules, with a clockwork that makes them call their targets."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from localstack.aws.api import RequestContext, handler
from localstack.aws.api.scheduler import ValidationException
from localstack.aws.connect import connect_to
from localstack.services.moto import MotoFallbackDispatcher, call_moto
from localstack.services.plugins import Service, aws_provider
from localstack.services.scheduler import provider as stock
from moto.scheduler.models import Schedule, scheduler_backends

from services.localstack.running import Running, running
from services.localstack.state.pickling import NotKept
from services.localstack.state.provider import is_kept, keeper
from services.scheduler import progress
from services.scheduler.clockwork import Clockwork, KeptSchedule
from services.scheduler.expression import (
    ExpressionRefused,
    Timing,
    parse_expression,
    parse_timezone,
)

LOG = logging.getLogger(__name__)

Request = dict[str, Any]


@lru_cache(maxsize=64)
def _client(service: str, region: str, account_id: str) -> Any:
    """A client that stays inside the process."""
    clients = connect_to(aws_access_key_id=account_id, region_name=region)
    return getattr(clients, {"lambda": "lambda_"}.get(service, service))


def _timing(schedule: Schedule, anchor: float) -> Timing:
    def seconds(date: Any) -> float | None:
        return None if date is None else float(date)

    return Timing(
        schedule.schedule_expression,
        schedule.schedule_expression_timezone,
        seconds(schedule.start_date),
        seconds(schedule.end_date),
        anchor,
    )


class MotoStore:
    """Schedules are moto's objects; their progress is an attribute that is kept with them."""

    def schedules(self) -> Iterator[KeptSchedule]:
        for account in list(scheduler_backends.values()):
            for backend in list(account.values()):
                for group in list(backend.schedule_groups.values()):
                    yield from (s for s in list(group.schedules.values()) if hasattr(s, "progress"))

    def save(self) -> None:
        if is_kept():
            try:
                keeper().changed("scheduler")
            except (OSError, sqlite3.Error, NotKept, RuntimeError) as error:
                LOG.error("The progress of schedules could not be written: %s", error)

    def delete(self, schedule: KeptSchedule) -> None:
        _, _, _, region, account_id, resource = schedule.arn.split(":", 5)
        _, group_name, name = resource.split("/")
        group = scheduler_backends[account_id][region].schedule_groups.get(group_name)
        if group is not None and group.schedules.get(name) is schedule:
            del group.schedules[name]


def _make(running: Running) -> Clockwork:
    clockwork = Clockwork(running.clock, MotoStore(), _client)
    running.when_stopping(clockwork.stop)
    return clockwork


def _clockwork() -> Clockwork:
    """The one of this engine."""
    return running().core("scheduler", _make)


def _check(expression: str) -> None:
    try:
        parse_expression(expression)
    except ExpressionRefused as refused:
        raise ValidationException(str(refused)) from None


# LocalStack's own check knows fewer expressions than AWS, and none for updates.
stock._validate_schedule_expression = _check


class FiringSchedulerProvider(stock.SchedulerProvider):
    """What LocalStack's provider answers, and a schedule's times are looked at."""

    def on_before_start(self) -> None:
        """Schedules of a former engine go on; those of a former release begin."""
        now = running().clock.now()
        found = False
        for account in scheduler_backends.values():
            for backend in account.values():
                for group in backend.schedule_groups.values():
                    for schedule in group.schedules.values():
                        found = True
                        _take_up(schedule, now)
        if found:
            _clockwork().look()

    @handler("CreateSchedule", expand=False)
    def create_schedule(self, context: RequestContext, request: Request) -> Any:
        return self._put(context, request)

    @handler("UpdateSchedule", expand=False)
    def update_schedule(self, context: RequestContext, request: Request) -> Any:
        return self._put(context, request)

    def _put(self, context: RequestContext, request: Request) -> Any:
        _check(request["ScheduleExpression"])
        try:
            parse_timezone(request.get("ScheduleExpressionTimezone") or "UTC")
        except ExpressionRefused as refused:
            raise ValidationException(str(refused)) from None
        answer = call_moto(context)
        backend = scheduler_backends[context.account_id][context.region]
        schedule = backend.get_schedule(request.get("GroupName"), request["Name"])
        # moto's updates forget the one, and leave the other out where AWS has a default.
        schedule.action_after_completion = request.get("ActionAfterCompletion")
        schedule.state = request.get("State") or "ENABLED"
        clockwork = _clockwork()
        with clockwork.lock:
            _note_times(schedule, running().clock.now())
        clockwork.look()
        return answer


def _note_times(schedule: Schedule, now: float) -> None:
    timing, is_enabled = _timing(schedule, now), schedule.state == "ENABLED"
    before = getattr(schedule, "progress", None)
    schedule.progress = (
        progress.begin(timing, is_enabled)
        if before is None
        else progress.changed(before, timing, is_enabled)
    )


def _take_up(schedule: Schedule, now: float) -> None:
    if (before := getattr(schedule, "progress", None)) is not None:
        schedule.progress = progress.after_restart(before, now)
        return
    try:
        parse_expression(schedule.schedule_expression)
        parse_timezone(schedule.schedule_expression_timezone)
        _note_times(schedule, now)
    except (ExpressionRefused, ValueError) as refused:
        LOG.warning("%s will not run: %s", schedule.arn, refused)


@aws_provider(api="scheduler", name="riacho")
def scheduler() -> Service:
    return Service.for_provider(
        FiringSchedulerProvider(), dispatch_table_factory=MotoFallbackDispatcher
    )
