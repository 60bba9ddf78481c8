"""A state saved on one machine loads on another: other folder, other port; and older ones load."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from services.localstack.engine import Engine, start
from services.localstack.environment import ENGINE_PYTHON, ROOT
from services.localstack.state import archive
from services.localstack.state.frozen import engine_versions
from services.settings import Settings
from tests.services.awslambda.functions import invoke, wait_until_active
from tests.services.localstack.state import load
from tests.services.localstack.state.load import Clients
from tests.services.localstack.state.test_restart import kill
from tests.waiting import wait_until

#: Writes what an engine keeps of functions as engines did before it was rows: by dill.
FORMER = """
import sqlite3, sys, threading, _thread
from pathlib import Path
from localstack.state import pickle
from services.localstack.state import pickling

for kind, make in ((_thread.RLock, threading.RLock), (_thread.LockType, threading.Lock)):
    pickle.register(kind)(lambda pickler, lock, make=make: pickler.save_reduce(make, (), obj=lock))
data = Path(sys.argv[1])
rows = sqlite3.connect(data / "state/lambda.sqlite3")
stores = {}
for name, content in rows.execute("SELECT name, content FROM rows").fetchall():
    _, _, account_id, region = name.split("/")
    stores[account_id, region] = pickling.loads(content)
rows.close()
for file in (data / "state").glob("lambda.sqlite3*"):
    file.unlink()
(data / "lambda/functions.pickle").write_bytes(pickle.dumps(stores))
"""


def names(aws: Clients) -> dict[str, list[str]]:
    return {kind: sorted(found) for kind, found in load.inventory(aws).items()}


def make_something(aws: Clients) -> dict[str, list[str]]:
    """One of each kind, and their names."""
    for kind, write in load.writes(aws).items():
        write(f"{kind}-1")
    wait_until(lambda: all(s["StackStatus"] == "CREATE_COMPLETE" for s in stacks(aws)))
    wait_until(lambda: has_ended(aws), seconds=60)
    return names(aws)


def stacks(aws: Clients) -> list[dict[str, str]]:
    told: list[dict[str, str]] = aws.cloudformation.describe_stacks()["Stacks"]
    return told


def has_ended(aws: Clients) -> bool:
    ids = aws.athena.list_query_executions()["QueryExecutionIds"]
    told = aws.athena.batch_get_query_execution(QueryExecutionIds=ids)["QueryExecutions"]
    return all(q["Status"]["State"] == "SUCCEEDED" for q in told)


def goes_on(engine: Engine, copied_to: Path) -> None:
    """What was on its way has arrived."""
    aws = Clients(engine.endpoint_url)
    assert load.take_all(aws, "sent") == ["sqs-1"]
    assert "sns-1" in load.take_all(aws, "published")[0]
    wait_until(lambda: "delivered-1" in load.delivered(aws), seconds=60)
    aws.kinesis.put_record(StreamName="story", Data=b"later", PartitionKey="k")
    wait_until(lambda: "later" in copied_to.read_text(), seconds=60)


def holding(data: Path, words: bytes) -> list[str]:
    """The state files that hold these bytes."""
    return [
        str(file.relative_to(data))
        for file in archive.state_files(data)
        if words in file.read_bytes()
    ]


def test_a_state_goes_on_in_another_folder_at_another_port(tmp_path: Path) -> None:
    here = Settings(port=0, data_dir=tmp_path / "here", stream_status_seconds=0.02)
    copied_to = tmp_path / "copied"
    with start(here) as engine:
        aws, port = Clients(engine.endpoint_url), engine.settings.port
        load.prepare(aws, copied_to)
        before = make_something(aws)
        kill(engine)
    assert set(before) == {kind for kind, found in before.items() if found == [f"{kind}-1"]}
    assert holding(here.data_dir, str(here.data_dir).encode()) == []
    # A message may name it: SNS writes where to unsubscribe.
    naming = {Path(name).name.split(".")[0] for name in holding(here.data_dir, b":%d/" % port)}
    assert naming <= {"sqs"}
    archive.save(here.data_dir, tmp_path / "lab.tgz", engine_versions())
    here.data_dir.rename(tmp_path / "away")
    there = replace(here, data_dir=tmp_path / "there")
    archive.load(tmp_path / "lab.tgz", there.data_dir, engine_versions())
    with start(there) as engine:
        assert names(Clients(engine.endpoint_url)) == before
        goes_on(engine, copied_to)


def test_functions_that_an_older_engine_kept_are_there(tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=tmp_path / "data", stream_status_seconds=0.02)
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        load.make_function(aws, "older", Environment={"Variables": {"FILE": os.devnull}})
        wait_until_active(aws.functions, "older")
        kill(engine)
    former = [str(ENGINE_PYTHON), "-c", FORMER, str(settings.data_dir)]
    subprocess.run(former, check=True, cwd=ROOT, timeout=60)
    with start(settings) as engine:
        aws = Clients(engine.endpoint_url)
        assert invoke(aws.functions, "older", {"Records": []}) is None
        assert not (settings.data_dir / "lambda" / "functions.pickle").exists()
        kill(engine)
    with start(settings) as engine:
        assert invoke(Clients(engine.endpoint_url).functions, "older", {"Records": []}) is None
