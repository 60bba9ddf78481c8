"""How `./scripts/test` shares the suite among processes: file by file, heavy ones in lanes.

Each process has its own engine, so files do not see each other. Tests mostly wait, so there are
more processes than cores.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import NodeManager

#: Each lane is walked by one process from its beginning to its end, so that not two programs that
#: fill a machine run beside each other.
LANES = {
    "stories": ("tests/stories/",),
    "servers": (
        "tests/consumers/kcl/test_real_kcl_interop.py",
        "tests/contract/kinesis/test_real_clients.py",
        "tests/services/firehose/destinations/test_real_opensearch.py",
        "tests/services/opensearch/test_panels_on_opensearch.py",
        "tests/consumers/processors/test_real_opensearch.py",
        "tests/dashboards/test_browser.py",
        "tests/scripts/bench/",
    ),
}
#: An engine with its Java, a worker or two, DuckDB.
PROCESS_BYTES = 1_500_000_000


def lane_of(node_id: str) -> str:
    """What stays together and in order: a lane's name, else the file."""
    file = node_id.partition("::")[0]
    return next((lane for lane, parts in LANES.items() if file.startswith(parts)), file)


def in_order(node_ids: list[str], slow: frozenset[str]) -> list[str]:
    """Lanes first, then files with slow tests, then those with many tests."""
    tests: dict[str, int] = {}
    slow_ones: dict[str, int] = {}
    for node_id in node_ids:
        lane = lane_of(node_id)
        tests[lane] = tests.get(lane, 0) + 1
        slow_ones[lane] = slow_ones.get(lane, 0) + (node_id in slow)

    def rank(node_id: str) -> tuple[Any, ...]:
        lane = lane_of(node_id)
        return lane not in LANES, -slow_ones[lane], -tests[lane]

    return sorted(node_ids, key=rank)


#: After a Ctrl-C xdist kills what has not ended after ten seconds, before it stopped its engines.
ENDING_SECONDS = 60


def processes(cores: int, memory_bytes: int) -> int:
    """Two for each core, as long as there is memory; at most eight."""
    return max(1, min(2 * cores, memory_bytes // PROCESS_BYTES, 8))


class Lanes(LoadScopeScheduling):
    """xdist's own scheduler by scope, whose scopes are lanes and files."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid)


def pytest_configure(config: pytest.Config) -> None:
    NodeManager.EXIT_TIMEOUT = ENDING_SECONDS


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto`: as many as this machine can feed."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return processes(os.process_cpu_count() or 1, memory)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Ours, unless `--dist` names another one."""
    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False
    return Lanes(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In one of several processes what takes longest comes first; alone, files keep their order."""
    if not hasattr(config, "workerinput"):
        return
    slow = frozenset(item.nodeid for item in items if item.get_closest_marker("slow"))
    place = {node_id: n for n, node_id in enumerate(in_order([i.nodeid for i in items], slow))}
    items.sort(key=lambda item: place[item.nodeid])
