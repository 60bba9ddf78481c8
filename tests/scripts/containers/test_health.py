"""What a health check says: nothing when all answer, else one sentence about the first."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from scripts.containers.health import ENGINE_CALLS, first_problem, main, requests_to_engine


@pytest.fixture
def server() -> Iterator[str]:
    """Answers 200, below /bad 503."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503 if self.path == "/bad" else 200)
            self.end_headers()
            self.wfile.write(b"a sentence")

        do_POST = do_GET  # noqa: N815  (the name that http.server looks for)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_all_that_answer_are_no_problem(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("answers", [server, f"{server}/x"]) == 0
    assert main("engine", [server]) == 0
    assert capsys.readouterr().out == ""


def test_an_answer_that_is_not_200_is_told_with_its_words(server: str) -> None:
    problem = first_problem([urllib.request.Request(f"{server}/bad")])
    assert problem == f"GET {server}/bad answers 503: a sentence"


def test_what_does_not_answer_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert main("answers", [url]) == 1
    assert f"GET {url} does not answer" in capsys.readouterr().out


def test_the_engine_is_asked_for_each_service_that_has_a_life_of_its_own() -> None:
    asked = [r.get_header("X-amz-target") for r in requests_to_engine("http://engine:1")]
    assert asked == [None, *ENGINE_CALLS]
