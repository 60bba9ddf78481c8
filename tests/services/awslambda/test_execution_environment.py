"""Execution environments with real processes, from cold start to the last of their orphans."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.awslambda.execution_environment import (
    ExecutionEnvironment,
    InitFailed,
    Outcome,
)
from services.awslambda.function_settings import FunctionSettings
from services.awslambda.launcher import Launcher
from services.awslambda.launcher_process import children_by_parent
from services.awslambda.runtime_api import Work
from services.awslambda.runtimes.command import lay_out_python_runtime
from services.awslambda.runtimes.entrypoint import machine
from services.awslambda.usage_watch import UsageWatch, resident_bytes
from tests.waiting import wait_until

Make = Callable[..., ExecutionEnvironment]


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    launcher = Launcher()
    yield launcher
    launcher.close()


@pytest.fixture
def make(tmp_path: Path, launcher: Launcher) -> Iterator[Make]:
    made: list[ExecutionEnvironment] = []

    def make(
        source: str, file: str = "app.py", beside: dict[str, str] | None = None, **settings: Any
    ) -> ExecutionEnvironment:
        folder = tmp_path / f"function-{len(made)}"
        (folder / "code").mkdir(parents=True)
        for name, content in {file: source, **(beside or {})}.items():
            (folder / "code" / name).write_bytes(content.encode("latin-1"))
            (folder / "code" / name).chmod(0o755)
        wanted: dict[str, Any] = {
            "runtime": "python3.13",
            "memory_size_in_mb": 128,
            "timeout_seconds": 30,
        }
        environment = ExecutionEnvironment(
            FunctionSettings(
                version="$LATEST",
                code=folder / "code",
                layers=folder / "layers",
                **(wanted | settings),
            ),
            launcher=launcher,
            usage_watch=UsageWatch(),
            runtime_folder=lay_out_python_runtime(tmp_path / "runtime"),
            scratch=folder / "scratch",
        )
        environment.start({"_HANDLER": "app.handler", "OWN": "set"})
        made.append(environment)
        return environment

    yield make
    for environment in made:
        environment.stop()


def invoke(environment: ExecutionEnvironment, event: Any = None, request_id: str = "r") -> Outcome:
    return environment.invoke(
        Work(
            request_id=request_id,
            payload=json.dumps(event).encode(),
            invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:f",
            deadline=0,
        )
    )


def error_of(outcome: Outcome) -> tuple[str, str]:
    assert outcome.is_error
    error = json.loads(outcome.payload)
    return error["errorType"], error["errorMessage"]


def test_a_function_answers_and_its_log_has_start_end_and_report(make: Make) -> None:
    outcome = invoke(make("def handler(event, context):\n  print('hello')\n  return [event]"), 1)
    assert json.loads(outcome.payload) == [1]
    assert not outcome.is_error
    messages = [event.message for event in outcome.log]
    assert messages[:4] == [
        "INIT_START Runtime Version: python3.13",
        "START RequestId: r Version: $LATEST",
        "hello",
        "END RequestId: r",
    ]
    assert messages[4].startswith("REPORT RequestId: r\tDuration: ")
    assert "Init Duration: " in messages[4]


def test_a_warm_function_keeps_its_process_and_its_globals(make: Make) -> None:
    environment = make("n = 0\ndef handler(*_):\n  global n\n  n += 1\n  return n")
    first, second = invoke(environment), invoke(environment)
    assert (first.payload, second.payload) == (b"1", b"2")
    assert "Init Duration" not in second.log_text


def test_the_context_object_has_what_aws_gives_it(make: Make) -> None:
    source = (
        "def handler(event, context):\n"
        "  left = context.get_remaining_time_in_millis()\n"
        "  return [context.aws_request_id, context.invoked_function_arn, 0 < left <= 30000]"
    )
    assert json.loads(invoke(make(source), request_id="id-1").payload) == [
        "id-1",
        "arn:aws:lambda:us-east-1:000000000000:function:f",
        True,
    ]


def test_a_function_sees_its_own_environment_and_nothing_of_the_engines(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_ENGINE", "1")
    source = "import os\ndef handler(*_):\n  return dict(os.environ)"
    seen = json.loads(invoke(make(source)).payload)
    assert seen["OWN"] == "set"
    assert "SECRET_OF_THE_ENGINE" not in seen
    assert seen["TMPDIR"] != os.environ.get("TMPDIR")


def test_a_function_finds_boto3_but_no_other_package_of_the_engine(make: Make) -> None:
    source = (
        "import importlib.util as util\n"
        "def handler(*_):\n"
        "  names = ['boto3', 'botocore', 'localstack', 'pytest', 'services']\n"
        "  return [name for name in names if util.find_spec(name)]"
    )
    assert json.loads(invoke(make(source)).payload) == ["boto3", "botocore"]


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        (
            "def other(): pass",
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'app'",
        ),
        ("def handler(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("import nowhere", "Runtime.ImportModuleError", "No module named 'nowhere'"),
        ("raise ValueError('no')", "ValueError", "no"),
        ("def handler(*_): raise KeyError('k')", "KeyError", "'k'"),
        ("import sys\ndef handler(*_): sys.exit(3)", "Runtime.ExitError", "exit status 3"),
        (
            "import os, signal\ndef handler(*_): os.kill(os.getpid(), signal.SIGSEGV)",
            "Runtime.ExitError",
            "signal: segmentation fault",
        ),
        (
            "def handler(*_): return 'x' * 7_000_000",
            "Function.ResponseSizeTooLarge",
            "exceeded maximum allowed payload size (6291556 bytes)",
        ),
        (
            "def handler(*_): return {1, 2}",
            "Runtime.MarshalError",
            "Object of type set is not JSON serializable",
        ),
        (
            "def handler(*_):\n  kept = bytearray(1 << 30)\n  return len(kept)",
            "Runtime.OutOfMemory",
            "Runtime exited with error: signal: killed",
        ),
    ],
)
def test_a_function_that_fails_is_reported_as_on_aws_and_runs_again_after(
    make: Make, source: str, error_type: str, message: str
) -> None:
    environment = make(source)
    for request_id in ("first", "second"):
        outcome = invoke(environment, request_id=request_id)
        told, text = error_of(outcome)
        assert told == error_type
        assert message in text
        assert f"REPORT RequestId: {request_id}" in outcome.log_text
        assert f"Status: error\tError Type: {error_type}" in outcome.log_text


def test_a_function_that_takes_too_long_is_ended_with_awss_message(make: Make) -> None:
    source = "import time\ndef handler(event, _):\n  time.sleep(event)\n  return 'done'"
    environment = make(source, timeout_seconds=1)
    pid = environment.pid
    outcome = invoke(environment, 60)
    assert error_of(outcome) == (
        "Sandbox.Timedout",
        "RequestId: r Error: Task timed out after 1.00 seconds",
    )
    assert "r Task timed out after 1.00 seconds" in outcome.log_text
    assert "Status: timeout" in outcome.log_text
    assert not Path(f"/proc/{pid}").exists()
    assert invoke(environment, 0).payload == b'"done"'


ABUSES = {
    "forks a child that stays": "import os, time\ndef handler(*_):\n  os.fork() or time.sleep(600)",
    "hides a daemon in another session with an empty environment": (
        "import os\n"
        "def handler(*_):\n"
        "  if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "      os.execve('/bin/sleep', ['sleep', '600'], {})\n"
        "    os._exit(0)\n"
        "  os.wait()"
    ),
    "spins": "def handler(*_):\n  while True: pass",
    "leaves its daemon behind and exits": (
        "import os\n"
        "def handler(*_):\n"
        "  if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    os.execve('/bin/sleep', ['sleep', '600'], {})\n"
        "  os._exit(1)"
    ),
    "prints a gigabyte": (
        "import os\ndef handler(*_):\n  for _ in range(1024): os.write(1, b'x' * 1048576)"
    ),
    "writes a gigabyte": (
        "import tempfile\n"
        "def handler(*_):\n"
        "  file = tempfile.NamedTemporaryFile(delete=False)\n"
        "  for _ in range(1024): file.write(b'x' * 1048576)"
    ),
    "ignores signals and prints binary": (
        "import os, signal\n"
        "def handler(*_):\n"
        "  signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "  while True: os.write(1, os.urandom(4096))"
    ),
}


@pytest.mark.parametrize("source", ABUSES.values(), ids=ABUSES.keys())
def test_an_abusive_function_leaves_nothing_running(
    make: Make, launcher: Launcher, source: str
) -> None:
    environment = make(source, timeout_seconds=1)
    outcome = invoke(environment)
    assert len(outcome.log_text) < 20 * 2**20
    environment.stop()
    assert wait_until(lambda: not children_by_parent().get(launcher.helper_pid))
    assert not environment._scratch.exists()


def test_a_file_larger_than_the_ephemeral_storage_cannot_be_written(make: Make) -> None:
    environment = make(
        "import tempfile\n"
        "def handler(size, _):\n"
        "  with tempfile.TemporaryFile() as file:\n"
        "    file.truncate(size)\n",
        ephemeral_storage_in_mb=512,
    )
    assert not invoke(environment, 512 * 2**20).is_error
    assert error_of(invoke(environment, 512 * 2**20 + 1)) == (
        "OSError",
        "[Errno 27] File too large",
    )


def test_a_function_that_holds_more_in_files_than_its_storage_is_ended_and_begins_anew(
    make: Make,
) -> None:
    environment = make(
        "import os, tempfile\n"
        "def handler(event, _):\n"
        "  if event == 'look': return os.listdir(tempfile.gettempdir())\n"
        "  for number in range(16):\n"
        "    with open(f'{tempfile.gettempdir()}/{number}', 'wb') as file:\n"
        "      file.write(bytes(2 << 20))\n"
        "  while True: pass\n",
        ephemeral_storage_in_mb=16,
    )
    told, text = error_of(invoke(environment, "write"))
    assert told == "Runtime.ExitError"
    assert "signal: killed (No space left on device" in text
    assert json.loads(invoke(environment, "look").payload) == []


def test_between_invocations_a_function_is_frozen(make: Make) -> None:
    source = (
        "import threading\n"
        "count = 0\n"
        "def spin():\n"
        "  global count\n"
        "  while True: count += 1\n"
        "def handler(*_):\n"
        "  if count == 0: threading.Thread(target=spin, daemon=True).start()\n"
    )
    environment = make(source)
    invoke(environment)
    state = Path(f"/proc/{environment.pid}/stat")
    assert wait_until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")


def test_what_is_running_when_the_engine_is_killed_ends_with_it(make: Make) -> None:
    launcher = Launcher()
    made = make("def handler(*_): pass")
    made._launcher = launcher
    made.kill()
    made._is_stopped = False
    invoke(made)
    assert resident_bytes(made.pid) > 0
    pid = made.pid
    launcher.close()
    assert wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_process_that_ended_between_invocations_is_replaced(make: Make) -> None:
    environment = make("def handler(*_): return 'here'")
    first = environment.pid
    assert invoke(environment).payload == b'"here"'
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: environment.pid == 0)
    threads = threading.active_count()
    assert invoke(environment).payload == b'"here"'
    wait_until(lambda: threading.active_count() <= threads + 2)


def test_a_lost_launcher_is_replaced_and_its_functions_with_it(make: Make) -> None:
    launcher = Launcher()
    environment = make("def handler(*_): return 'here'")
    environment.kill()
    environment._launcher, environment._is_stopped = launcher, False
    invoke(environment)
    pid = environment.pid
    os.kill(launcher.helper_pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    wait_until(lambda: environment.pid == 0)
    assert invoke(environment).payload == b'"here"'
    launcher.close()


def test_stopping_lets_the_invocation_under_way_finish(make: Make) -> None:
    environment = make(
        "import os\ndef handler(path, _):\n"
        "  open(path + '/begun', 'w').close()\n"
        "  while not os.path.exists(path + '/go'): pass\n"
        "  return 'finished'"
    )
    folder = environment._scratch
    answers: list[Outcome] = []
    thread = threading.Thread(target=lambda: answers.append(invoke(environment, str(folder))))
    thread.start()
    wait_until((folder / "begun").exists)
    environment.stop()
    (folder / "go").touch()
    thread.join(30)
    assert answers[0].payload == b'"finished"'
    assert environment.pid == 0
    assert not folder.exists()


def test_provisioned_concurrency_hears_of_a_function_that_cannot_start(make: Make) -> None:
    environment = make("import nowhere")
    with pytest.raises(InitFailed, match="No module named 'nowhere'"):
        environment.require_ready()


def test_a_provided_runtime_runs_its_bootstrap(make: Make) -> None:
    bootstrap = (
        "#!/bin/sh\n"
        'api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"\n'
        "while true; do\n"
        '  event=$(curl -sS -D "$TMPDIR/head" "$api/next") || exit 1\n'
        '  id=$(tr -d "\\r" < "$TMPDIR/head" '
        '| sed -n "s/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p")\n'
        '  curl -sS -X POST "$api/$id/response" -d "{\\"got\\": $event}" >/dev/null\n'
        "done\n"
    )
    if shutil.which("curl") is None:
        pytest.skip("curl is missing")
    environment = make(bootstrap, "bootstrap", runtime="provided.al2023")
    assert json.loads(invoke(environment, [1]).payload) == {"got": [1]}


ELF_MACHINES = {"x86_64": 62, "arm64": 183}
OTHER = {"x86_64": "arm64", "arm64": "x86_64"}
EXEC_FORMAT = "fork/exec /var/task/bootstrap: exec format error"


def executable_of(architecture: str) -> str:
    """The head of an ELF executable; the rest of it is never looked at."""
    head = bytearray(64)
    head[:7] = b"\x7fELF\x02\x01\x01"
    head[16:20] = (2).to_bytes(2, "little") + ELF_MACHINES[architecture].to_bytes(2, "little")
    return head.decode("latin-1")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\x7fELF nonsense", EXEC_FORMAT),
        (executable_of(OTHER[machine()]), EXEC_FORMAT),
        # What `\r\n` at the end of the first line makes of the interpreter's name.
        ("#!/bin/sh\r\nexit 0\n", "fork/exec /var/task/bootstrap: no such file or directory"),
    ],
    ids=["no executable", "for another machine", "with the line ends of another system"],
)
def test_a_bootstrap_that_cannot_run_is_an_invalid_entrypoint(
    make: Make, source: str, message: str
) -> None:
    environment = make(source, "bootstrap", runtime="provided.al2023", architecture=machine())
    for request_id in ("first", "second"):
        outcome = invoke(environment, request_id=request_id)
        told = f"RequestId: {request_id} Error: {message}"
        assert error_of(outcome) == ("Runtime.InvalidEntrypoint", told)
        assert f"{told}\nRuntime.InvalidEntrypoint\nEND" in outcome.log_text


def test_a_bootstrap_that_this_machine_alone_could_run_is_refused_as_on_aws(make: Make) -> None:
    environment = make(
        executable_of(machine()),
        "bootstrap",
        runtime="provided.al2023",
        architecture=OTHER[machine()],
    )
    assert error_of(invoke(environment)) == (
        "Runtime.InvalidEntrypoint",
        f"RequestId: r Error: {EXEC_FORMAT}",
    )


def test_a_bootstrap_that_runs_on_aws_but_not_here_is_told_apart(make: Make) -> None:
    other = OTHER[machine()]
    environment = make(
        executable_of(other), "bootstrap", runtime="provided.al2023", architecture=other
    )
    hint = f"(it is built for {other}, and this machine is {machine()})"
    assert error_of(invoke(environment)) == (
        "Runtime.InvalidEntrypoint",
        f"RequestId: r Error: {EXEC_FORMAT} {hint}",
    )


def test_a_provided_runtime_without_a_bootstrap_says_where_it_was_looked_for(make: Make) -> None:
    environment = make("echo", "main", runtime="provided.al2023")
    assert error_of(invoke(environment)) == (
        "Runtime.InvalidEntrypoint",
        "RequestId: r Error: Couldn't find valid bootstrap(s): "
        "[/var/task/bootstrap /opt/bootstrap]",
    )


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_a_script_runs_on_either_architecture(make: Make, architecture: str) -> None:
    environment = make("def handler(event, _): return event", architecture=architecture)
    assert invoke(environment, 1).payload == b"1"


def test_a_native_module_for_another_machine_cannot_be_imported(make: Make) -> None:
    module = {"native.so": executable_of(OTHER[machine()])}
    told, text = error_of(invoke(make("import native\ndef handler(*_): pass", beside=module)))
    assert told == "Runtime.ImportModuleError"
    assert "Unable to import module 'app'" in text
    assert "native.so" in text


NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node is missing")


@NODE
@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            "app.mjs",
            "export const handler = async (event, context) => [event, context.awsRequestId]",
        ),
        ("app.js", "exports.handler = async (event, context) => [event, context.awsRequestId]"),
        ("app.js", "exports.handler = (e, context, done) => done(null, [e, context.awsRequestId])"),
    ],
)
def test_a_node_function_answers(make: Make, file: str, source: str) -> None:
    environment = make(source, file, runtime="nodejs20.x")
    assert json.loads(invoke(environment, 1).payload) == [1, "r"]


@NODE
@pytest.mark.parametrize(
    ("source", "error_type"),
    [
        ("export const other = 1", "Runtime.HandlerNotFound"),
        ("import 'nowhere'", "Runtime.ImportModuleError"),
        ("export const handler = async () => { throw new TypeError('no') }", "TypeError"),
        ("export const handler = async () => process.exit(4)", "Runtime.ExitError"),
    ],
)
def test_a_node_function_that_fails_is_reported_as_on_aws(
    make: Make, source: str, error_type: str
) -> None:
    assert error_of(invoke(make(source, "app.mjs", runtime="nodejs20.x")))[0] == error_type
