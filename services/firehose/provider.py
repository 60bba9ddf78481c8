"""Firehose for LocalStack: AWS's wire format outside, the core inside."""

from __future__ import annotations

import uuid
from base64 import b64encode
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import Any
from zlib import crc32

import orjson
from botocore.config import Config
from localstack.aws.connect import connect_to
from localstack.runtime import hooks
from localstack.services.plugins import Service, aws_provider

from services.firehose.delivery_streams import DeliveryStreams
from services.firehose.errors import FirehoseError
from services.firehose.firehose import make_firehose
from services.firehose.put_limits import MAX_BATCH_RECORDS, MAX_RECORD_BYTES
from services.localstack.core_service import core_service
from services.localstack.data_calls import DataAnswer, DataRequest, data_calls
from services.localstack.direct_call import direct_call
from services.localstack.running import Running, running

#: A transform has five minutes, after which botocore would ask again.
#: https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
_CONFIGS = {"lambda": Config(read_timeout=300, max_pool_connections=150)}
JSON_TYPE = "application/x-amz-json-1.1"


class DirectS3:
    """The one call of S3 that deliveries make. An object of its own partition costs a fifth of
    what it costs through HTTP, and there may be hundreds at once."""

    def __init__(self, region: str, account_id: str) -> None:
        self._region = region
        self._account_id = account_id

    def put_object(self, **request: Any) -> dict[str, Any]:
        """As boto3's, with the checksum that boto3 adds. Raises ClientError."""
        content = request["Body"]
        checksum = b64encode(crc32(content).to_bytes(4)).decode()
        body = {"Body": BytesIO(content), "ContentLength": len(content)}
        return direct_call(
            "s3",
            "PutObject",
            {**request, **body, "ChecksumAlgorithm": "CRC32", "ChecksumCRC32": checksum},
            region=self._region,
            account_id=self._account_id,
        )


@lru_cache(maxsize=64)
def client_of(service: str, region: str, account_id: str) -> Any:
    """A client of the engine's own services."""
    if service == "s3":
        return DirectS3(region, account_id)
    clients = connect_to(
        aws_access_key_id=account_id, region_name=region, config=_CONFIGS.get(service)
    )
    return getattr(clients, {"lambda": "lambda_"}.get(service, service))


def _make(running: Running) -> DeliveryStreams:
    return make_firehose(running, client_of)


def firehose_core() -> DeliveryStreams:
    """The delivery streams of this engine."""
    return running().core("firehose", _make)


@aws_provider(api="firehose", name="riacho")
def firehose() -> Service:
    return core_service("firehose", firehose_core, FirehoseError)


@hooks.on_infra_ready()
def go_on_delivering() -> None:
    """What waited when a former engine ended is delivered without anybody calling."""
    firehose_core()


@hooks.on_infra_shutdown()
def stop_delivering() -> None:
    firehose_core().stop()


def put_record_batch(request: DataRequest) -> DataAnswer | None:
    """PutRecordBatch without LocalStack's chain; None leaves a refusal to it."""
    try:
        wanted = orjson.loads(request.body)
        contents = [a2b_base64(r["Data"], strict_mode=True) for r in wanted["Records"]]
        name = wanted["DeliveryStreamName"]
    except (orjson.JSONDecodeError, NotBase64, KeyError, TypeError, ValueError):
        return None
    if not 1 <= len(contents) <= MAX_BATCH_RECORDS or max(map(len, contents)) > MAX_RECORD_BYTES:
        return None
    core = firehose_core()
    checked = {"DeliveryStreamName": name, "Records": [{"Data": each} for each in contents]}
    return _answer(lambda: core.put_record_batch(checked, request.region, request.account_id))


def put_record(request: DataRequest) -> DataAnswer | None:
    """PutRecord, likewise."""
    try:
        wanted = orjson.loads(request.body)
        content = a2b_base64(wanted["Record"]["Data"], strict_mode=True)
        name = wanted["DeliveryStreamName"]
    except (orjson.JSONDecodeError, NotBase64, KeyError, TypeError, ValueError):
        return None
    if len(content) > MAX_RECORD_BYTES:
        return None
    core = firehose_core()
    checked = {"DeliveryStreamName": name, "Record": {"Data": content}}
    return _answer(lambda: core.put_record(checked, request.region, request.account_id))


def _answer(call: Callable[[], dict[str, Any]]) -> DataAnswer:
    try:
        status, content = 200, call()
    except FirehoseError as wrong:
        status, content = wrong.status, {"__type": wrong.code, "message": wrong.message}
    headers = {"content-type": JSON_TYPE, "x-amzn-requestid": str(uuid.uuid4())}
    return DataAnswer(status, headers, orjson.dumps(content))


data_calls["Firehose_20150804.PutRecordBatch"] = put_record_batch
data_calls["Firehose_20150804.PutRecord"] = put_record
