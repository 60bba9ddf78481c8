"""How long the pages take while a class looks at them; prints a table.

    python -m scripts.bench.dashboard [--records 1000000] [--sessions 30] [--seconds 60]

Sessions speak Streamlit's own protocol: what a browser asks for, the live parts included, without
its drawing (thirty students' browsers run on thirty machines). A page's time is from asking until
its first content and until everything is there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.typing import Subprotocol

from scripts.bench.peers import PEERS, RunningPeer
from scripts.bench.process_usage import cpu_of
from scripts.bench.stream import connect
from scripts.command_line.connection import Connection
from scripts.command_line.dashboard import dashboard_command, dashboard_environment
from services.localstack.environment import ROOT
from services.localstack.ports import free_port

PAGES = ("overview", "stream", "lake", "sql", "analytics", "alarms", "proof")
STREAM = "classroom"
#: How long a student looks at a page before turning to another, in seconds.
LOOKING = (4.0, 12.0)
#: Where a page's content stands; the sidebar is another root.
MAIN = 0
#: A page that is not there after so long counts as this.
LONGEST = 60.0
#: A dashboard that does not answer after so long has failed.
START = 90.0


@dataclass
class Visit:
    """One page shown to one session. Seconds; `failure` is an exception on the page."""

    page: str
    first: float
    whole: float
    failure: str = ""


@dataclass
class Watched:
    """CPU of the engine and the dashboard, as shares of one core, while everybody looked."""

    engine: float = 0.0
    dashboard: float = 0.0
    visits: list[Visit] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="in the stream beforehand")
    parser.add_argument("--sessions", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args(arguments)
    with PEERS["riacho"]() as engine:
        fill(engine, options.records)
        with running_dashboard(engine.endpoint_url) as (pid, address):
            say(f"one session after {options.records:,} records …")
            alone = asyncio.run(watch(engine, pid, address, 1, 0))
            say(f"{options.sessions} sessions for {options.seconds:.0f} s …")
            crowd = asyncio.run(watch(engine, pid, address, options.sessions, options.seconds))
    print(table(alone, crowd, options.sessions))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def fill(engine: RunningPeer, records: int) -> None:
    """A stream with so many events, delivered to a lake that has a table over it."""
    kinesis = connect("kinesis", engine.endpoint_url)
    kinesis.create_stream(StreamName=STREAM, ShardCount=4)
    kinesis.get_waiter("stream_exists").wait(StreamName=STREAM, WaiterConfig={"Delay": 1})
    event = {"device": "mobile", "trafficfrom": "Alexa", "url": "beer_cart", "custid": "c1"}
    data = json.dumps(event | {"filler": "x" * 100}).encode()
    for start in range(0, records, 500):
        batch = [{"Data": data, "PartitionKey": str(start + i)} for i in range(500)]
        kinesis.put_records(StreamName=STREAM, Records=batch)
    s3 = connect("s3", engine.endpoint_url)
    glue = connect("glue", engine.endpoint_url)
    s3.create_bucket(Bucket=STREAM)
    for number in range(20):
        s3.put_object(Bucket=STREAM, Key=f"raw/{number}.json", Body=(data + b"\n") * 5_000)
    glue.create_database(DatabaseInput={"Name": STREAM})
    glue.create_table(DatabaseName=STREAM, TableInput=json_lines_table("raw", STREAM, event))


def json_lines_table(name: str, bucket: str, columns: Iterable[str]) -> dict[str, Any]:
    """Glue's TableInput: JSON lines below `raw/` of a bucket, every column a string."""
    storage = {
        "Columns": [{"Name": column, "Type": "string"} for column in columns],
        "Location": f"s3://{bucket}/raw/",
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
    }
    return {"Name": name, "TableType": "EXTERNAL_TABLE", "StorageDescriptor": storage}


