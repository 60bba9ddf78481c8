"""A notification of an acknowledged object arrives, however the engine ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from services.localstack.engine import start
from services.settings import Settings
from tests.services.localstack.state import load
from tests.services.localstack.state.load import Clients
from tests.services.localstack.state.test_restart import kill
from tests.waiting import wait_until

#: An engine whose notifications are on their way for ever.
STUCK = "tests.services.localstack.s3.stuck_notifications"


def told(aws: Clients) -> list[str]:
    """The keys of which the queue was told, without S3's test event."""
    bodies = [json.loads(body) for body in load.take_all(aws, "told")]
    records = [record for body in bodies for record in body.get("Records", ())]
    return [record["s3"]["object"]["key"] for record in records]


def wait_for(aws: Clients, arrived: list[str], key: str) -> None:
    def has_arrived() -> bool:
        arrived.extend(told(aws))
        return key in arrived

    wait_until(has_arrived)


def test_what_was_on_its_way_arrives_after_kill_9_and_only_then(tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=tmp_path / "data", dynamodb="light")
    with start(replace(settings, extra_modules=STUCK)) as engine:
        aws = Clients(engine.endpoint_url)
        aws.sqs.create_queue(QueueName="told")
        aws.s3.create_bucket(Bucket="story")
        load.tell(aws, "story", "told")
        for key in ("one", "two", "three", "four", "five"):
            aws.s3.put_object(Bucket="story", Key=key, Body=b"x")
        assert told(aws) == []
        kill(engine)
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        arrived: list[str] = []
        wait_for(aws, arrived, "five")
        assert arrived == ["one", "two", "three", "four", "five"]
        aws.s3.put_object(Bucket="story", Key="six", Body=b"x")
        wait_for(aws, arrived, "six")
        engine.stop()
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        aws.s3.put_object(Bucket="story", Key="seven", Body=b"x")
        wait_for(aws, arrived, "seven")
        assert arrived == ["one", "two", "three", "four", "five", "six", "seven"]


def test_a_damaged_file_of_notifications_is_set_aside(tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=tmp_path / "data", dynamodb="light")
    file = settings.data_dir / "state" / "s3-notifications.sqlite3"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"damaged" * 1000)
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        aws.sqs.create_queue(QueueName="told")
        aws.s3.create_bucket(Bucket="story")
        load.tell(aws, "story", "told")
        aws.s3.put_object(Bucket="story", Key="one", Body=b"x")
        assert wait_until(lambda: told(aws)) == ["one"]
        log = (settings.data_dir / "engine.log").read_text()
        assert "s3-notifications starts empty: what it kept cannot be read" in log
    assert list(file.parent.glob("s3-notifications.sqlite3.set-aside-*"))
