"""The agent: for each flow a thread that reads and one that sends; status lines and metrics."""

from __future__ import annotations

import dataclasses
import logging
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from producer.agent.buffering import Buffer, Buffering
from producer.agent.checkpoints import Checkpoints
from producer.agent.configuration import AgentConfiguration, Flow
from producer.agent.destinations import destination_of
from producer.agent.sending import Sender, SentCounts
from producer.agent.tailer import Tailer

log = logging.getLogger(__name__)

METRIC_UNITS = {
    "BytesSent": "Bytes",
    "RecordsSent": "Count",
    "RecordSendAttempts": "Count",
    "RecordSendErrors": "Count",
    "ServiceErrors": "Count",
}


class FlowRunner:
    """One flow at work."""

    def __init__(
        self, flow: Flow, client: Any, checkpoints: Checkpoints, now: Callable[[], float]
    ) -> None:
        self.flow = flow
        self._now = now
        self._stopping, self._giving_up = threading.Event(), threading.Event()
        self._queue: queue.Queue[Buffer | None] = queue.Queue(flow.values["publishQueueCapacity"])
        self._tailer = Tailer(
            flow,
            checkpoints.load(flow.id),
            has_started=checkpoints.has_started(flow.id),
            now=now(),
        )
        checkpoints.save(flow.id, self._tailer.initial, {})
        self.buffering = Buffering(flow)
        self.sender = Sender(
            flow,
            destination_of(flow, client),
            checkpoints,
            self._tailer.locate,
            self._giving_up.wait,
        )
        self.failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._guard, args=(run,), name=f"{flow.id}-{name}", daemon=True)
            for name, run in (("tailer", self._read), ("sender", self._send))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, deadline: float) -> None:
        """Read no further; send what is buffered until `deadline` (monotonic seconds)."""
        self._stopping.set()
        self._threads[0].join()
        self._threads[1].join(max(0.0, deadline - time.monotonic()))
        self._giving_up.set()
        self._threads[1].join()
        self._tailer.close()

    def bytes_behind(self) -> int:
        return self._tailer.bytes_behind()

    def _read(self) -> None:
        pause = self.flow.values["minTimeBetweenFilePollsMillis"] / 1000
        while not self._stopping.is_set():
            has_read = False
            for chunk in self._tailer.poll(self._now()):
                has_read = has_read or bool(chunk.raw)
                for buffer in self.buffering.add(chunk, self._now()):
                    self._hand_over(buffer)
                if self._stopping.is_set():
                    break
            if (old := self.buffering.take(self._now())) is not None:
                self._hand_over(old)
            if not has_read:
                self._stopping.wait(pause)
        if (rest := self.buffering.take(float("inf"))) is not None:
            self._hand_over(rest)
        self._hand_over(None)

    def _hand_over(self, buffer: Buffer | None) -> None:
        """To the sender; waits while its queue is full."""
        while not self._giving_up.is_set():
            try:
                self._queue.put(buffer, timeout=0.5)
                return
            except queue.Full:
                continue

    def _send(self) -> None:
        while not self._giving_up.is_set():
            try:
                buffer = self._queue.get(timeout=0.5)
            except queue.Empty:
                continue
            if buffer is None or not self.sender.deliver(buffer):
                return

    def _guard(self, run: Callable[[], None]) -> None:
        """A thread that dies stops its flow; the agent ends with what went wrong."""
        try:
            run()
        except BaseException as error:  # noqa: BLE001  (told by `Agent.run`)
            self.failure = error
            self._stopping.set()
            self._giving_up.set()


class AgentFailed(RuntimeError):
    """A flow stopped; the message says which and why."""


