"""SNS: a publication that was acknowledged reaches its subscribers, also over a restart.

LocalStack answers a publisher first and sends to the subscribers then, from threads. Each sending
is written before the answer and removed when it is done; a subscriber may get one twice, as on AWS.
"""

from __future__ import annotations

from typing import Any

from localstack.services.sns.models import sns_stores
from localstack.services.sns.publisher import PublishDispatcher

from services.localstack.state.outbox import Outbox
from services.localstack.state.rows import StateRows

PREFIX = "publication/"
#: The one header that goes on to a subscriber.
TRACE = "X-Amzn-Trace-Id"


class Publications:
    """Sendings to subscribers that are not done yet."""

    def __init__(self, rows: StateRows) -> None:
        self._outbox = Outbox(rows, PREFIX)
        self._submit = PublishDispatcher._submit_notification
        self._left = list(self._outbox.waiting())

    def watch(self) -> None:
        """Write each sending before it is handed to a thread."""
        submit, outbox = self._submit, self._outbox

        def submit_and_keep(
            dispatcher: Any, notifier: Any, ctx: Any, subscriber: dict[str, Any]
        ) -> None:
            name = outbox.add(_written(notifier, ctx, subscriber))
            submit(dispatcher, _Sending(notifier, outbox, name), ctx, subscriber)

        PublishDispatcher._submit_notification = submit_and_keep

    def go_on(self, dispatcher: Any) -> None:
        """Send what a former engine did not get to."""
        left, self._left = self._left, []
        for name, (notifier, kind, fields, place, subscriber) in left:
            context = kind(**fields, store=sns_stores[place[0]][place[1]])
            sending = _Sending(notifier(), self._outbox, name)
            self._submit(dispatcher, sending, context, subscriber)


def _written(notifier: Any, ctx: Any, subscriber: dict[str, Any]) -> tuple[Any, ...]:
    fields = {name: value for name, value in vars(ctx).items() if name != "store"}
    trace = ctx.request_headers.get(TRACE)
    fields["request_headers"] = {TRACE: trace} if trace else {}
    place = (ctx.store._account_id, ctx.store._region_name)
    return type(notifier), type(ctx), fields, place, dict(subscriber)


class _Sending:
    """One publication to one subscriber, in the place of LocalStack's publisher."""

    def __init__(self, notifier: Any, outbox: Outbox, name: str) -> None:
        self._notifier, self._outbox, self._name = notifier, outbox, name

    def publish(self, context: Any, subscriber: Any) -> None:
        self._notifier.publish(context=context, subscriber=subscriber)
        self._outbox.remove(self._name)
