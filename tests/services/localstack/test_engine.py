"""The engine as a process: answers on one address, keeps strangers out, stops whole."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import pytest

from services.localstack.engine import Engine
from services.settings import Settings
from tests.waiting import wait_until


def test_it_answers_health_and_sts(engine: Any) -> None:
    assert engine.engine.admin("health")["pid"] == engine.engine.pid
    assert engine.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_the_clock_moves_forward(engine: Any) -> None:
    before = engine.engine.admin("clock")["now"]
    assert engine.advance_clock(3600) - before >= 3600


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_a_foreign_site_is_refused(engine: Any, headers: dict[str, str]) -> None:
    request = urllib.request.Request(f"{engine.endpoint_url}/_localstack/health", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request)
    assert refusal.value.code == 403
    refusal.value.close()


def test_a_host_header_with_a_scheme_is_accepted(engine: Any) -> None:
    host = engine.endpoint_url.replace("127.0.0.1", "localhost")
    request = urllib.request.Request(
        f"{engine.endpoint_url}/_riacho/health", headers={"Host": host}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_buckets_work_through_the_whole_chain(engine: Any) -> None:
    s3 = engine.client("s3")
    s3.create_bucket(Bucket="engine-smoke")
    s3.put_object(Bucket="engine-smoke", Key="a", Body=b"x" * 200_000)
    assert len(s3.get_object(Bucket="engine-smoke", Key="a")["Body"].read()) == 200_000


def test_an_interrupted_look_at_a_process_does_not_hide_its_end() -> None:
    """Ctrl-C in the middle of `Popen.poll` leaves this lock taken: the end was never seen then."""
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        engine = Engine(process, Settings())
        lock: Any = vars(process)["_waitpid_lock"]
        with lock:
            assert process.poll() is None
            assert not engine.has_ended()
            process.kill()
            wait_until(engine.has_ended)
            assert process.poll() is None
