"""The engine's own calls below `/_riacho/`: its health and its clock."""

from __future__ import annotations

import json
import os
from typing import Any

from services.localstack.data_calls import DataAnswer, DataRequest, data_calls
from services.localstack.running import running


def json_answer(content: dict[str, Any], status: int = 200) -> DataAnswer:
    """A JSON body."""
    body = json.dumps(content).encode()
    return DataAnswer(status, {"Content-Type": "application/json"}, body)


def health(request: DataRequest) -> DataAnswer:
    """Who answers here: a client can tell this engine from another on the same port."""
    settings = running().settings
    return json_answer({"pid": os.getpid(), "data_dir": str(settings.data_dir)})


def clock(request: DataRequest) -> DataAnswer:
    """GET tells the engine's time; POST `{"advance_seconds": 300}` moves it forward."""
    engine_clock = running().clock
    if request.method == "POST":
        try:
            engine_clock.advance(float(json.loads(request.body)["advance_seconds"]))
        except (ValueError, KeyError, TypeError) as error:
            return json_answer({"message": f"advance_seconds: {error}"}, 400)
    return json_answer({"now": engine_clock.now(), "ahead_seconds": engine_clock.ahead_seconds})


data_calls["health"] = health
data_calls["clock"] = clock
