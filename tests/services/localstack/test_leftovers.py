"""Nothing outlives an engine: not after kill -9 of it, of its parent, of its children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from services.connect import connect
from services.localstack.data_folder import find, is_running
from services.localstack.engine import Engine, start
from services.localstack.environment import ENGINE_PYTHON, ROOT
from services.localstack.processes import ProcessId, descendants, end_all, snapshot
from services.settings import Settings
from tests.waiting import wait_until


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Engine]:
    """An engine of its own, with everything on disk and a table with one item."""
    with start(Settings(port=0, data_dir=tmp_path / "data")) as engine:
        make_table(engine)
        yield engine


def make_table(engine: Engine) -> None:
    dynamodb = connect("dynamodb", engine.endpoint_url)
    dynamodb.create_table(
        TableName="kept",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="kept", Item={"pk": {"S": "a"}})
    wanted = {"Enabled": True, "AttributeName": "expires"}
    dynamodb.update_time_to_live(TableName="kept", TimeToLiveSpecification=wanted)


def items(engine: Engine) -> Any:
    try:
        return connect("dynamodb", engine.endpoint_url).scan(TableName="kept")["Items"]
    except ClientError:
        return None


def java_of(engine: Engine) -> ProcessId:
    (java,) = descendants(engine.pid)
    return java


def test_a_killed_dynamodb_comes_back_and_a_killed_engine_leaves_only_its_data(
    durable: Engine,
) -> None:
    os.kill(java_of(durable).pid, signal.SIGKILL)
    assert wait_until(lambda: items(durable)) == [{"pk": {"S": "a"}}]

    java = java_of(durable)
    os.kill(durable.pid, signal.SIGKILL)
    wait_until(lambda: java not in snapshot())
    durable.stop()
    assert not is_running(durable.settings.data_dir)
    assert find(durable.settings.data_dir) is None
    with start(durable.settings) as again:
        assert items(again) == [{"pk": {"S": "a"}}]
        dynamodb = connect("dynamodb", again.endpoint_url)
        kept = dynamodb.describe_time_to_live(TableName="kept")["TimeToLiveDescription"]
        assert kept == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


def test_everything_dies_with_a_killed_parent(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from services.localstack.engine import start; from services.settings import Settings\n"
        "from tests.services.localstack.test_leftovers import make_table\n"
        f"engine = start(Settings(port=0, data_dir=Path({str(tmp_path / 'data')!r})))\n"
        "make_table(engine); print('ready', flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        family = descendants(parent.pid)
        assert len(family) == 2
        parent.kill()
    wait_until(lambda: not set(family) & set(snapshot()))


#: As LocalStack stops while a request is answered: its loop is over, so the thread that wants to
#: send the answer waits for ever, and Python waits for the thread.
STOPPED_BUT_FOR_A_THREAD = """
import threading
from localstack.runtime import events
from services.localstack.ending import arrange_the_end
arrange_the_end()
threading.Thread(target=threading.Event().wait).start()
events.infra_stopping.set()
events.infra_stopped.set()
"""


def test_an_engine_ends_though_a_request_of_it_never_does() -> None:
    program = [str(ENGINE_PYTHON), "-c", STOPPED_BUT_FOR_A_THREAD]
    assert subprocess.run(program, cwd=ROOT, timeout=60).returncode == 0


def test_two_engines_live_side_by_side(tmp_path: Path, engine: Any) -> None:
    with start(Settings(port=0, data_dir=tmp_path / "other", stream_storage="memory")) as other:
        assert other.endpoint_url != engine.endpoint_url
        connect("s3", other.endpoint_url).create_bucket(Bucket="only-here")
        assert "only-here" not in [b["Name"] for b in engine.client("s3").list_buckets()["Buckets"]]


def test_processes_that_do_not_end_are_killed() -> None:
    stubborn = [sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(600)"]
    with subprocess.Popen(stubborn) as process:
        wanted = [p for p in descendants(os.getpid()) if p.pid == process.pid]
        assert wanted
        end_all(wanted, grace_seconds=0.1)
    assert process.returncode == -signal.SIGKILL
