"""From an HTTP request to an HTTP answer, without LocalStack's request chain."""

from __future__ import annotations

import threading
import time
from typing import Any

from services.kinesis import wire
from services.kinesis.arn import Caller
from services.kinesis.errors import KinesisError, internal_failure
from services.kinesis.event_stream import CONTENT_TYPE, encode_event, encode_exception
from services.kinesis.kinesis import Kinesis
from services.kinesis.request_shapes import REQUEST_SHAPES
from services.kinesis.subscription import Subscription, subscribe
from services.kinesis.validation import check_request
from services.localstack.data_calls import DataAnswer, DataRequest, Pieces, StreamingAnswer

TARGET_PREFIX = "Kinesis_20131202"
#: A subscriber that has so much left to take gets nothing more for now.
_MAX_UNSENT_BYTES = 8 * 1024 * 1024


def answer(kinesis: Kinesis, request: DataRequest) -> DataAnswer | StreamingAnswer:
    """Answer any operation of the service."""
    operation = request.target.partition(".")[2]
    codec = wire.codec_of(request.headers.get("content-type", ""))
    try:
        content = codec.request(operation, request.body)
        if operation == "SubscribeToShard":
            return _subscribe(kinesis, content, request, codec)
        answered = kinesis.call(
            operation, content, region=request.region, account_id=request.account_id
        )
    except KinesisError as error:
        return DataAnswer(*wire.error_answer(error, codec))
    # AWS sends no body where the service model has no output.
    body = codec.answer(answered) if answered else b""
    return DataAnswer(200, {"Content-Type": codec.content_type}, body)


def _subscribe(
    kinesis: Kinesis, content: dict[str, Any], request: DataRequest, codec: wire.Codec
) -> StreamingAnswer:
    check_request(content, REQUEST_SHAPES["SubscribeToShard"])
    subscription = subscribe(kinesis, Caller(request.account_id, request.region), content)

    def start(pieces: Pieces) -> None:
        pieces.when_closed(subscription.stop)
        name = f"subscription-{content['ShardId']}"
        threading.Thread(
            target=_push, args=(subscription, pieces, codec), name=name, daemon=True
        ).start()

    return StreamingAnswer(200, {"Content-Type": CONTENT_TYPE}, start)


def _push(subscription: Subscription, pieces: Pieces, codec: wire.Codec) -> None:
    def push(event: dict[str, Any]) -> None:
        while pieces.unsent_bytes > _MAX_UNSENT_BYTES and pieces.is_open:
            time.sleep(0.05)
        payload = codec.answer(event)
        pieces.write(encode_event("SubscribeToShardEvent", codec.content_type, payload))

    pieces.write(encode_event("initial-response", codec.content_type, codec.answer({})))
    try:
        subscription.run(push)
    except KinesisError as error:
        pieces.write(_exception(error, codec))
    except KeyError:
        # The shard went away with its stream or with the last of its records.
        pieces.write(_exception(internal_failure(), codec))
    finally:
        pieces.close()


def _exception(error: KinesisError, codec: wire.Codec) -> bytes:
    payload = codec.answer({"message": error.message})
    return encode_exception(error.code, codec.content_type, payload)
