"""Functions for tests, through boto3 alone: pack, create, invoke, read what they logged."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import Any

from tests.waiting import wait_until

ROLE = "arn:aws:iam::000000000000:role/lambda"


def package(files: dict[str, str]) -> bytes:
    """A deployment package of text files; `bootstrap` may be executed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def deploy(awslambda: Any, source: str, **settings: Any) -> str:
    """An active function whose `app.handler` is in `source`; its unique name."""
    name = f"f-{uuid.uuid4().hex[:10]}"
    wanted: dict[str, Any] = {
        "Runtime": "python3.13",
        "Role": ROLE,
        "Handler": "app.handler",
        "Timeout": 30,
        "Code": {"ZipFile": package({"app.py": source})},
    }
    awslambda.create_function(FunctionName=name, **(wanted | settings))
    wait_until_active(awslambda, name)
    return name


def wait_until_active(awslambda: Any, name: str) -> None:
    def is_ready() -> bool:
        state = awslambda.get_function_configuration(FunctionName=name)
        assert state["State"] != "Failed", state["StateReason"]
        return (state["State"], state.get("LastUpdateStatus")) == ("Active", "Successful")

    wait_until(is_ready, seconds=60)


def invoke(awslambda: Any, name: str, event: Any = None, **request: Any) -> Any:
    """What the function returned. Fails when it raised."""
    answer = awslambda.invoke(FunctionName=name, Payload=json.dumps(event), **request)
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def messages(logs: Any, name: str) -> list[str]:
    """Everything the function logged so far, in order."""
    try:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [event["message"].rstrip("\n") for event in found]
