"""Workers as processes: Amazon's own KCL (its Java daemon with its Python part), and ours.

The KCL's jars are fetched once, against the hashes of `requirements/jars/optional/kcl.txt`, into
the cache folder; Java is the engine's.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from scripts.bench.peers import cache_folder
from scripts.one_at_a_time import one_at_a_time
from services.localstack.environment import ENGINE_PYTHON, JAVA

KCLPY = "amazon_kclpy==3.1.1"
_ROOT = Path(__file__).resolve().parents[2]

#: What shortens the daemon's waits; the other waits have no setting.
FAST = {
    "shardSyncIntervalMillis": "1000",
    "failoverTimeMillis": "3000",
    "parentShardPollIntervalMillis": "500",
    "leaseAssignmentIntervalMillis": "1000",
    "workerMetricsReporterFreqInMillis": "1000",
    "inMemoryWorkerMetricsCaptureFrequencyMillis": "200",
}
#: Behaves as KCL 2.x, for fleets in which not every worker writes 3.x's metrics rows.
LIKE_2X = {"clientVersionConfig": "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X"}


class RealKclUnavailable(RuntimeError):
    """It cannot be had on this machine; the message says why."""


class RealKcl(NamedTuple):
    """Where the pieces lie."""

    java: str
    jars: Path
    python_part: Path


def bring() -> RealKcl:
    """The real KCL, fetched when it is not there. Raises RealKclUnavailable."""
    folder = cache_folder() / "kcl"
    folder.mkdir(parents=True, exist_ok=True)
    return RealKcl(str(JAVA), bring_jars("kcl"), _bring_python_part(folder))


def bring_jars(name: str) -> Path:
    """The folder with the jars of `requirements/jars/optional/<name>.txt`."""
    folder = cache_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    code = (
        "import sys; from pathlib import Path; from scripts import jars; "
        "jars.trust_system_certificates(); jars.JARS = Path(sys.argv[1]); "
        "print(jars.fetch(sys.argv[2]))"
    )
    with one_at_a_time(folder):
        told = _run([str(ENGINE_PYTHON), "-c", code, str(folder), f"optional/{name}"])
    return Path(told.splitlines()[-1])


def _bring_python_part(folder: Path) -> Path:
    """Only its sources: installing the package would fetch other jars its own way."""
    name, _, version = KCLPY.partition("==")
    unpacked = folder / f"{name}-{version}"
    with one_at_a_time(unpacked):
        if not unpacked.exists():
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            _run([*pip, "--no-binary", ":all:", "-d", str(folder), KCLPY])
            with tarfile.open(folder / f"{name}-{version}.tar.gz") as archive:
                archive.extractall(folder, filter="data")
    return unpacked


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise RealKclUnavailable(f"The real KCL could not be fetched: {' '.join(last)}")
    return done.stdout


class WorkerProcess:
    """A worker that is a process (and its children), and the JSON lines it writes."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], output: Path, log: Path
    ) -> None:
        self.name, self._process, self._output, self._log = name, process, output, log

    def events(self) -> list[dict[str, Any]]:
        if not self._output.exists():
            return []
        lines = self._output.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def records(self) -> list[dict[str, Any]]:
        """What it processed, one by one: `shard`, `key`, `data`, `sub` (sequence number)."""
        return [
            {"shard": event["shard"], "key": key, "data": datum, "sub": sub}
            for event in self.events()
            if event["event"] == "records" and "data" in event
            for key, datum, sub in zip(event["keys"], event["data"], event["subs"], strict=True)
        ]

    def seen(self) -> set[str]:
        """Data of all records it processed."""
        return {datum for event in self.events() for datum in event.get("data", ())}

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, to the whole group."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to whatever is left after a while."""
        if self.is_alive():
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        return self._process.pid


@contextmanager
def started(
    name: str, command: list[str], folder: Path, **environment: str
) -> Iterator[WorkerProcess]:
    """A worker process in a group of its own; gone at the end."""
    output, log = folder / f"{name}.jsonl", folder / f"{name}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=sink,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | environment | {"WORKER_OUTPUT": str(output)},
        )
    worker = WorkerProcess(name, process, output, log)
    try:
        yield worker
    finally:
        worker.stop()


def real_worker(
    kcl: RealKcl,
    name: str,
    endpoint_url: str,
    stream_name: str,
    application_name: str,
    folder: Path,
    extra: dict[str, str] | None = None,
    **environment: str,
) -> AbstractContextManager[WorkerProcess]:
    """The daemon as worker `name`; its processor is `real_kcl_processor.py` beside this file."""
    script = Path(__file__).with_name("real_kcl_processor.py")
    properties = {
        "executableName": f"{sys.executable} {script}",
        "streamArn": f"arn:aws:kinesis:us-east-1:000000000000:stream/{stream_name}",
        "streamName": stream_name,
        "applicationName": application_name,
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "processingLanguage": "python/3.13",
        "initialPositionInStream": "TRIM_HORIZON",
        "regionName": "us-east-1",
        "kinesisEndpoint": endpoint_url,
        "dynamoDBEndpoint": endpoint_url,
        "metricsLevel": "none",
        "retrievalMode": "POLLING",
        "maxRecords": "10000",
        "idleTimeBetweenReadsInMillis": "250",
        "callProcessRecordsEvenForEmptyRecordList": "false",
        "workerId": name,
    }
    file, logging = folder / f"{name}.properties", folder / "logback.xml"
    lines = (properties | (extra or {})).items()
    file.write_text("".join(f"{key} = {value}\n" for key, value in lines))
    logging.write_text(
        "<configuration><appender name='E' class='ch.qos.logback.core.ConsoleAppender'>"
        "<encoder><pattern>%d{HH:mm:ss.SSS} %-5level %logger{0} - %msg%n</pattern></encoder>"
        "</appender><root level='INFO'><appender-ref ref='E'/></root></configuration>"
    )
    command = [
        kcl.java, "-Xmx384m", "-cp", f"{folder}:{kcl.jars}/*",
        "software.amazon.kinesis.multilang.MultiLangDaemon",
        "--properties-file", str(file), "--log-configuration", str(logging),
    ]  # fmt: skip
    return started(
        name,
        command,
        folder,
        PYTHONPATH=str(kcl.python_part),
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
        **environment,
    )


def our_worker(
    name: str,
    endpoint_url: str,
    stream_name: str,
    application_name: str,
    folder: Path,
    *more: str,
    **environment: str,
) -> AbstractContextManager[WorkerProcess]:
    """Our worker in a process of its own: `our_worker.py` beside this file; `more` for it."""
    command = [sys.executable, "-m", "scripts.bench.our_worker", name, endpoint_url]
    command += [stream_name, application_name, *more]
    return started(name, command, folder, **environment)
