"""`riacho consume`: one KCL worker that stores a stream's rows."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import click

from consumers.kcl import LOCAL, Scheduler, SchedulerSettings, WorkerProgress
from consumers.kcl.errors import KclError
from consumers.kcl.health import HealthEndpoint
from consumers.processors.registry import PROCESSORS, load_processors
from scripts.command_line.connection import Connection, with_connection
from scripts.command_line.streams import require_stream


def _processors_help() -> str:
    kinds = "; ".join(
        f"{name}:{','.join(f'{option}=…' for option in kind.required)}"
        for name, kind in PROCESSORS.items()
    )
    return f"What to do with the rows; repeatable. One of {kinds}, or module:Class of your own."


@click.command()
@click.option("--stream", "stream_name", required=True, help="The stream to read.")
@click.option("--application", help="The application: workers of one share the shards.")
@click.option("--worker-id", help="This worker's name (default: a random one).")
@click.option("--processor", "specs", multiple=True, required=True, help=_processors_help())
@click.option("--rejected", help="Where records go that are no rows: s3://bucket/prefix/.")
@click.option(
    "--from",
    "initial_position",
    type=click.Choice(["TRIM_HORIZON", "LATEST"]),
    default="TRIM_HORIZON",
    show_default=True,
    help="Where an application without checkpoints begins.",
)
@click.option(
    "--failover",
    "failover_seconds",
    type=click.FloatRange(0.3),
    default=LOCAL.failover_time_millis / 1000,
    show_default=True,
    help="Seconds until a silent worker's leases are taken.",
)
@click.option("--fan-out", is_flag=True, help="Read by enhanced fan-out (SubscribeToShard).")
@click.option(
    "--on-error",
    type=click.Choice(["stop", "retry", "dead-letter"]),
    default="stop",
    show_default=True,
    help="When a processor raises: let the shard stand still, give it the same records again, "
    "or send the failing record to --dead-letter and go on.",
)
@click.option(
    "--dead-letter",
    "dead_letter_stream",
    metavar="STREAM",
    help="The stream for records a processor fails on (with --on-error dead-letter).",
)
@click.option(
    "--max-retries",
    type=click.IntRange(0),
    default=LOCAL.max_processor_retries,
    show_default=True,
    help="Tries before a failing record is looked for (with --on-error dead-letter).",
)
@click.option(
    "--processor-timeout",
    type=click.FloatRange(0.1),
    help="Seconds after which a call of a processor counts as hanging: the worker is unhealthy.",
)
@click.option(
    "--health-port",
    type=click.IntRange(0, 65535),
    help="Answer GET with the worker's health as JSON: 200, or 503 and why (0: a free port).",
)
@click.option(
    "--health-host",
    default="127.0.0.1",
    show_default=True,
    help="Where --health-port listens; 0.0.0.0 in a container.",
)
@click.option("--metrics", is_flag=True, help="Send KCL's metrics to CloudWatch.")
@click.option("--json", "as_json", is_flag=True, help="Print the progress as JSON lines.")
@with_connection
def consume(connection: Connection, stream_name: str, as_json: bool, **o: Any) -> None:
    """Run one worker until it is told to stop (Ctrl-C hands its leases back)."""
    kinesis = connection.client("kinesis")
    require_stream(kinesis, stream_name)
    if (o["on_error"] == "dead-letter") != (o["dead_letter_stream"] is not None):
        raise click.UsageError("--on-error dead-letter and --dead-letter STREAM belong together.")
    if o["dead_letter_stream"] is not None:
        require_stream(kinesis, o["dead_letter_stream"])
    try:
        factory = load_processors(o["specs"], connection.client, rejected=o["rejected"])
        scheduler = Scheduler(
            o["application"] or f"{stream_name}-consumer",
            stream_name,
            kinesis,
            connection.client("dynamodb"),
            factory,
            worker_id=o["worker_id"],
            settings=_settings(o),
            cloudwatch=connection.client("cloudwatch") if o["metrics"] else None,
            on_progress=_print_json if as_json else _Lines(),
        )
    except (KclError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    with _health_endpoint(scheduler, o["health_host"], o["health_port"]):
        _run(scheduler)


def _settings(o: dict[str, Any]) -> SchedulerSettings:
    """Those for one machine, with what the options say."""
    timeout = o["processor_timeout"]
    return replace(
        LOCAL,
        failover_time_millis=round(o["failover_seconds"] * 1000),
        initial_position_in_stream=o["initial_position"],
        retrieval_mode="FANOUT" if o["fan_out"] else "POLLING",
        on_processor_error=o["on_error"].upper().replace("-", "_"),
        max_processor_retries=o["max_retries"],
        dead_letter_stream=o["dead_letter_stream"],
        processor_timeout_millis=None if timeout is None else round(timeout * 1000),
        metrics_level="DETAILED" if o["metrics"] else "NONE",
        # Objects of the raw zone are due by age too, also when no record comes any more.
        call_process_records_even_for_empty_record_list=True,
    )


@contextmanager
def _health_endpoint(scheduler: Scheduler, host: str, port: int | None) -> Iterator[None]:
    """While the worker runs, if a port was named."""
    if port is None:
        yield
        return
    try:
        endpoint = HealthEndpoint(scheduler.health, port, host)
    except OSError as error:
        raise click.ClickException(
            f"--health-port {port} of {host} cannot be had: {error.strerror}. "
            "Name another, or 0 for a free one."
        ) from None
    endpoint.start()
    click.echo(f"Health: http://{host}:{endpoint.port}/", err=True)
    try:
        yield
    finally:
        endpoint.close()


def _run(scheduler: Scheduler) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: scheduler.shutdown())
    try:
        scheduler.run()
    except KclError as error:
        raise click.ClickException(str(error)) from None


def _print_json(progress: WorkerProgress) -> None:
    print(json.dumps(asdict(progress)), flush=True)


class _Lines:
    """A line when something changed: normal operation is quiet."""

    def __init__(self) -> None:
        self._last: tuple[Any, ...] = ()

    def __call__(self, progress: WorkerProgress) -> None:
        seen = (progress.leases_held, progress.records_processed)
        if seen != self._last:
            self._last = seen
            click.echo(
                f"{progress.worker_id}: {len(progress.leases_held)} shards, "
                f"{progress.records_processed:,} records",
                file=sys.stderr,
            )
