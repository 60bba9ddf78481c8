"""The catalog and its schedules outlive the engine's process."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from services.localstack.engine import Engine, start
from services.settings import Settings
from tests.conftest import EngineUnderTest
from tests.waiting import wait_until


def client(engine: Engine, service: str) -> Any:
    return EngineUnderTest(engine).client(service)


def test_tables_and_schedules_survive_a_kill(tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=tmp_path)
    with start(settings) as engine:
        glue = client(engine, "glue")
        glue.create_database(DatabaseInput={"Name": "lake"})
        glue.create_table(DatabaseName="lake", TableInput={"Name": "clicks"})
        glue.create_crawler(
            Name="nightly",
            Role="crawler",
            DatabaseName="lake",
            Targets={"S3Targets": [{"Path": "s3://nowhere-to-be-found/"}]},
            Schedule="cron(0 3 * * ? *)",
        )
        engine.process.send_signal(signal.SIGKILL)
        engine.process.wait()
    with start(settings) as engine:
        # Nobody has called Glue in this process yet: the schedule runs by itself.
        engine.advance_clock(24 * 3600)
        glue = client(engine, "glue")
        assert [t["Name"] for t in glue.get_tables(DatabaseName="lake")["TableList"]] == ["clicks"]
        crawls = wait_until(lambda: glue.list_crawls(CrawlerName="nightly")["Crawls"], 60)
        assert crawls[0]["State"] in ("RUNNING", "FAILED")