class Agent:
    """All flows of a configuration. `clients` holds boto3 clients: `kinesis`, `firehose`, and
    `cloudwatch` where metrics are wanted."""

    def __init__(
        self,
        configuration: AgentConfiguration,
        clients: Mapping[str, Any],
        checkpoints: Checkpoints,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._values = configuration.values
        self._cloudwatch = clients.get("cloudwatch")
        self._started_at = time.monotonic()
        self._stopping = threading.Event()
        self._uploaded: dict[str, SentCounts] = {}
        self._checkpoints = checkpoints
        self.flows = [
            FlowRunner(flow, clients[flow.kind], checkpoints, now) for flow in configuration.flows
        ]

    def run(self) -> None:
        """Work until `stop` is called (from a signal handler, say). Raises AgentFailed."""
        log.info("Agent: Starting %d flow(s).", len(self.flows))
        for flow in self.flows:
            log.info("Agent: Starting tailer for file %s", flow.flow.id)
            flow.start()
        status_at = self._next("log.statusReportingPeriodSeconds", 1)
        metrics_at = self._next("cloudwatch.metricsBufferTimeMillis", 1000)
        while not self._stopping.wait(0.2) and not any(f.failure for f in self.flows):
            if time.monotonic() >= status_at:
                self.log_status()
                self._forget_old_checkpoints()
                status_at = self._next("log.statusReportingPeriodSeconds", 1)
            if time.monotonic() >= metrics_at:
                self.upload_metrics()
                metrics_at = self._next("cloudwatch.metricsBufferTimeMillis", 1000)
        self._shut_down()

    def stop(self) -> None:
        """Let `run` end: what is buffered is sent first, for `shutdownTimeoutMillis` at most."""
        self._stopping.set()

    def log_status(self) -> None:
        """The lines that the original writes to its log."""
        counts = [flow.buffering.counts for flow in self.flows]
        log.info(
            "Agent: Progress: %d records parsed (%d bytes), and %d records sent successfully "
            "to destinations. Uptime: %dms",
            sum(c.records_parsed for c in counts),
            sum(c.bytes_consumed for c in counts),
            sum(flow.sender.counts.RecordsSent for flow in self.flows),
            (time.monotonic() - self._started_at) * 1000,
        )
        for flow in self.flows:
            parsed = flow.buffering.counts
            log.info(
                "FileTailer[%s]: Tailer Progress: Tailer has parsed %d records (%d bytes), "
                "transformed %d records, skipped %d records, and has successfully sent %d "
                "records to destination.",
                flow.flow.id,
                parsed.records_parsed,
                parsed.bytes_consumed,
                parsed.records_processed,
                parsed.records_skipped,
                flow.sender.counts.RecordsSent,
            )
            if behind := flow.bytes_behind():
                megabytes = behind / 1_048_576
                text = "FileTailer[%s]: Tailer is %.6f MB (%d bytes) behind."
                log.info(text, flow.flow.id, megabytes, behind)

    def upload_metrics(self) -> None:
        """What has happened since the last time, to CloudWatch."""
        if self._cloudwatch is None:
            return
        data = [datum for flow in self.flows for datum in self._metric_data(flow)]
        try:
            if data:
                self._cloudwatch.put_metric_data(
                    Namespace=self._values["cloudwatch.namespace"], MetricData=data
                )
        except (ClientError, BotoCoreError) as error:
            log.warning("Agent: cannot upload metrics: %s", error)

    def _metric_data(self, runner: FlowRunner) -> list[dict[str, Any]]:
        flow, counts = runner.flow, dataclasses.replace(runner.sender.counts)
        before = self._uploaded.get(flow.id, SentCounts())
        self._uploaded[flow.id] = counts
        dimensions = [{"Name": "Destination", "Value": runner.sender.destination_name}]
        if self._values["cloudwatch.tagInstance"]:
            dimensions.append({"Name": "Instance", "Value": socket.gethostname()})
        return [
            {
                "MetricName": name,
                "Dimensions": dimensions,
                "Unit": unit,
                "Value": getattr(counts, name) - getattr(before, name),
            }
            for name, unit in METRIC_UNITS.items()
        ]

    def _forget_old_checkpoints(self) -> None:
        present = [p for f in self.flows for p in f.flow.directory.glob("*") if p.is_file()]
        self._checkpoints.delete_old(self._values["checkpointTimeToLiveDays"], present)

    def _next(self, key: str, per_second: int) -> float:
        return time.monotonic() + max(0.2, float(self._values[key]) / per_second)

    def _shut_down(self) -> None:
        log.info("Agent: Shutting down...")
        deadline = time.monotonic() + self._values["shutdownTimeoutMillis"] / 1000
        for flow in self.flows:
            flow.stop(deadline)
        self.log_status()
        self.upload_metrics()
        for flow in self.flows:
            if flow.failure is not None:
                raise AgentFailed(f"Flow {flow.flow.id} stopped: {flow.failure}") from flow.failure
