"""An engine that costs nothing: answers data calls with what a real engine said the first time.

    python -m scripts.bench.canned HOST PORT     (until its standard input ends)

Prints the port it listens on. What a client reaches against it is the most it can reach against
any engine: the rest is the client's own work.
"""

from __future__ import annotations

import socket
import sys
import threading
from typing import BinaryIO

#: Operations that are answered from memory; any other is the real engine's to answer.
CANNED = (b"PutRecords", b"PutRecord", b"GetRecords")


def main(host: str, port: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        threading.Thread(target=_accept, args=(listening, (host, int(port))), daemon=True).start()
        sys.stdin.read()


def _accept(listening: socket.socket, engine: tuple[str, int]) -> None:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=serve, args=(connection, engine), daemon=True).start()


def serve(connection: socket.socket, engine: tuple[str, int]) -> None:
    """Answer one connection until the client closes it."""
    answers: dict[bytes, bytes] = {}
    with connection, socket.create_connection(engine) as onward:
        for one in (connection, onward):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        requests, replies = connection.makefile("rb"), onward.makefile("rb")
        while (message := _message(requests)) is not None:
            operation, request = message
            answer = answers.get(operation)
            if answer is None:
                onward.sendall(request)
                replied = _message(replies)
                if replied is None:
                    return
                answer = replied[1]
                if operation in CANNED:
                    answers[operation] = answer
            connection.sendall(answer)


def _message(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """One HTTP message with a Content-Length, and the operation that its head names."""
    head, operation, length = bytearray(), b"", 0
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return None
        head += line
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        elif name.lower() == b"x-amz-target":
            operation = value.strip().rpartition(b".")[2]
    return operation, bytes(head) + stream.read(length)


if __name__ == "__main__":
    main(*sys.argv[1:])
