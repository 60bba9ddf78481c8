"""The HTTP front, byte by byte: whichever way a request arrives, it gets the same answer."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import pytest

from services.localstack.engine import Engine, start
from services.settings import Settings
from tests.waiting import wait_until

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=123456789012/20260101/eu-west-1/tests/aws4_request, "
    "SignedHeaders=host, Signature=0"
)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    settings = Settings(
        port=0,
        data_dir=tmp_path_factory.mktemp("front"),
        stream_storage="memory",
        extra_modules="tests.services.localstack.extra_calls",
    )
    with start(settings) as engine:
        yield engine
    assert (settings.data_dir / "stopped").exists(), "services are told when the engine stops"


@pytest.fixture
def connection(front: Engine) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", front.settings.port, timeout=30)
    yield connection
    connection.close()


def call(
    connection: http.client.HTTPConnection, target: str, body: Any = b"{}", **headers: str
) -> tuple[int, bytes]:
    connection.request("POST", "/", body, {"X-Amz-Target": target, **headers})
    answer = connection.getresponse()
    return answer.status, answer.read()


def raw(front: Engine, *segments: bytes) -> Iterator[bytes]:
    """Send segments each in a packet of its own; then every answer's body."""
    with socket.create_connection(("127.0.0.1", front.settings.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for segment in segments:
            connection.sendall(segment)
        with connection.makefile("rb") as file:
            while True:
                yield read_body(file)


def read_body(file: BinaryIO) -> bytes:
    """The next answer's body; http.client would read into the answer after it."""
    assert file.readline() == b"HTTP/1.1 200 OK\r\n"
    headers = http.client.parse_headers(file)
    if "Content-Length" in headers:
        return file.read(int(headers["Content-Length"]))
    body = b""
    while size := int(file.readline(), 16):
        body += file.read(size)
        file.readline()
    file.readline()
    return body


def request(body: bytes, target: str = "Tests.Echo", *headers: str) -> bytes:
    lines = [
        "POST / HTTP/1.1",
        "Host: 127.0.0.1",
        f"x-amz-target: {target}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_account_and_region_come_from_the_signature(connection: Any) -> None:
    assert call(connection, "Tests.Echo") == (200, b"000000000000 us-east-1 2")
    assert call(connection, "Tests.Echo", Authorization=SIGNED)[1] == b"123456789012 eu-west-1 2"


def test_a_request_may_arrive_in_pieces_of_any_size(front: Engine) -> None:
    whole = request(b"x" * 100)
    segments = [whole[i : i + 7] for i in range(0, len(whole), 7)]
    assert next(raw(front, *segments)) == b"000000000000 us-east-1 100"


def test_requests_may_be_sent_ahead(front: Engine) -> None:
    targets = ["Tests.Echo", "Tests.Count", "Tests.Later", "Tests.Echo"]
    sent = b"".join(request(b"x" * i, target) for i, target in enumerate(targets))
    answers = raw(front, sent)
    assert [next(answers).split()[-1] for _ in targets] == [b"0", b"2", b"later", b"3"]


def test_large_and_chunked_bodies_arrive_whole(connection: Any) -> None:
    assert call(connection, "Tests.Echo", b"x" * 9_000_000)[1].endswith(b" 9000000")
    assert call(connection, "Tests.Echo", iter([b"x" * 70_000, b"y"]))[1].endswith(b" 70001")


def test_a_fault_of_ours_is_an_internal_failure_and_harms_nobody(
    front: Engine, connection: Any
) -> None:
    status, body = call(connection, "Tests.Fail")
    assert (status, json.loads(body)["__type"]) == (500, "InternalFailure")
    assert call(connection, "Tests.Echo")[0] == 200
    log = Path(front.settings.data_dir, "engine.log")
    assert "a fault of ours" in wait_until(log.read_text)


def test_what_a_call_leaves_to_localstack_is_answered_there(connection: Any) -> None:
    target = "AWSSecurityTokenServiceV20110615.GetCallerIdentity"
    body = "Action=GetCallerIdentity&Version=2011-06-15"
    form = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": SIGNED}
    status, answer = call(connection, target, body, **form)
    assert status == 200
    assert b"<Account>123456789012</Account>" in answer


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_a_data_call_from_another_site_is_refused(connection: Any, headers: Any) -> None:
    assert call(connection, "Tests.Echo", **headers)[0] == 403


@pytest.mark.parametrize(
    "host", ["localhost:4566", "http://localhost:4566", "bucket.localhost", "[::1]:4566"]
)
def test_a_local_name_is_welcome(connection: Any, host: str) -> None:
    assert call(connection, "Tests.Echo", Host=host)[0] == 200


def test_an_unknown_admin_path_is_not_found(connection: Any) -> None:
    connection.request("GET", "/_riacho/nothing")
    assert connection.getresponse().status == 404


def test_a_streaming_answer_comes_in_chunks(connection: Any) -> None:
    assert call(connection, "Tests.Count") == (200, b"0\n1\n2\n")


def test_who_streams_learns_that_the_client_left(front: Engine, connection: Any) -> None:
    leaving = http.client.HTTPConnection("127.0.0.1", front.settings.port, timeout=30)
    leaving.request("POST", "/", b"{}", {"X-Amz-Target": "Tests.WaitForClose"})
    answer = leaving.getresponse()
    assert answer.readline() == b"open\n"
    answer.close()
    leaving.close()
    wait_until(lambda: call(connection, "Tests.WasClosed")[1] == b"True")


def test_tls_is_spoken_on_the_same_port(front: Engine) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    secure = http.client.HTTPSConnection(
        "127.0.0.1", front.settings.port, timeout=30, context=context
    )
    assert call(secure, "Tests.Echo")[0] == 200
    secure.close()


@pytest.mark.parametrize(
    ("target", "wanted"),
    [("Tests.Echo", b" 2"), ("Tests.Count", b"0\n1\n2\n"), ("Tests.Later", b"later")],
)
def test_http_2_with_prior_knowledge(front: Engine, target: str, wanted: bytes) -> None:
    """The real KCL's SDK for Java speaks nothing else to an `http:` endpoint."""
    assert over_http_2(front.endpoint_url, target, b"{}").endswith(wanted)


def over_http_2(url: str, target: str, body: bytes) -> bytes:
    address = urlsplit(url)
    client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    client.initiate_connection()
    stream = client.get_next_available_stream_id()
    pseudo = {":method": "POST", ":path": "/", ":scheme": "http", ":authority": address.netloc}
    client.send_headers(stream, [*pseudo.items(), ("x-amz-target", target)])
    client.send_data(stream, body, end_stream=True)
    received = b""
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        while True:
            connection.sendall(client.data_to_send())
            for event in client.receive_data(connection.recv(65536)):
                if isinstance(event, h2.events.DataReceived):
                    received += event.data
                if isinstance(event, h2.events.StreamEnded):
                    return received
