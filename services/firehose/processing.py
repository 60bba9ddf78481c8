"""From source records to the buffers they join: transform, partition, delimiter."""

from __future__ import annotations

import gzip
import time
import uuid
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import orjson

from services.firehose import error_record, partitioning, transform
from services.firehose.buffering import MIB
from services.firehose.buffers import DESTINATION, ERROR
from services.firehose.configuration import Configuration
from services.firehose.destinations.destination import DeliveryError, StreamIdentity
from services.firehose.prefix import PARTITION_KEY_FROM_LAMBDA, PARTITION_KEY_FROM_QUERY
from services.firehose.record import Record

_NO_KEYS: Mapping[str, str] = {}
PROCESSING_FAILED = "processing-failed"
DECOMPRESSION_FAILED = "decompression-failed"
#: JSON that is not a subscription event of CloudWatch Logs.
_NO_LOG_EVENTS = (AttributeError, KeyError, TypeError)
#: Invokes a function with an event and returns its parsed answer; raises InvocationFailed.
type Invoke = Callable[[str, Mapping[str, Any]], Any]


@dataclass
class Processed:
    """What one run came to."""

    buffers: dict[str, list[Record]] = field(default_factory=dict)
    dropped: int = 0
    failed: int = 0
    partition_limit_exceeded: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    errors: list[DeliveryError] = field(default_factory=list)

    def join(self, buffer: str, record: Record) -> None:
        self.buffers.setdefault(buffer, []).append(record)

    def fail(self, record: Record, line: bytes, output_type: str = PROCESSING_FAILED) -> None:
        self.failed += 1
        self.join(f"{ERROR}:{output_type}", Record(line, record.arrival))

    def count(self, **values: float) -> None:
        """Add to metrics (`JQProcessing_Duration` is `JQProcessing.Duration`)."""
        for name, value in values.items():
            self.metrics[name] = self.metrics.get(name, 0) + value


