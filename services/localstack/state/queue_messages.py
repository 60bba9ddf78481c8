"""SQS's messages as rows of their own, written before the answer: a queue may hold thousands.

Queues themselves are kept with the service's other state, without what is in them. After a restart
the messages that were in flight are visible again (whoever held them may have ended too); how often
each was received is kept, so that a dead-letter queue still gets what fails again and again.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from localstack.services.sqs import constants
from localstack.services.sqs.models import FifoQueue, SqsQueue, StandardQueue, sqs_stores
from localstack.services.sqs.queue import InterruptiblePriorityQueue, InterruptibleQueue

from services.localstack.state import pickling
from services.localstack.state.pickling import Reduced, maker, reducer
from services.localstack.state.rows import StateRows

PREFIX = "message/"
#: Where a queue's messages are, and what is made from them.
_CONTENTS = frozenset(
    {"delayed", "inflight", "receipts", "visible", "mutex", "message_groups", "inflight_groups"}
    | {"message_group_queue", "deduplication"}
)


def register() -> None:
    """How queues are written."""
    reducer(StandardQueue)(_queue)
    reducer(FifoQueue)(_queue)


def _queue(queue: Any) -> Reduced:
    state = {name: value for name, value in list(vars(queue).items()) if name not in _CONTENTS}
    return empty_queue, (type(queue), state)


@maker
def empty_queue(kind: Any, state: dict[str, Any]) -> Any:
    """A queue of these attributes without messages."""
    queue: Any = kind.__new__(kind)
    vars(queue).update(state)
    queue.mutex = threading.RLock()
    queue.delayed, queue.inflight, queue.receipts = set(), {}, {}
    if kind is StandardQueue:
        queue.visible = InterruptiblePriorityQueue()
    else:
        queue.message_groups, queue.inflight_groups = {}, set()
        queue.message_group_queue, queue.deduplication = InterruptibleQueue(), {}
    return queue


class QueueMessages:
    """The rows of every queue's messages: `message/` queue `/` message."""

    def __init__(self, rows: StateRows) -> None:
        self._rows = rows
        #: Deleted messages of ordered queues: no other may come under their deduplication id yet.
        self._forgotten: deque[tuple[float, str]] = deque()
        #: On their way to a dead-letter queue, by message id: the rows they leave.
        self._leaving: dict[str, str] = {}

    # Loading

    def bring_back(self) -> None:
        """Put every message into its queue; those of queues that are gone are removed."""
        queues = {
            queue.kept_id: queue
            for _, _, store in sqs_stores.iter_stores()
            for queue in store.queues.values()
        }
        found = [(name, pickling.loads(row)) for name, row in self._rows.below(PREFIX)]
        gone = []
        # By the time they were sent; ordered queues number theirs.
        for name, message in sorted(found, key=lambda each: _order(each[1])):
            queue = queues.get(name.split("/")[1])
            if queue is None or (message.deleted and _is_forgotten(message)):
                gone.append(name)
            elif message.deleted:
                queue.deduplication[message.message_deduplication_id] = message
                self._forgotten.append((_forget_at(message), name))
            else:
                _put(queue, message)
        if gone:
            self._rows.write([], gone)

    # Keeping

    def watch(self) -> None:
        """Write what queues do from now on."""
        begin = SqsQueue.__init__

        def begin_with_id(queue: Any, *arguments: Any, **named: Any) -> None:
            begin(queue, *arguments, **named)
            queue.kept_id = uuid.uuid4().hex

        SqsQueue.__init__ = begin_with_id
        for kind in (StandardQueue, FifoQueue):
            kind.put = self._then(kind.put, self._was_put)
            kind.receive = self._then(kind.receive, self._received)
            kind.clear = self._then(kind.clear, lambda queue, _: self._clear(queue))
            kind._on_remove_message = self._removing(kind._on_remove_message)

    @staticmethod
    def _then(call: Callable[..., Any], keep: Callable[[Any, Any], None]) -> Callable[..., Any]:
        def called(queue: Any, *arguments: Any, **named: Any) -> Any:
            answer = call(queue, *arguments, **named)
            keep(queue, answer)
            return answer

        return called

    def _removing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(queue: Any, message: Any) -> None:
            call(queue, message)
            self._remove(queue, message)

        return called

    def _name(self, queue: Any, message: Any) -> str:
        return f"{PREFIX}{queue.kept_id}/{message.message['MessageId']}"

    def _write(self, queue: Any, messages: list[Any], left: Iterable[str] = ()) -> None:
        rows = [(self._name(queue, message), pickling.dumps(message)) for message in messages]
        self._rows.write(rows, [*left, *self._take_forgotten()])

    def _was_put(self, queue: Any, message: Any) -> None:
        left = self._leaving.pop(message.message["MessageId"], None)
        self._write(queue, [message], [left] if left else [])

    def _received(self, queue: Any, result: Any) -> None:
        for message in result.dead_letter_messages:
            # The dead-letter queue gets it next: one row becomes the other then, all or nothing.
            self._leaving[message.message["MessageId"]] = self._name(queue, message)
        if result.successful:
            self._write(queue, result.successful)

    def _remove(self, queue: Any, message: Any) -> None:
        name = self._name(queue, message)
        if isinstance(queue, FifoQueue) and not _is_forgotten(message):
            self._forgotten.append((_forget_at(message), name))
            self._rows.write([(name, pickling.dumps(message))])
        else:
            self._rows.write([], [name])

    def _clear(self, queue: Any) -> None:
        self._rows.remove_below(f"{PREFIX}{queue.kept_id}/")

    def _take_forgotten(self) -> list[str]:
        taken, now = [], time.time()
        while self._forgotten and self._forgotten[0][0] < now:
            taken.append(self._forgotten.popleft()[1])
        return taken


def _order(message: Any) -> tuple[int, float]:
    return int(message.sequence_number or 0), float(message.created)


def _forget_at(message: Any) -> float:
    return float(message.priority + constants.DEDUPLICATION_INTERVAL_IN_SEC)


def _is_forgotten(message: Any) -> bool:
    return _forget_at(message) < time.time()


def _put(queue: Any, message: Any) -> None:
    message.visibility_deadline = None
    message.receipt_handles = set()
    if isinstance(queue, FifoQueue):
        queue.deduplication[message.message_deduplication_id] = message
    if message.is_delayed:
        queue.delayed.add(message)
    else:
        queue._put_message(message)
