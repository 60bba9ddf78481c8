"""An engine that is stopped delivers what waits; one that is killed leaves it to the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from services.localstack.engine import Engine, start
from services.settings import Settings
from tests.services.firehose.lake import Lake
from tests.waiting import wait_until


@pytest.fixture
def other(lake: Lake, tmp_path: Path) -> Iterator[Engine]:
    """An engine of its own, whose buckets are on the engine of the other tests."""
    (tmp_path / "lake_endpoint").write_text(lake.engine.endpoint_url)
    settings = Settings(
        port=0, data_dir=tmp_path, extra_modules="tests.stories.lake_elsewhere", dynamodb="light"
    )
    with start(settings) as engine:
        yield engine


def firehose_of(engine: Engine) -> Any:
    session = boto3.Session("test", "test", region_name="us-east-1")
    return session.client("firehose", endpoint_url=engine.endpoint_url)


def test_stopping_delivers_and_a_kill_leaves_it_to_the_next_engine(
    lake: Lake, other: Engine
) -> None:
    destination = {
        **lake.bucket,
        "BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 900},
    }
    firehose_of(other).create_delivery_stream(
        DeliveryStreamName="s", ExtendedS3DestinationConfiguration=destination
    )

    def put(content: bytes) -> None:
        firehose = firehose_of(other)
        firehose.put_record(DeliveryStreamName="s", Record={"Data": content})

    put(b"killed,")
    other.process.kill()
    other.process.wait()
    with start(other.settings) as after_the_kill:
        put(b"stopped")
        assert lake.object_keys() == []
        after_the_kill.stop()
    (key,) = lake.object_keys()
    assert lake.body(key) == b"killed,stopped"
    with start(other.settings) as again:
        put(b"again")
        again.advance_clock(901)
        wait_until(lambda: len(lake.object_keys()) == 2)
    assert sorted(lake.body(key) for key in lake.object_keys()) == [b"again", b"killed,stopped"]
