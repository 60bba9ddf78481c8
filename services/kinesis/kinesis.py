"""The stream engine: every Kinesis operation, over streams that live in one storage."""

from __future__ import annotations

import logging
import threading
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from services.clock import Clock
from services.kinesis import stream as streams
from services.kinesis.arn import Caller, StreamKey, parse_arn
from services.kinesis.errors import (
    KinesisError,
    internal_failure,
    invalid_argument,
    stream_not_found,
)
from services.kinesis.live_stream import LiveStream
from services.kinesis.operations import CHECKS_ITSELF, OPERATIONS
from services.kinesis.request_shapes import REQUEST_SHAPES
from services.kinesis.storage import DiskStorage, MemoryStorage, Storage
from services.kinesis.stream import Stream
from services.kinesis.validation import check_request

if TYPE_CHECKING:
    from services.kinesis.subscription import Subscription, SubscriptionKey
    from services.localstack.running import Running


logger = logging.getLogger(__name__)


class Kinesis:
    """All streams of all accounts and regions. Safe for threads; `call` never waits.

    `status_seconds` is how long a stream stays CREATING, UPDATING or DELETING.
    `shard_limits` may be changed at any time.
    """

    def __init__(
        self,
        clock: Clock,
        storage: Storage,
        *,
        shard_limits: bool = False,
        status_seconds: float = 0.0,
        sync: bool = False,
    ) -> None:
        self.clock = clock
        self.storage = storage
        self.shard_limits = shard_limits
        self.status_seconds = status_seconds
        self.sync = sync
        self.lock = threading.RLock()
        self.streams: dict[StreamKey, LiveStream] = {}
        self.subscriptions: dict[SubscriptionKey, Subscription] = {}
        self.account_settings: dict[str, dict[str, Any]] = storage.load_accounts()
        for fields in storage.load():
            self._bring_back(fields)

    def _bring_back(self, fields: dict[str, Any]) -> None:
        name = fields.get("name")
        try:
            state = streams.from_json(fields)
            live = LiveStream(state, self.storage, sync=self.sync)
        except (KeyError, TypeError, ValueError, AttributeError) as damage:
            logger.warning("Stream %s is left out, its files stay: %r", name, damage)
        except OSError as failure:
            logger.warning(
                "Stream %s is left out, its files stay: %s. Mend that and start again.",
                *(name, failure),
            )
        else:
            self.streams[StreamKey(state.account_id, state.region, state.name)] = live

    def call(
        self, operation: str, request: dict[str, Any], *, region: str, account_id: str
    ) -> dict[str, Any]:
        """Answer one operation of the service model.

        `request` and the answer have AWS's shapes: `Data` as bytes, timestamps as seconds
        since 1970. Raises KinesisError for every answer that is an error.
        """
        operate = OPERATIONS.get(operation)
        if operate is None:
            raise KinesisError("UnknownOperationException", "")
        if operation not in CHECKS_ITSELF:
            check_request(request, REQUEST_SHAPES[operation])
        return operate(self, Caller(account_id, region), request)

    # ------------------------------------------------------- for other services

    def activity(self, stream_arn: str) -> int:
        """A number that grows with every put and every change of the stream.

        Read it before reading the shards, and hand it to `wait_for_activity` afterwards:
        then nothing that happens in between is missed. Raises ResourceNotFoundException.
        """
        return self.find_arn(stream_arn).version

    def wait_for_activity(self, stream_arn: str, seen: int, timeout: float) -> int:
        """Block until `activity` is not `seen` any more, at most `timeout` real seconds.

        Returns the new number, `seen` when the time is over. A waiting thread costs nothing;
        `wake` ends its wait. Raises ResourceNotFoundException when the stream is deleted.
        """
        live = self.find_arn(stream_arn)
        version = live.wait(seen, timeout)
        self.find_arn(stream_arn)
        return version

    def wake(self, stream_arn: str) -> None:
        """End the waits for this stream: whoever waits looks whether it should stop."""
        self.find_arn(stream_arn).wake()

    # ---------------------------------------------------------------- streams

    def find_arn(self, arn: str) -> LiveStream:
        """By the ARN of a stream or of one of its consumers."""
        return self.find_key(parse_arn(arn))

    def find(self, caller: Caller, request: dict[str, Any]) -> LiveStream:
        """The stream that a request names by name, ARN or id."""
        name, arn = request.get("StreamName"), request.get("StreamARN")
        if arn is not None:
            key = parse_arn(arn)
            if name is not None and key.name != name:
                raise invalid_argument(
                    f"StreamName {name} and StreamARN {arn} do not name the same stream."
                )
            return self.find_key(key)
        if name is not None:
            return self.find_key(StreamKey(caller.account_id, caller.region, name))
        if (stream_id := request.get("StreamId")) is not None:
            for key, live in list(self.streams.items()):
                if key[:2] == caller and live.state.stream_id == stream_id:
                    return live
            raise stream_not_found(stream_id, caller.account_id)
        raise invalid_argument("Either StreamName or StreamARN should be provided.")

    def find_key(self, key: StreamKey) -> LiveStream:
        live = self.streams.get(key)
        if live is not None and live.state.is_gone(self.clock.now()):
            self.sweep()
            live = None
        if live is None:
            raise stream_not_found(key.name, key.account_id)
        return live

    def own_streams(self, caller: Caller) -> list[LiveStream]:
        """The caller's streams, in the order of their names."""
        now = self.clock.now()
        with self.lock:
            own = [(key.name, live) for key, live in self.streams.items() if key[:2] == caller]
        return [live for _, live in sorted(own, key=itemgetter(0)) if not live.state.is_gone(now)]

    def sweep(self) -> None:
        """Let go of streams whose deletion is over. Not to be called with a lock in hand."""
        now = self.clock.now()
        with self.lock:
            gone = [(k, live) for k, live in self.streams.items() if live.state.is_gone(now)]
            for key, _ in gone:
                del self.streams[key]
        for _, live in gone:
            live.delete()

    def add(self, state: Stream) -> LiveStream:
        """Keep a new stream. Raises InternalFailure when that cannot be done (disk full)."""
        with self.lock:
            try:
                self.storage.save(state.stream_id, streams.to_json(state))
            except OSError as failure:
                logger.warning("Stream %s: %s", state.name, failure)
                raise internal_failure() from None
            live = LiveStream(state, self.storage, sync=self.sync)
            self.streams[StreamKey(state.account_id, state.region, state.name)] = live
            return live


def make_kinesis(running: Running) -> Kinesis:
    """The engine's streams, as its settings say."""
    settings = running.settings
    storage: Storage = MemoryStorage()
    if settings.stream_storage == "disk":
        storage = DiskStorage(settings.data_dir / "kinesis")
    return Kinesis(
        running.clock,
        storage,
        shard_limits=settings.shard_limits == "aws",
        status_seconds=settings.stream_status_seconds,
        sync=settings.stream_sync == "always",
    )
