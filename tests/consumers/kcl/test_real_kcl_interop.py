"""Amazon's KCL and ours in one fleet: they share leases, follow reshards, and lose nothing."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.bench import real_kcl, real_kpl
from scripts.bench.real_kcl import FAST, LIKE_2X, WorkerProcess
from services.kinesis.aggregation import AggregatedUserRecord, pack
from tests.bringing import bring_or_skip
from tests.conftest import EngineUnderTest
from tests.consumers.kcl.streams import StreamUnderTest
from tests.waiting import wait_until

#: The daemon takes up to half a minute to begin, and more on a loaded machine.
PATIENCE = 240.0


class Fleet:
    """Workers of both kinds on one stream."""

    def __init__(self, engine: EngineUnderTest, stream: StreamUnderTest, folder: Path) -> None:
        self._url, self._stream, self._folder = engine.endpoint_url, stream, folder
        self._kcl = bring_or_skip(real_kcl.bring)
        self._stack = ExitStack()
        self.all: dict[str, WorkerProcess] = {}

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, name: str) -> WorkerProcess:
        """A worker; one whose name begins with `real` is Amazon's."""
        stream, application = self._stream.name, self._stream.application
        if name.startswith("real"):
            context = real_kcl.real_worker(
                self._kcl, name, self._url, stream, application, self._folder, FAST | LIKE_2X
            )
        else:
            more = "failover_time_millis=3000"
            context = real_kcl.our_worker(name, self._url, stream, application, self._folder, more)
        self.all[name] = self._stack.enter_context(context)
        return self.all[name]

    def seen(self) -> set[bytes]:
        return {datum.encode() for worker in self.all.values() for datum in worker.seen()}

    def is_balanced(self, *names: str) -> bool:
        """Whether exactly these workers hold all live leases, as evenly as can be."""
        counts = Counter(self._stream.owners().values())
        return counts.keys() == set(names) and max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.slow
def test_two_of_each_kind_survive_kills_and_reshards_without_losing_a_record(
    engine: EngineUnderTest, tmp_path: Path
) -> None:
    stream = StreamUnderTest(engine, 8)
    put = stream.put(0, 2000)
    with Fleet(engine, stream, tmp_path) as fleet:
        for name in ("ours-1", "real-1", "real-2", "ours-2"):
            fleet.add(name)
        everybody = ("ours-1", "ours-2", "real-1", "real-2")
        wait_until(lambda: fleet.is_balanced(*everybody), PATIENCE, 1)
        wait_until(lambda: fleet.seen() >= put, PATIENCE, 1)

        stream.split("shardId-000000000001")
        put |= stream.put(2000, 1000)
        fleet.all["real-1"].kill()
        put |= stream.put(3000, 1000)
        wait_until(lambda: fleet.is_balanced("ours-1", "ours-2", "real-2"), PATIENCE, 1)
        wait_until(lambda: fleet.seen() >= put, PATIENCE, 1)

        fleet.add("real-3")
        stream.merge("shardId-000000000002", "shardId-000000000003")
        put |= stream.put(4000, 1000)
        fleet.all["ours-1"].kill()
        put |= stream.put(5000, 1000)
        wait_until(lambda: fleet.is_balanced("ours-2", "real-2", "real-3"), PATIENCE, 1)
        wait_until(lambda: fleet.seen() >= put, PATIENCE, 1)

        assert fleet.seen() == put
        assert fleet.all["real-2"].is_alive()
        assert "Exception in thread" not in fleet.all["real-2"].log
    children = {lease.shard_id: lease for lease in stream.leases.list_leases()}
    merged = children["shardId-000000000010"]
    assert merged.parent_shard_ids == {"shardId-000000000002", "shardId-000000000003"}
    assert merged.hash_key_range is not None


@pytest.mark.slow
def test_the_real_kcl_unpacks_what_we_pack(engine: EngineUnderTest, tmp_path: Path) -> None:
    stream = StreamUnderTest(engine, 1)
    users = [AggregatedUserRecord(f"key-{n}", b"user-%d" % n) for n in range(20)]
    stream.kinesis.put_record(StreamName=stream.name, Data=pack(users), PartitionKey="a")
    with Fleet(engine, stream, tmp_path) as fleet:
        real = fleet.add("real-1")
        wait_until(lambda: fleet.seen() >= {user.data for user in users}, PATIENCE, 1)
        subs = [record["sub"] for record in real.records()]
    assert subs == list(range(20))


@pytest.mark.slow
def test_we_unpack_what_the_real_kpl_packs(engine: EngineUnderTest, tmp_path: Path) -> None:
    if shutil.which("javac") is None:
        pytest.skip("The real KPL's program needs a JDK, which no package registry brings.")
    kpl = bring_or_skip(real_kpl.bring)
    stream = StreamUnderTest(engine, 4)
    told = kpl.put(engine.endpoint_url, stream.name, 5000, tmp_path)
    records, _, kinesis_records = told.partition(" in ")
    assert int(records) == 5000
    assert int(kinesis_records) < 500, "the KPL has not aggregated"
    command = real_kcl.our_worker(
        "ours", engine.endpoint_url, stream.name, stream.application, tmp_path
    )
    with command as worker:
        wait_until(lambda: len(worker.records()) >= 5001, PATIENCE, 1)
    read = worker.records()
    assert len(read) == 5001
    assert {r["data"]: r["key"] for r in read} == {
        "first": "first",
        **{f"record-{n}": f"key-{n}" for n in range(5000)},
    }
    assert max(record["sub"] for record in read) > 10
