"""Every delivery stream of this engine, and Firehose's operations on them."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from services.clock import Clock, RealClock
from services.firehose import configuration, constraints, tags, validation
from services.firehose.configuration import Configuration
from services.firehose.delivery_stream import DeliveryStream, Surroundings
from services.firehose.destinations.destination import StreamIdentity
from services.firehose.destinations.selection import ClientOf, destinations_of
from services.firehose.error_log import CloudWatchErrorLog
from services.firehose.errors import (
    ConcurrentModification,
    FirehoseError,
    InvalidArgument,
    LimitExceeded,
    ResourceInUse,
    ResourceNotFound,
    UnknownOperation,
)
from services.firehose.journal import JournalDamaged
from services.firehose.lambda_transform import LambdaTransform
from services.firehose.metrics import NAMESPACE, Metrics
from services.firehose.processing import Processing
from services.firehose.put_limits import check_batch_size, record_ids
from services.firehose.stream_entry import Entry, Source, entry_from
from services.localstack.state.set_aside import set_aside

LOG = logging.getLogger(__name__)

#: https://docs.aws.amazon.com/firehose/latest/dev/limits.html
MAX_STREAMS = 5000
METRICS_SECONDS = 10.0
_WORKERS = 16
_FLUSH_SECONDS = 4.0
_DELETE_FLUSH_SECONDS = 30.0

type Request = Mapping[str, Any]


#: A source for a delivery stream: the Kinesis stream's ARN and the time to begin at.
type SourceOf = Callable[[DeliveryStream, str, float], Source]


class DeliveryStreams:
    """`call` answers any operation; `put` is the short way for records.

    `client_of` gives clients for the services that records are delivered to and processed by.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        client_of: ClientOf,
        source_of: SourceOf,
        *,
        sync: bool = False,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._client_of = client_of
        self._source_of = source_of
        self._metrics = Metrics()
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="firehose-worker")
        self._surroundings = Surroundings(
            clock=clock,
            workers=self._workers,
            metrics=self._metrics,
            destinations_of=lambda stream, c: destinations_of(stream, c, client_of, clock),
            processing_of=self._processing_of,
            error_log_of=self._error_log_of,
            sync=sync,
        )
        self._lock = threading.RLock()
        self._entries: dict[tuple[str, str, str], Entry] = {}
        self._stopping = threading.Event()
        self._publisher = threading.Thread(
            target=self._publish_metrics, name="firehose-metrics", daemon=True
        )

    # Life

    def start(self) -> None:
        """Bring back what a former engine left on disk, and go on delivering it."""
        for path in sorted(self._folder.glob("*/*/*/delivery_stream.json")):
            try:
                entry = entry_from(json.loads(path.read_text()))
            except (ValueError, KeyError, TypeError) as why:
                set_aside(path, f"the delivery stream {path.parent.name}", why)
                continue
            self._entries[self._key(entry.identity)] = entry
            self._run(entry)
            if entry.status == "DELETING":
                self._start_deleting(entry)
        self._publisher.start()

    def nudge(self) -> None:
        """The clock was moved: look at every buffer."""
        for entry in list(self._entries.values()):
            if entry.stream:
                entry.stream.nudge()

    def stop(self) -> None:
        """Deliver what is there as far as it goes, then stop. May be called twice."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        entries = list(self._entries.values())
        for entry in entries:
            if entry.source:
                entry.source.stop()
        flushes = [
            threading.Thread(target=entry.stream.flush, args=(_FLUSH_SECONDS,), daemon=True)
            for entry in entries
            if entry.stream
        ]
        for flush in flushes:
            flush.start()
        for flush in flushes:
            flush.join()
        for entry in entries:
            if entry.stream:
                entry.stream.stop()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _run(self, entry: Entry) -> None:
        stream = entry.stream = self._open(entry)
        stream.start()
        if entry.kinesis_source:
            entry.source = self._source_of(
                stream,
                entry.kinesis_source["KinesisStreamARN"],
                entry.kinesis_source["DeliveryStartTimestamp"],
            )
            entry.source.start()

    def _open(self, entry: Entry) -> DeliveryStream:
        folder = self._folder_of(entry.identity) / "journal"
        made = entry.identity, entry.configuration, folder, self._surroundings
        try:
            return DeliveryStream(*made)
        except JournalDamaged as damage:
            # The other delivery streams go on, and so does this one; the bytes are kept.
            aside = folder.with_name(f"journal-damaged-{int(self._clock.now())}")
            folder.rename(aside)
            LOG.error("%s begins anew: %s It was put aside.", entry.identity.arn, damage)
            return DeliveryStream(*made)

    def _processing_of(self, stream: StreamIdentity, current: Configuration) -> Processing:
        transform = LambdaTransform(
            lambda region: self._client_of("lambda", region, stream.account_id)
        )
        entry = self._entries.get(self._key(stream))
        source = (entry.kinesis_source or {}).get("KinesisStreamARN") if entry else None
        return Processing(stream, current, transform.invoke, source)

    def _error_log_of(self, stream: StreamIdentity) -> CloudWatchErrorLog:
        return CloudWatchErrorLog(
            stream,
            RealClock(),
            lambda: self._client_of("logs", stream.region, stream.account_id),
        )

    # Records

    def put(self, name: str, contents: Sequence[bytes], *, region: str, account_id: str) -> None:
        """DirectPut of records already checked; on disk when this returns."""
        entry = self._find(name, region, account_id)
        if entry.stream_type != "DirectPut":
            raise InvalidArgument(
                f"This operation is not permitted on {entry.stream_type} delivery stream type."
            )
        assert entry.stream is not None
        entry.stream.put(contents)

    def partitions(self, name: str, *, region: str, account_id: str) -> set[str]:
        """The partitions that hold records which are not delivered."""
        stream = self._find(name, region, account_id).stream
        return stream.data.partitions() if stream else set()

    def put_record(self, request: Request, region: str, account_id: str) -> dict[str, Any]:
        started = time.perf_counter()
        contents = [request["Record"]["Data"]]
        entry = self._find(request["DeliveryStreamName"], region, account_id)
        self.put(entry.identity.name, contents, region=region, account_id=account_id)
        self._count_call(entry, "PutRecord", contents, started)
        return {"RecordId": record_ids(1)[0], "Encrypted": entry.is_encrypted}

    def put_record_batch(self, request: Request, region: str, account_id: str) -> dict[str, Any]:
        started = time.perf_counter()
        contents = [record["Data"] for record in request["Records"]]
        check_batch_size(contents)
        entry = self._find(request["DeliveryStreamName"], region, account_id)
        try:
            self.put(entry.identity.name, contents, region=region, account_id=account_id)
        except FirehoseError as error:
            if error.code != "ServiceUnavailableException":
                raise
            # AWS refuses single records of a batch this way; here it is all or nothing.
            refused = {"ErrorCode": error.code, "ErrorMessage": error.message}
            return {
                "FailedPutCount": len(contents),
                "Encrypted": False,
                "RequestResponses": [refused] * len(contents),
            }
        self._count_call(entry, "PutRecordBatch", contents, started)
        return {
            "FailedPutCount": 0,
            "Encrypted": entry.is_encrypted,
            "RequestResponses": [{"RecordId": each} for each in record_ids(len(contents))],
        }

    def _count_call(
        self, entry: Entry, call: str, contents: Sequence[bytes], started: float
    ) -> None:
        counts: dict[str, float] = {
            f"{call}_Requests": 1,
            f"{call}_Bytes": sum(map(len, contents)),
            f"{call}_Latency": (time.perf_counter() - started) * 1000,
        }
        if call == "PutRecordBatch":
            counts[f"{call}_Records"] = len(contents)
        self._metrics.add(entry.identity, **counts)

    # Operations

    def call(
        self, operation: str, request: Request, *, region: str, account_id: str
    ) -> dict[str, Any]:
        """Answer an operation with AWS's shapes; times are epoch seconds. Raises FirehoseError."""
        answer = _OPERATIONS.get(operation)
        if answer is None:
            raise UnknownOperation(f"Firehose has no operation {operation}.")
        constraints.check(operation, dict(request))
        started = time.perf_counter()
        found = answer(self, request, region, account_id)
        if (name := _MEASURED.get(operation)) is not None:
            entry = self._find(request["DeliveryStreamName"], region, account_id)
            millis = (time.perf_counter() - started) * 1000
            self._metrics.add(entry.identity, **{f"{name}_Requests": 1, f"{name}_Latency": millis})
        return found

    def create(self, request: Request, region: str, account_id: str) -> dict[str, Any]:
        name = request["DeliveryStreamName"]
        wanted = configuration.create(request)
        stream_type = request.get("DeliveryStreamType", "DirectPut")
        arn = f"arn:aws:firehose:{region}:{account_id}:deliverystream/{name}"
        identity = StreamIdentity(name, arn, region, account_id)
        now = self._clock.now()
        entry = Entry(identity, stream_type, wanted, now)
        entry.tags = tags.added({}, request.get("Tags") or [])
        entry.direct_put_source = request.get("DirectPutSourceConfiguration")
        if encryption := request.get("DeliveryStreamEncryptionConfigurationInput"):
            entry.encryption = {**encryption, "Status": "ENABLED"}
        if source := request.get("KinesisStreamSourceConfiguration"):
            entry.kinesis_source = {**source, "DeliveryStartTimestamp": now}
        with self._lock:
            self._refuse_taken(identity)
            self._entries[self._key(identity)] = entry
            self._save(entry)
            self._run(entry)
        return {"DeliveryStreamARN": arn}

    def _refuse_taken(self, identity: StreamIdentity) -> None:
        if self._key(identity) in self._entries:
            raise ResourceInUse(
                f"Firehose {identity.name} under accountId {identity.account_id} already exists"
            )
        place = self._key(identity)[:2]
        names = [entry.identity.name for key, entry in self._entries.items() if key[:2] == place]
        if len(names) >= MAX_STREAMS:
            raise LimitExceeded(
                f"You have already consumed your firehose quota of {MAX_STREAMS} hoses. "
                f"Firehose names: {names}"
            )

    def delete(self, request: Request, region: str, account_id: str) -> dict[str, Any]:
        entry = self._find(request["DeliveryStreamName"], region, account_id)
        with self._lock:
            if entry.status != "DELETING":
                entry.status = "DELETING"
                self._save(entry)
                self._start_deleting(entry)
        return {}

    def _start_deleting(self, entry: Entry) -> None:
        threading.Thread(target=self._delete, args=(entry,), daemon=True).start()

    def _delete(self, entry: Entry) -> None:
        if entry.source:
            entry.source.stop()
        assert entry.stream is not None
        if not entry.stream.flush(_DELETE_FLUSH_SECONDS):
            LOG.warning("%s was deleted before all its records were", entry.identity.arn)
        entry.stream.stop()
        with self._lock:
            shutil.rmtree(self._folder_of(entry.identity))
            del self._entries[self._key(entry.identity)]

    def describe(self, request: Request, region: str, account_id: str) -> dict[str, Any]:
        entry = self._find(request["DeliveryStreamName"], region, account_id)
        after = request.get("ExclusiveStartDestinationId", "")
        return {"DeliveryStreamDescription": entry.description(after)}

    def list_streams(self, request: Request, region: str, account_id: str) -> dict[str, Any]:
        kind, after = (
            request.get("DeliveryStreamType"),
            request.get("ExclusiveStartDeliveryStreamName", ""),
        )
        names = sorted(
            key[2]
            for key, entry in list(self._entries.items())
            if key[:2] == (account_id, region) and kind in (None, entry.stream_type)
        )
        names = [name for name in names if name > after]
        limit = request.get("Limit", 10)
        return {"DeliveryStreamNames": names[:limit], "HasMoreDeliveryStreams": len(names) > limit}

    def update(self, request: Request, region: str, account_id: str) -> dict[str, Any]:
        entry = self._find(request["DeliveryStreamName"], region, account_id)
        given = request["CurrentDeliveryStreamVersionId"]
        with self._lock:
            current = str(entry.configuration.version_id)
            if given != current:
                raise ConcurrentModification(
                    f"Cannot update firehose: {entry.identity.name} since the current version id: "
                    f"{current} and specified version id: {given} do not match"
                )
            changed = configuration.update(entry.configuration, request)
            if (changed.kind, changed.content) == (
                entry.configuration.kind,
                entry.configuration.content,
            ):
                # AWS takes an update that changes nothing without making a version of it.
                return {}
            entry.configuration = changed
            entry.updated_at = self._clock.now()
            self._save(entry)
            assert entry.stream is not None
            entry.stream.configure(entry.configuration)
        return {}

    def tag(self, request: Request, region: str, account_id: str) -> dict[str, Any]:
        entry = self._find(request["DeliveryStreamName"], region, account_id)
        entry.tags = tags.added(entry.tags, request["Tags"])
        self._save(entry)
        return {}

    def untag(self, request: Request, region: str, account_id: str) -> dict[str, Any]:
        entry = self._find(request["DeliveryStreamName"], region, account_id)
        gone = set(request["TagKeys"])
        entry.tags = {key: value for key, value in entry.tags.items() if key not in gone}
        self._save(entry)
        return {}

    def list_tags(self, request: Request, region: str, account_id: str) -> dict[str, Any]:
        entry = self._find(request["DeliveryStreamName"], region, account_id)
        return tags.page(
            entry.tags, request.get("ExclusiveStartTagKey", ""), request.get("Limit", 50)
        )

    def start_encryption(self, request: Request, region: str, account_id: str) -> dict[str, Any]:
        entry = self._find(request["DeliveryStreamName"], region, account_id)
        wanted = request.get("DeliveryStreamEncryptionConfigurationInput") or {
            "KeyType": "AWS_OWNED_CMK"
        }
        message = next(validation.encryption_violations(wanted, entry.stream_type), None)
        if message:
            raise InvalidArgument(message)
        entry.encryption = {**wanted, "Status": "ENABLED"}
        self._save(entry)
        return {}

    def stop_encryption(self, request: Request, region: str, account_id: str) -> dict[str, Any]:
        entry = self._find(request["DeliveryStreamName"], region, account_id)
        if entry.stream_type != "DirectPut":
            raise InvalidArgument(
                "Server side encryption from firehose is only allowed for direct put delivery "
                "streams and database as a source delivery streams"
            )
        entry.encryption = {"Status": "DISABLED"}
        self._save(entry)
        return {}

    # Finding and keeping

    def _find(self, name: str, region: str, account_id: str) -> Entry:
        entry = self._entries.get((account_id, region, name))
        if entry is None:
            raise ResourceNotFound(f"Firehose {name} under account {account_id} not found.")
        return entry

    @staticmethod
    def _key(identity: StreamIdentity) -> tuple[str, str, str]:
        return identity.account_id, identity.region, identity.name

    def _folder_of(self, identity: StreamIdentity) -> Path:
        return self._folder.joinpath(*self._key(identity))

    def _save(self, entry: Entry) -> None:
        folder = self._folder_of(entry.identity)
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / "delivery_stream.json.new"
        new.write_text(json.dumps(entry.stored()))
        os.replace(new, folder / "delivery_stream.json")

    # Metrics

    def _publish_metrics(self) -> None:
        while not self._stopping.wait(METRICS_SECONDS):
            self.publish_metrics()

    def publish_metrics(self) -> None:
        """Hand what was counted to CloudWatch, with the age of what waits in each stream."""
        now = self._clock.now()
        for entry in list(self._entries.values()):
            oldest = entry.stream.data.oldest_arrival() if entry.stream else None
            if oldest is not None:
                metric = f"{entry.configuration.kind.metric_name}_DataFreshness"
                self._metrics.add(entry.identity, **{metric: max(0.0, now - oldest)})
        for account_id, region, data in self._metrics.take(now):
            client = self._client_of("cloudwatch", region, account_id)
            try:
                client.put_metric_data(Namespace=NAMESPACE, MetricData=data)
            except (ClientError, BotoCoreError):
                LOG.exception("CloudWatch refused the metrics of delivery streams")


#: Operations with metrics of their own, and what these are called.
_MEASURED = {
    "DescribeDeliveryStream": "DescribeDeliveryStream",
    "UpdateDestination": "UpdateDeliveryStream",
}
_OPERATIONS: dict[str, Callable[[DeliveryStreams, Request, str, str], dict[str, Any]]] = {
    "CreateDeliveryStream": DeliveryStreams.create,
    "DeleteDeliveryStream": DeliveryStreams.delete,
    "DescribeDeliveryStream": DeliveryStreams.describe,
    "ListDeliveryStreams": DeliveryStreams.list_streams,
    "ListTagsForDeliveryStream": DeliveryStreams.list_tags,
    "PutRecord": DeliveryStreams.put_record,
    "PutRecordBatch": DeliveryStreams.put_record_batch,
    "StartDeliveryStreamEncryption": DeliveryStreams.start_encryption,
    "StopDeliveryStreamEncryption": DeliveryStreams.stop_encryption,
    "TagDeliveryStream": DeliveryStreams.tag,
    "UntagDeliveryStream": DeliveryStreams.untag,
    "UpdateDestination": DeliveryStreams.update,
}