@contextlib.contextmanager
def running_dashboard(engine_url: str) -> Iterator[tuple[int, str]]:
    """`riacho dashboard` on a free port: its process id and its address."""
    port = free_port()
    process = subprocess.Popen(
        dashboard_command(port, "127.0.0.1"),
        env=os.environ | dashboard_environment(Connection(engine_url)),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield process.pid, f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise RuntimeError("The dashboard did not start: what it said stands above.")


async def watch(
    engine: RunningPeer, dashboard_pid: int, address: str, sessions: int, seconds: float
) -> Watched:
    """Let sessions look at pages; each one sees every page once when `seconds` is 0."""
    watched = Watched()
    engine_cpu, dashboard_cpu = cpu_of(engine.pid), cpu_of(dashboard_pid)
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(sessions):
            group.create_task(student(address, watched.visits, number, seconds))
    taken = time.monotonic() - started
    watched.engine = (cpu_of(engine.pid) - engine_cpu) / taken
    watched.dashboard = (cpu_of(dashboard_pid) - dashboard_cpu) / taken
    return watched


async def student(address: str, visits: list[Visit], number: int, seconds: float) -> None:
    """Turns pages for so long, looking at each for a while."""
    choice = random.Random(number)
    deadline = time.monotonic() + seconds
    url = f"ws://{address}/_stcore/stream"
    async with websockets.connect(
        url, subprotocols=[Subprotocol("streamlit")], max_size=None
    ) as socket_:
        if not seconds:
            for page in PAGES:
                visits.append(await visit(socket_, page, 1.0))
            return
        await asyncio.sleep(choice.uniform(0, LOOKING[0]))
        while time.monotonic() < deadline:
            page = choice.choice(PAGES)
            visits.append(await visit(socket_, page, choice.uniform(*LOOKING)))


async def visit(socket_: Any, page: str, look_seconds: float) -> Visit:
    """Ask for a page, take what comes, and let its live parts read again while it is looked at."""
    await socket_.send(asked(page))
    started = time.monotonic()
    found = Visit(page, LONGEST, LONGEST)
    live: dict[str, float] = {}
    due: dict[str, float] = {}
    end, is_asked_for = started + LONGEST, False
    while (now := time.monotonic()) < end:
        for fragment in [key for key, at in due.items() if at <= now]:
            del due[fragment]
            await socket_.send(asked(page, fragment))
        try:
            wait = min([end - now, *(at - now for at in due.values())])
            message = ForwardMsg.FromString(await asyncio.wait_for(socket_.recv(), max(wait, 0)))
        except TimeoutError:
            continue
        kind = message.WhichOneof("type")
        now = time.monotonic()
        if kind == "auto_rerun":
            live[message.auto_rerun.fragment_id] = message.auto_rerun.interval
            due[message.auto_rerun.fragment_id] = now + message.auto_rerun.interval
        elif kind == "new_session":
            is_asked_for = True  # what came before was still the page before
        elif kind == "delta" and is_asked_for:
            element = message.delta.new_element
            if message.metadata.delta_path[:1] == [MAIN] and element.WhichOneof("type") != "html":
                found.first = min(found.first, now - started)
            if element.WhichOneof("type") == "exception":
                found.failure = element.exception.message
        elif kind == "script_finished" and is_asked_for:
            if found.whole == LONGEST:
                found.whole = now - started
                end = now + look_seconds
            due = {key: now + interval for key, interval in live.items()}
    return found


def asked(page: str, fragment_id: str = "") -> bytes:
    """A browser's message: run this page, or read one of its live parts again."""
    query = f"stream={STREAM}" if page == "stream" else ""
    state = ClientState(
        page_name=page, query_string=query, fragment_id=fragment_id, is_auto_rerun=bool(fragment_id)
    )
    content: bytes = BackMsg(rerun_script=state).SerializeToString()
    return content


def table(alone: Watched, crowd: Watched, sessions: int) -> str:
    """Markdown: a page's times alone and in the crowd, and the CPU both took."""
    lines = [
        f"| page | alone: first, whole | {sessions} sessions: p50 | p95 | visits |",
        "|---|---|---|---|---|",
    ]
    for page in PAGES:
        (one,) = [v for v in alone.visits if v.page == page]
        many = [v.whole for v in crowd.visits if v.page == page]
        shown = f"{percentile(many, 50):.2f} s | {percentile(many, 95):.2f} s" if many else "- | -"
        lines.append(f"| {page} | {one.first:.2f} s, {one.whole:.2f} s | {shown} | {len(many)} |")
    whole = [v.whole for v in crowd.visits]
    failures = [v.failure for v in [*alone.visits, *crowd.visits] if v.failure]
    lines += [
        "",
        f"All pages: p50 {percentile(whole, 50):.2f} s, p95 {percentile(whole, 95):.2f} s. "
        f"Engine {crowd.engine:.0%} of a core, dashboard {crowd.dashboard:.0%}. "
        f"Exceptions on pages: {len(failures)}.",
        *sorted(set(failures)),
    ]
    return "\n".join(lines)


def percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


if __name__ == "__main__":
    main()
