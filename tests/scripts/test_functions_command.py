"""`riacho functions`: packing, and the whole loop against the real engine."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import click
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from scripts.command_line.failures import ExitCode
from scripts.command_line.functions import event_of, fingerprint, pack
from scripts.command_line.main import main
from tests.conftest import EngineUnderTest
from tests.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / f"greeter-{tmp_path.parent.name}-{threading.get_native_id()}"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__pycache__" / "app.pyc").write_bytes(b"old")
    (folder / "lib").mkdir()
    (folder / "lib" / "words.py").write_text("hello = 'olá'")
    (folder / "app.py").write_text(
        "import os\nfrom lib.words import hello\n"
        "def handler(event, _):\n"
        "  print('greeting')\n"
        "  return [hello, event, os.environ['WHO']]\n"
    )
    return folder


def test_a_package_has_the_files_and_not_what_python_left_there(folder: Path) -> None:
    names = zipfile.ZipFile(io.BytesIO(pack(folder))).namelist()
    assert names == ["app.py", "lib/words.py"]
    assert pack(folder) == pack(folder)


def test_saving_a_file_changes_the_fingerprint(folder: Path) -> None:
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    (folder / "app.py").write_text("changed")
    assert fingerprint(folder) != before


@pytest.mark.parametrize("text", ["{", "@nowhere.json"])
def test_a_bad_event_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(click.UsageError, match="--event"):
        event_of(text)


def test_deploy_invoke_change_and_read_the_log(engine: EngineUnderTest, folder: Path) -> None:
    def riacho(*arguments: str, code: int = 0) -> str:
        options = ["--endpoint-url", engine.endpoint_url]
        result = CliRunner().invoke(main, ["functions", *arguments, *options])
        assert result.exit_code == code, result.output
        return result.stdout

    deploy = ("deploy", str(folder), "--env", "WHO=ana")
    assert riacho(*deploy).startswith(f"Created {folder.name}")
    answer = riacho("invoke", folder.name, "--event", '{"n": 1}')
    assert json.loads(answer) == ["olá", {"n": 1}, "ana"]
    (folder / "lib" / "words.py").write_text("hello = 'hola'")
    assert riacho(*deploy).startswith(f"Updated {folder.name}")
    assert json.loads(riacho("invoke", folder.name))[0] == "hola"
    wait_until(lambda: riacho("logs", folder.name).count("greeting") == 2)
    (folder / "app.py").write_text("def handler(*_): raise ValueError('no')")
    riacho(*deploy)
    assert json.loads(riacho("invoke", folder.name, code=1))["errorType"] == "ValueError"


def test_watching_deploys_again_whenever_a_file_is_saved(
    engine: EngineUnderTest, folder: Path
) -> None:
    awslambda = engine.client("lambda")

    def answers(word: str) -> bool:
        try:
            answer = awslambda.invoke(FunctionName=folder.name, Payload=b"{}")
        except ClientError:
            return False
        return word in answer["Payload"].read().decode()

    riacho = (sys.executable, "-m", "scripts.command_line.main", "functions", "deploy")
    options = ("--env", "WHO=ana", "--watch", "--endpoint-url", engine.endpoint_url)
    watching = subprocess.Popen([*riacho, str(folder), *options], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers("ol"), seconds=60)
        (folder / "lib" / "words.py").write_text("hello = 'hola'")
        wait_until(lambda: answers("hola"), seconds=60)
        # A file that cannot be run is deployed too, and the next one that can mends it.
        (folder / "app.py").write_text("def handler(:")
        wait_until(lambda: answers("UserCodeSyntaxError"), seconds=60)
        (folder / "app.py").write_text("def handler(*_): return 'mended'")
        wait_until(lambda: answers("mended"), seconds=60)
        assert watching.poll() is None
    finally:
        watching.send_signal(signal.SIGINT)
        assert watching.wait(60) == ExitCode.INTERRUPTED


def test_an_unknown_function_ends_in_one_sentence(engine: EngineUnderTest) -> None:
    result = CliRunner().invoke(
        main, ["functions", "invoke", "nowhere", "--endpoint-url", engine.endpoint_url]
    )
    assert result.exit_code == 1
    assert "ResourceNotFoundException" in result.output
    assert "Traceback" not in result.output
