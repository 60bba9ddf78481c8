"""How the suite is shared among processes."""

from __future__ import annotations

from services.localstack.environment import ROOT
from tests.parallel import LANES, in_order, lane_of, processes

GB = 10**9


def test_what_is_in_a_lane_exists() -> None:
    assert [p for parts in LANES.values() for p in parts if not (ROOT / p).exists()] == []


def test_a_lane_holds_its_folders_and_every_other_file_is_for_itself() -> None:
    assert lane_of("tests/stories/test_demo.py::test_a[x]") == "stories"
    assert lane_of("tests/scripts/bench/test_peers.py::test_b") == "servers"
    assert lane_of("tests/services/test_cron.py::test_c") == "tests/services/test_cron.py"


def test_lanes_begin_then_files_with_slow_tests_then_long_files() -> None:
    short, slow, long = "tests/a.py::a", "tests/b.py::b", "tests/c.py::c"
    story = "tests/stories/test_demo.py::s"
    found = in_order([short, slow, long, long + "2", story], frozenset([slow]))
    assert found == [story, slow, long, long + "2", short]


def test_the_number_of_processes_follows_cores_and_memory() -> None:
    assert processes(2, 16 * GB) == 4
    assert processes(2, 4 * GB) == 2
    assert processes(1, GB) == 1
    assert processes(64, 256 * GB) == 8
