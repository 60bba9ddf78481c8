"""Writers on every service, an engine killed again and again: what was acknowledged is there.

After each restart what the APIs count is what was acknowledged (and at most what a writer had no
answer for), and in the end the work that runs by itself has gone on and adds up.
`RIACHO_STORY_KILLS=30` is the full size; `RIACHO_STORY_SEED` chooses other moments.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from consumers.kcl import LOCAL, Scheduler
from scripts.reconcile.reconciliation import Holding, Verdict, reconcile
from services.localstack.engine import Engine, start
from services.settings import Settings
from tests.consumers.kcl.recording import Journal, Recorder
from tests.services.localstack.state import load
from tests.services.localstack.state.load import Clients
from tests.services.localstack.state.test_restart import kill
from tests.waiting import wait_until

KILLS = int(os.environ.get("RIACHO_STORY_KILLS", "2"))
SEED = int(os.environ.get("RIACHO_STORY_SEED", "11"))
#: Takes longer than what is left of the engine's life.
LONG_QUERY = "SELECT 'long', count(*) FROM UNNEST(sequence(1, 30000)) a(x), UNNEST(sequence(1, 30000)) b(y) WHERE (x * y) % 7 = 3"  # noqa: E501


@dataclass
class Written:
    """What writers of one kind know: names that were acknowledged, and those without an answer."""

    acknowledged: list[str] = field(default_factory=list)
    in_doubt: list[str] = field(default_factory=list)

    def verdict(self, kind: str, found: Iterable[str], *, once: bool = True) -> Verdict:
        holding, sent, doubt = Holding(kind), Holding("sent"), Holding("in doubt")
        for side, names in ((sent, self.acknowledged), (doubt, self.in_doubt)):
            for name in names:
                side.add(name)
        for name in found if once else set(found):
            holding.add(name)
        return reconcile(sent, holding, unconfirmed=doubt)


class Writers:
    """A thread for each kind; ends with the engine."""

    def __init__(self, aws: Clients, round_: int, written: dict[str, Written]) -> None:
        self._round, self._is_killed = round_, False
        self.refused: list[str] = []
        self._threads = [
            threading.Thread(
                target=self._write, args=(call, kind, written.setdefault(kind, Written()))
            )
            for kind, call in load.writes(aws).items()
        ]
        for thread in self._threads:
            thread.start()

    def _write(self, call: Callable[[str], Any], kind: str, written: Written) -> None:
        number = 0
        while not self._is_killed:
            name = f"{kind}-{self._round}-{number}"
            try:
                call(name)
            except (BotoCoreError, ClientError) as error:
                written.in_doubt.append(name)
                if not self._is_killed:
                    self.refused.append(f"{name}: {error}")
                return
            written.acknowledged.append(name)
            number += 1

    def end_with(self, engine: Engine) -> None:
        self._is_killed = True
        kill(engine)
        for thread in self._threads:
            thread.join()
        assert not self.refused


@pytest.mark.slow
def test_everything_acknowledged_is_there_after_every_kill(tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=tmp_path / "data", stream_status_seconds=0.02)
    copied_to, read = tmp_path / "copied", Journal()
    written: dict[str, Written] = {}
    chance = random.Random(SEED)
    for round_ in range(KILLS):
        with start(settings) as engine:
            aws = Clients(engine.endpoint_url)
            if round_ == 0:
                load.prepare(aws, copied_to)
            with kcl_worker(aws, read):
                if round_:
                    compare(load.inventory(aws), written)
                writers = Writers(aws, round_, written)
                wait_until(lambda: all(w.acknowledged for w in written.values()), seconds=120)
                threading.Event().wait(chance.uniform(0.5, 4.0))
                load.query(aws, LONG_QUERY)
                writers.end_with(engine)
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        compare(load.inventory(aws), written)
        assert len(failed_queries(aws)) > 0
        goes_on(aws, engine)
        add_up(aws, copied_to, read, written)
    print({kind: len(each.acknowledged) for kind, each in written.items()})


def compare(found: dict[str, list[str]], written: dict[str, Written]) -> None:
    for kind, names in found.items():
        verdict = written[kind].verdict(kind, names)
        assert verdict.adds_up, verdict


def failed_queries(aws: Clients) -> list[dict[str, Any]]:
    """Those that ran when the engine was killed."""
    return [q for q in load.ended_queries(aws) if q["Status"]["State"] == "FAILED"]


def goes_on(aws: Clients, engine: Engine) -> None:
    """Alarms are evaluated, rules and schedules fire."""
    aws.cloudwatch.put_metric_data(
        Namespace="story", MetricData=[{"MetricName": "watches", "Value": 9}]
    )
    engine.advance_clock(3600)
    wait_until(lambda: "each-hour" in load.take_all(aws, "turns"))
    wait_until(lambda: load.take_all(aws, "went-off"), seconds=60)
    wait_until(lambda: load.take_all(aws, "ticks"), seconds=90)


def add_up(aws: Clients, copied_to: Path, read: Journal, written: dict[str, Written]) -> None:
    """What was on its way has arrived: once in a queue, at least once at a subscriber, in the
    function of a mapping, at a KCL worker and in a delivery stream's bucket."""
    taken = load.take_all(aws, "sent")
    assert (sent := written["sqs"].verdict("sqs", taken)).adds_up, sent

    def arrived(kind: str, where: str, found_there: Callable[[], Iterable[str]]) -> None:
        def adds_up() -> bool:
            found[:] = found_there()
            return not written[kind].verdict(where, found, once=False).missing

        found: list[str] = []
        try:
            wait_until(adds_up, seconds=90, every=1)
        finally:
            verdict = written[kind].verdict(where, found)
            print(verdict)
        assert written[kind].verdict(where, found, once=False).adds_up, verdict

    bodies: dict[str, list[str]] = {"published": [], "told": []}

    def names_in(queue: str, kind: str) -> list[str]:
        bodies[queue] += load.take_all(aws, queue)
        words = [word for body in bodies[queue] for word in body.split('"')]
        return [word for word in words if word.startswith(f"{kind}-")]

    arrived("sns", "subscriber", lambda: names_in("published", "sns"))
    arrived("objects", "notifications", lambda: names_in("told", "objects"))
    arrived("records", "mapping", lambda: copied_to.read_text().split())
    arrived("delivered", "delivery stream", lambda: load.delivered(aws))
    with kcl_worker(aws, read):
        arrived("records", "KCL worker", lambda: names_read(read))


def names_read(read: Journal) -> list[str]:
    return [record.data.decode() for records in read.records.values() for record in list(records)]


@contextmanager
def kcl_worker(aws: Clients, read: Journal) -> Iterator[None]:
    """One that goes on where the last one was; ends with its engine, or gracefully."""
    worker = Scheduler(
        "story-leases", "story", aws.kinesis, aws.dynamodb, partial(Recorder, read), settings=LOCAL
    )
    worker.start()
    try:
        yield
    finally:
        worker.shutdown()
        assert worker.join(60)