class Processing:
    """The processors of one configuration. `invoke` is how a transform is called."""

    def __init__(
        self,
        stream: StreamIdentity,
        configuration: Configuration,
        invoke: Invoke,
        source_stream_arn: str | None = None,
    ) -> None:
        self._stream = stream
        self._configuration = configuration
        self._processors = configuration.processors
        self._invoke = invoke
        self._source_stream_arn = source_stream_arn
        self._prefix = configuration.content.get("Prefix") or ""
        delimiter = self._processors.append_delimiter
        self._delimiter = None if delimiter is None else delimiter.encode()

    def run(self, records: Iterable[Record], active: Collection[str], now: float) -> Processed:
        """Every record ends in a buffer, or is counted as dropped. `active` are the partitions
        that hold records already."""
        result = Processed()
        whole = records
        if self._processors.decompression:
            whole = self._decompressed(whole, result, now)
        if self._processors.sub_record_type is not None:
            whole = self._sub_records(whole, result, now)
        transformed = list(self._transformed(list(whole), result, now))
        started = time.perf_counter()
        if self._configuration.is_partitioned:
            self._partition(transformed, result, active, now)
        elif transformed:
            result.buffers[DESTINATION] = [self._delimited(record) for record, _ in transformed]
        if self._processors.metadata_extraction_query is not None:
            result.count(JQProcessing_Duration=(time.perf_counter() - started) * 1000)
        return result

    def _partition(
        self,
        transformed: Iterable[tuple[Record, Mapping[str, str]]],
        result: Processed,
        active: Collection[str],
        now: float,
    ) -> None:
        partitions = set(active)
        # Many records share few partitions: each partition is named once.
        members: dict[tuple[str, ...], list[Record]] = {}
        for record, keys in transformed:
            try:
                values = self._partition_values(record, keys)
                place = members.get(values)
                if place is None:
                    buffer = self._buffer(values, partitions)
                    partitions.add(buffer)
                    place = members[values] = result.buffers.setdefault(buffer, [])
            except partitioning.RecordNotPartitioned as refused:
                result.partition_limit_exceeded |= refused.error_code.endswith("LimitExceeded")
                self._fail(result, record, refused.error_code, str(refused), now)
                continue
            place.append(self._delimited(record))

    def _fail(
        self,
        result: Processed,
        record: Record,
        code: str,
        message: str,
        now: float,
        output_type: str = PROCESSING_FAILED,
    ) -> None:
        line = error_record.processing_failed(
            record, error_code=code, message=message, attempts=1, ended_at=now
        )
        result.fail(record, line, output_type)

    def _decompressed(
        self, records: Iterable[Record], result: Processed, now: float
    ) -> Iterator[Record]:
        for record in records:
            try:
                plain = record._replace(data=gzip.decompress(record.data))
                messages = list(self._log_messages(plain))
            except (OSError, EOFError, zlib.error, ValueError, *_NO_LOG_EVENTS) as error:
                told = "Decompression.Failed", str(error), now, DECOMPRESSION_FAILED
                self._fail(result, record, *told)
                result.count(
                    OutputDecompressedRecords_Failed=1,
                    OutputDecompressedBytes_Failed=len(record.data),
                )
                continue
            result.count(
                OutputDecompressedRecords_Success=1, OutputDecompressedBytes_Success=len(plain.data)
            )
            yield from messages

    def _log_messages(self, record: Record) -> Iterator[Record]:
        """CloudWatch Logs' subscription events: whole, or their messages, each with a newline.
        They stay one record: a transform is called with as many as came."""
        if not self._processors.data_message_extraction:
            yield record
            return
        content = orjson.loads(record.data)
        if content.get("messageType") == "DATA_MESSAGE":
            messages = [log_event["message"].encode() + b"\n" for log_event in content["logEvents"]]
            yield record._replace(data=b"".join(messages))

    def _sub_records(
        self, records: Iterable[Record], result: Processed, now: float
    ) -> Iterator[Record]:
        kind = self._processors.sub_record_type or ""
        for record in records:
            try:
                parts = partitioning.sub_records(
                    kind, self._processors.sub_record_delimiter, record.data
                )
            except partitioning.RecordNotPartitioned as refused:
                self._fail(result, record, refused.error_code, str(refused), now)
                continue
            yield from (record._replace(data=part) for part in parts)

    def _transformed(
        self, records: list[Record], result: Processed, now: float
    ) -> Iterator[tuple[Record, Mapping[str, str]]]:
        processor = self._processors.transform
        if processor is None:
            yield from zip(records, repeat(_NO_KEYS))
            return
        size = int(processor.buffer_size_in_mbs * MIB)
        for batch in transform.batches(records, size):
            yield from self._transform_batch(batch, result, now)

    def _transform_batch(
        self, batch: Sequence[Record], result: Processed, now: float
    ) -> Iterator[tuple[Record, Mapping[str, str]]]:
        assert self._processors.transform is not None
        lambda_arn = self._processors.transform.lambda_arn
        answer, attempts = self._answer(batch, result)
        for failed in answer.failed:
            line = error_record.processing_failed(
                failed.record,
                error_code=failed.error_code,
                message=failed.message,
                attempts=attempts,
                ended_at=now,
                lambda_arn=lambda_arn,
            )
            result.fail(failed.record, line)
        result.dropped += answer.dropped
        result.count(
            SucceedProcessing_Records=len(answer.transformed),
            SucceedProcessing_Bytes=sum(len(t.before.data) for t in answer.transformed),
        )
        yield from ((t.record, t.partition_keys) for t in answer.transformed)

    def _answer(self, batch: Sequence[Record], result: Processed) -> tuple[transform.Answer, int]:
        """The batch's answer and the number of attempts; all failed when every attempt did."""
        assert self._processors.transform is not None
        processor = self._processors.transform
        event = transform.event(
            batch,
            invocation_id="",
            delivery_stream_arn=self._stream.arn,
            region=self._stream.region,
            source_stream_arn=self._source_stream_arn,
        )
        attempts, failure = 0, transform.InvocationFailed("Lambda.NotInvoked", "")
        while attempts <= processor.number_of_retries:
            attempts += 1
            # Each attempt is an invocation of its own; the records keep their ids.
            event["invocationId"] = str(uuid.uuid4())
            started = time.perf_counter()
            try:
                answer = transform.read_answer(batch, self._invoke(processor.lambda_arn, event))
            except transform.InvocationFailed as error:
                failure = error
                result.metrics["ExecuteProcessing_Success"] = 0
                continue
            result.metrics["ExecuteProcessing_Success"] = 1
            millis = (time.perf_counter() - started) * 1000
            result.metrics["ExecuteProcessing_Duration"] = millis
            return answer, attempts
        result.errors.append(DeliveryError(failure.error_code, str(failure)))
        failed = [transform.Failed(r, failure.error_code, str(failure)) for r in batch]
        return transform.Answer([], failed, 0), attempts

    def _partition_values(self, record: Record, keys: Mapping[str, str]) -> tuple[str, ...]:
        query = self._processors.metadata_extraction_query
        found = {PARTITION_KEY_FROM_LAMBDA: keys}
        if query is not None:
            found[PARTITION_KEY_FROM_QUERY] = partitioning.keys_from_query(query, record.data)
        return partitioning.partition_values(self._prefix, found)

    def _buffer(self, values: tuple[str, ...], active: Collection[str]) -> str:
        partition = partitioning.partition_name(self._prefix, values)
        buffer = f"{DESTINATION}:{partition}"
        if buffer not in active and len(active) >= partitioning.MAX_ACTIVE_PARTITIONS:
            raise partitioning.RecordNotPartitioned(
                "DynamicPartitioning.ActivePartitionLimitExceeded",
                f"The delivery stream has {partitioning.MAX_ACTIVE_PARTITIONS} active partitions "
                "already.",
            )
        return buffer

    def _delimited(self, record: Record) -> Record:
        if self._delimiter is None:
            return record
        return record._replace(data=record.data + self._delimiter)
