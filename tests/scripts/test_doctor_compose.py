"""What the doctor says of Docker: one sentence for each thing that would go wrong."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.command_line.doctor_compose import (
    GIB,
    PORTS,
    judge_architecture,
    judge_disk,
    judge_docker,
    judge_env,
    judge_memory,
    judge_ports,
    judge_volumes,
    settings_of,
    version_of,
)
from scripts.command_line.finding import Finding
from services.localstack.data_folder import FORMAT
from services.localstack.environment import ROOT


@pytest.mark.parametrize(
    ("finding", "mend"),
    [
        (judge_docker(None, None, None), "Needed only"),
        (judge_docker("27.1", None, None), "Start the Docker daemon"),
        (judge_docker("27.1", "27.1", None), "Install the plug-in docker compose"),
        (judge_docker("27.1", "19.03.1", "2.26.1"), "Update Docker: 20.10 or newer"),
        (judge_docker("27.1", "27.1", "1.29.2"), "Update Compose: 2.20 or newer"),
        (judge_docker("27.1", "27.1", "2.5.0"), "Update Compose: 2.20 or newer"),
        (judge_docker("28.0", "20.10.24+dfsg1", "v2.26.1-4"), ""),
        (judge_memory(2 * GIB), "give Docker more"),
        (judge_memory(8 * GIB), ""),
        (judge_disk(1_000_000_000, "/var/lib/docker"), "make room"),
        (judge_disk(90_000_000_000, "/var/lib/docker"), ""),
        (judge_architecture("riscv64"), "x86-64 and ARM"),
        (judge_architecture("aarch64"), ""),
        (judge_env(False), "git restore .env"),
        (judge_env(True), ""),
        (judge_ports({"RIACHO_PORT": 4566}, running=False), "change RIACHO_PORT in .env"),
        (judge_ports({"RIACHO_PORT": 4566}, running=True), ""),
        (judge_ports({}, running=False), ""),
        (judge_volumes({"riacho_engine": "0"}), "docker compose down --volumes"),
        (judge_volumes({"riacho_engine": ""}), "docker compose down --volumes"),
        (judge_volumes({"riacho_engine": FORMAT}), ""),
        (judge_volumes({}), ""),
    ],
)
def test_each_lack_has_its_own_way_out(finding: Finding, mend: str) -> None:
    assert mend in finding.mend
    assert (finding.verdict == "good") == (mend == "")


def test_what_is_wrong_is_named_with_its_value() -> None:
    told = judge_ports({"RIACHO_PORT": 4566, "RIACHO_SEARCH_PORT": 9200}, running=False)
    assert told.found == "taken: 4566 (the engine), 9200 (OpenSearch)"
    assert judge_volumes({"riacho_engine": "0"}).found == (
        "of another version: riacho_engine (format 0)"
    )


@pytest.mark.parametrize(
    ("text", "version"),
    [("v2.26.1-4", (2, 26, 1)), ("20.10.24+dfsg1", (20, 10, 24)), ("dev", ())],
)
def test_versions_are_read_as_docker_writes_them(text: str, version: tuple[int, ...]) -> None:
    assert version_of(text) == version


def test_the_ports_are_those_of_env_and_this_shell_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PORTS:
        monkeypatch.delenv(name, raising=False)
    written = settings_of(ROOT / ".env")
    assert {name: int(written[name]) for name in PORTS} == {n: d for n, (d, _) in PORTS.items()}
    monkeypatch.setenv("RIACHO_PORT", "14566")
    assert settings_of(ROOT / ".env")["RIACHO_PORT"] == "14566"
    assert settings_of(ROOT / "no such file") == {"RIACHO_PORT": "14566"}


def test_the_volumes_are_labelled_with_the_format_they_are_made_for() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert text.count(f'labels: {{riacho.format: "{FORMAT}"}}') == 3


#: A `docker` as the doctor knows it: prints what a machine with these figures would.
DOCKER = """\
#!{python}
import json, sys
given = " ".join(sys.argv[1:])
if given == "--version": print("Docker version 27.5.1, build 9f9e405")
elif given.startswith("compose"): print("1.29.2")
elif given.startswith("info"):
    print(json.dumps(dict(ServerVersion="27.5.1", MemTotal=2 * 2**30, Architecture="aarch64")))
elif given.startswith("volume ls"): print("riacho_engine")
elif given.startswith("volume inspect"): print(json.dumps({{"riacho.format": "0"}}))
"""


def test_the_command_asks_docker_and_says_everything(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text(DOCKER.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    told = subprocess.run(
        [sys.executable, "-m", "scripts.command_line.main", "doctor", "--json"],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = {finding["name"]: finding for finding in json.loads(told.stdout)}
    assert found["Docker"]["mend"] == "Update Compose: 2.20 or newer is needed."
    assert found["Docker's memory"]["found"] == "2.0 GiB for containers"
    assert found["Docker's machine"]["found"] == "ARM (aarch64)"
    assert found["Compose's volumes"]["found"] == "of another version: riacho_engine (format 0)"
