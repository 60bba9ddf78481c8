"""EventBridge: an event that was acknowledged reaches its rules' targets, also over a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localstack.services.events import provider as stock
from localstack.utils.xray.trace_header import TraceHeader

from services.localstack.state.outbox import Outbox
from services.localstack.state.rows import StateRows

PREFIX = "event/"


class PutEvents:
    """Events whose rules have not been asked yet. LocalStack answers first and asks them then."""

    def __init__(self, rows: StateRows) -> None:
        self._outbox = Outbox(rows, PREFIX)
        self._left = list(self._outbox.waiting())
        self._start = stock.start_worker_thread

    def watch(self) -> None:
        """Write each event before it is handed to a thread."""

        def start_and_keep(call: Callable[..., Any], params: Any = None, **named: Any) -> Any:
            if getattr(call, "__name__", "") != "_process_rules_async":
                return self._start(call, params, **named)
            header = params["trace_header"].to_header_str()
            name = self._outbox.add(params | {"trace_header": header})
            return self._start(self._finishing(call, name), params, **named)

        stock.start_worker_thread = start_and_keep

    def go_on(self, provider: Any) -> None:
        """Hand on what a former engine did not get to."""
        left, self._left = self._left, []
        for name, params in left:
            header = TraceHeader.from_header_str(params["trace_header"])
            self._finishing(provider._process_rules_async, name)(params | {"trace_header": header})

    def _finishing(self, call: Callable[..., Any], name: str) -> Callable[[Any], None]:
        def process(params: Any) -> None:
            call(params)
            self._outbox.remove(name)

        return process
