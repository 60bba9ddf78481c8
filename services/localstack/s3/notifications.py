"""S3: a notification of a change that was acknowledged reaches its target, also over a restart.

LocalStack hands each to a thread, within the request. Each is written before that and removed when
it was handed on; a target may get one twice, as on AWS:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html
"""

from __future__ import annotations

from typing import Any

from services.localstack.running import Running
from services.localstack.state.outbox import Outbox
from services.localstack.state.provider import keeper
from services.localstack.state.rows import StateRows

#: The file of state; what waits is sent without S3 being there, which may take long to start.
NAME = "s3-notifications"
PREFIX = "notification/"


class Notifications:
    """Those that have not reached their targets."""

    def __init__(self, rows: StateRows) -> None:
        self._outbox = Outbox(rows, PREFIX)
        self._left = list(self._outbox.waiting())

    def watch(self) -> None:
        """Write each notification before it is handed to a thread."""
        from localstack.services.s3.notifications import NotificationDispatcher

        submit, outbox = NotificationDispatcher._submit_notification, self._outbox

        def submit_and_keep(dispatcher: Any, notifier: Any, context: Any, config: Any) -> None:
            name = outbox.add((type(notifier), context, config))
            submit(dispatcher, _Sending(notifier, outbox, name), context, config)

        NotificationDispatcher._submit_notification = submit_and_keep

    def go_on(self) -> None:
        """Send what a former engine did not get to."""
        left, self._left = self._left, []
        for name, (notifier, context, config) in left:
            _Sending(notifier(), self._outbox, name).notify(context, config)


class _Sending:
    """One notification to one target, in the place of LocalStack's notifier, which raises nothing:
    it logs what it could not send."""

    def __init__(self, notifier: Any, outbox: Outbox, name: str) -> None:
        self._notifier, self._outbox, self._name = notifier, outbox, name

    def notify(self, context: Any, config: Any) -> None:
        self._notifier.notify(context, config)
        self._outbox.remove(self._name)


def notifications(running: Running) -> Notifications:
    """The engine's, of which there is one."""
    return running.core("s3-notifications", lambda _: keeper().own(NAME, Notifications))
