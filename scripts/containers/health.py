"""What a container's health check runs: exit code 0 when everything it needs answers.

    python -I health.py engine http://127.0.0.1:4566
    python -I health.py answers http://127.0.0.1:8501/_stcore/health http://localstack:4566/…

Standard library alone: it runs every few seconds, in images that hold different packages.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterable

SECONDS = 4.0

#: A call of each service the pipeline lives on; DynamoDB's starts its Java process.
ENGINE_CALLS = ("Kinesis_20131202.ListStreams", "DynamoDB_20120810.ListTables")
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def requests_to_engine(endpoint_url: str) -> list[urllib.request.Request]:
    """The engine itself, then one call of each service that has a process or a log of its own."""
    signed = "AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/x/aws4_request, Signature=x"
    headers = {"Content-Type": "application/x-amz-json-1.1", "Authorization": signed}
    calls = [
        urllib.request.Request(endpoint_url, data=b"{}", headers={**headers, "X-Amz-Target": call})
        for call in ENGINE_CALLS
    ]
    return [urllib.request.Request(f"{endpoint_url}/_riacho/health"), *calls]


def first_problem(requests: Iterable[urllib.request.Request]) -> str | None:
    """One sentence about the first that does not answer 200; None when all do."""
    for request in requests:
        wanted = request.get_header("X-amz-target") or "GET"
        try:
            with _OPENER.open(request, timeout=SECONDS):
                pass
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(500).decode(errors="replace")
            return f"{wanted} {request.full_url} answers {error.code}: {said}"
        except OSError as error:
            return f"{wanted} {request.full_url} does not answer: {error}"
    return None


def main(kind: str, urls: list[str]) -> int:
    requests = (
        requests_to_engine(urls[0])
        if kind == "engine"
        else [urllib.request.Request(url) for url in urls]
    )
    problem = first_problem(requests)
    if problem is not None:
        print(problem)
    return 0 if problem is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
