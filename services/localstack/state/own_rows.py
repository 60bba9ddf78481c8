"""Services with rows of their own beside their stores, and with objects that need a reducer.

Each function is called once, before its service starts; importing a service takes time, so nothing
is imported before.
"""

from __future__ import annotations

from collections.abc import Callable

from localstack.services.plugins import Service

from services.localstack.state.rows import StateRows

#: What a service does with its rows once its stores are back, and then once it has started.
AfterStart = Callable[[Service], None]
BringBack = Callable[[StateRows], AfterStart | None]


def sqs() -> BringBack:
    """Messages."""
    from services.localstack.state import queue_messages

    queue_messages.register()

    def bring_back(rows: StateRows) -> None:
        messages = queue_messages.QueueMessages(rows)
        messages.bring_back()
        messages.watch()

    return bring_back


def logs() -> BringBack:
    """Log events."""
    from services.localstack.state import log_events

    log_events.register()

    def bring_back(rows: StateRows) -> None:
        events = log_events.LogEvents(rows)
        events.bring_back()
        events.watch()

    return bring_back


def sns() -> BringBack:
    """Publications on their way."""
    from services.localstack.state.publications import Publications

    def bring_back(rows: StateRows) -> AfterStart:
        publications = Publications(rows)
        publications.watch()
        return lambda service: publications.go_on(service._provider._publisher)

    return bring_back


def events() -> BringBack:
    """Events on their way."""
    from services.localstack.state.put_events import PutEvents

    def bring_back(rows: StateRows) -> AfterStart:
        put_events = PutEvents(rows)
        put_events.watch()
        return lambda service: put_events.go_on(service._provider)

    return bring_back


def iam() -> BringBack:
    """Nothing of its own, but managed policies that are not kept."""
    from services.localstack.state import managed_policies

    managed_policies.register()
    return lambda rows: None


OWN_ROWS: dict[str, Callable[[], BringBack]] = {
    "sqs": sqs,
    "logs": logs,
    "sns": sns,
    "events": events,
    "iam": iam,
}
