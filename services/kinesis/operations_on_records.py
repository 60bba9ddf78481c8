"""Putting and getting records."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from operator import add, itemgetter
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from services.kinesis import frame, sequence_number, shard_iterator
from services.kinesis.arn import Caller, StreamKey
from services.kinesis.errors import (
    KinesisError,
    invalid_argument,
    shard_does_not_exist,
    stream_not_found,
    throughput_exceeded,
    validation_error,
)
from services.kinesis.hash_key import explicit_hash_key, hash_key, hash_keys
from services.kinesis.live_stream import MAX_RECORDS, LiveStream
from services.kinesis.log import Page, StoredRecords
from services.kinesis.operation import Answer, Operation, Request
from services.kinesis.request_shapes import (
    MAX_PARTITION_KEY,
    MAX_PUT_RECORDS,
    REQUEST_SHAPES,
)
from services.kinesis.shard import Shard, describe_child
from services.kinesis.shard_iterator import ShardIterator
from services.kinesis.stream import AUTO, CREATING, DELETING
from services.kinesis.validation import check_request

if TYPE_CHECKING:
    from services.kinesis.kinesis import Kinesis

_MAX_CALL_BYTES = 10 * 1024 * 1024
#: Members that say which stream.
_USUAL = {"StreamName", "StreamARN"}
_TOO_MUCH = "ProvisionedThroughputExceededException"
_DATA, _PARTITION_KEY = itemgetter("Data"), itemgetter("PartitionKey")


class Entries(NamedTuple):
    """Checked records to put, and their hash keys (None: any shard)."""

    payloads: Sequence[frame.Payload]
    positions: Sequence[int | None]


def put_records(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    started = perf_counter()
    live = _checked_writable(kinesis, caller, request, "PutRecords")
    entries = None
    if request.keys() <= _USUAL | {"Records"}:
        entries = _usual_entries(live, request.get("Records"))
    if entries is None:
        entries = _unusual_entries(live, request)
    refuse_dry_run(request)
    results = live.put(*entries, kinesis.clock.now(), limited=kinesis.shard_limits)
    refused = [result["ErrorCode"] for result in results if "ErrorCode" in result]
    failed, taken = refused.count("InternalFailure"), len(results) - len(refused)
    size = _taken_bytes(entries.payloads, results, bool(refused))
    live.traffic.add(
        {
            "IncomingBytes": size,
            "IncomingRecords": taken,
            "WriteProvisionedThroughputExceeded": len(refused) - failed,
            "PutRecords.Bytes": size,
            "PutRecords.Success": taken > 0,
            "PutRecords.Records": taken,
            "PutRecords.TotalRecords": len(results),
            "PutRecords.SuccessfulRecords": taken,
            "PutRecords.FailedRecords": failed,
            "PutRecords.ThrottledRecords": len(refused) - failed,
            "PutRecords.Latency": (perf_counter() - started) * 1000,
        }
    )
    return {"FailedRecordCount": len(refused), "Records": results, **_encryption(live)}


def _taken_bytes(
    payloads: Sequence[frame.Payload], results: Sequence[Answer], some_refused: bool
) -> int:
    if not some_refused:
        return frame.payload_bytes(payloads)
    answered = zip(payloads, results, strict=True)
    return frame.payload_bytes([payload for payload, own in answered if "ErrorCode" not in own])


def _usual_entries(live: LiveStream, records: Any) -> Entries | None:
    """The records, when one quick look at each finds nothing unusual.

    Column by column, it takes a tenth of the time of the whole service model, which finds the
    right words for everything that this refuses.
    """
    if type(records) is not list or not 0 < len(records) <= MAX_PUT_RECORDS:
        return None
    try:
        data, partition_keys = list(map(_DATA, records)), list(map(_PARTITION_KEY, records))
        if set(map(type, data)) != {bytes} or set(map(len, records)) != {2}:
            return None
        if not all(partition_keys) or max(map(len, partition_keys)) > MAX_PARTITION_KEY:
            return None
        keys = list(map(str.encode, partition_keys))
    except (TypeError, KeyError, UnicodeEncodeError):
        return None
    sizes = list(map(add, map(len, data), map(len, keys)))
    if max(sizes) > live.state.max_record_size_in_kib * 1024 or sum(sizes) > _MAX_CALL_BYTES:
        return None
    payloads = list(zip(keys, data, strict=True))
    # AUTO takes no notice of partition keys.
    is_auto = live.state.distribution == AUTO
    return Entries(payloads, [None] * len(keys) if is_auto else hash_keys(keys))


def _unusual_entries(live: LiveStream, request: Request) -> Entries:
    check_request(request, REQUEST_SHAPES["PutRecords"])
    records = enumerate(request["Records"], start=1)
    entries = [_entry(live, record, f"records.{i}.member.") for i, record in records]
    payloads, positions = [payload for payload, _ in entries], [place for _, place in entries]
    if frame.payload_bytes(payloads) > _MAX_CALL_BYTES:
        raise invalid_argument("Records size exceeds 10 MB limit")
    return Entries(payloads, positions)


def put_record(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    started, now, usual = perf_counter(), kinesis.clock.now(), None
    if request.keys() <= _USUAL | {"Data", "PartitionKey"}:
        live = _checked_writable(kinesis, caller, request, "PutRecord")
        record = {name: request[name] for name in request.keys() - _USUAL}
        usual = _usual_entries(live, [record])
    if usual is None:
        check_request(request, REQUEST_SHAPES["PutRecord"])
        live = _writable(kinesis, caller, request)
        payload, position = _entry(live, request, "")
        usual = Entries([payload], [position])
        _check_ordering(live, request, now)
        refuse_dry_run(request)
    [result] = live.put(*usual, now, limited=kinesis.shard_limits)
    code = result.get("ErrorCode")
    size = 0 if code else frame.payload_bytes(usual.payloads)
    live.traffic.add(
        {
            "IncomingBytes": size,
            "IncomingRecords": not code,
            "WriteProvisionedThroughputExceeded": code == _TOO_MUCH,
            "PutRecord.Bytes": size,
            "PutRecord.Success": not code,
            "PutRecord.Latency": (perf_counter() - started) * 1000,
        }
    )
    if code:
        status = 500 if code == "InternalFailure" else 400
        raise KinesisError(code, result["ErrorMessage"], status)
    return {**result, **_encryption(live)}


def _checked_writable(
    kinesis: Kinesis, caller: Caller, request: Request, operation: str
) -> LiveStream:
    """The stream; when there is none, what is wrong with the request comes first."""
    try:
        return _writable(kinesis, caller, request)
    except (KinesisError, TypeError, AttributeError):
        check_request(request, REQUEST_SHAPES[operation])
        raise


def _writable(kinesis: Kinesis, caller: Caller, request: Request) -> LiveStream:
    live = kinesis.find(caller, request)
    if live.state.status(kinesis.clock.now()) in {CREATING, DELETING}:
        raise stream_not_found(live.state.name, live.state.account_id)
    return live


def _entry(live: LiveStream, record: dict[str, Any], path: str) -> tuple[frame.Payload, int | None]:
    """A record that keeps to the service model; raises what AWS checks besides."""
    partition_key, explicit = record.get("PartitionKey"), record.get("ExplicitHashKey")
    is_auto = live.state.distribution == AUTO
    if partition_key is None and not is_auto:
        raise validation_error(
            f"Value null at '{path}partitionKey' failed to satisfy constraint: "
            "Member must not be null"
        )
    key, position = (partition_key or "").encode(), None
    if explicit is not None:
        position = explicit_hash_key(explicit)
    elif partition_key is not None:
        position = hash_key(key)
    if is_auto:
        position = None
    limit = live.state.max_record_size_in_kib * 1024
    if len(record["Data"]) + len(key) > limit:
        raise _too_large(f"{path}data", limit)
    return (key, record["Data"]), position


def _too_large(path: str, limit: int) -> KinesisError:
    return validation_error(
        f"Value at '{path}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limit}"
    )


def _check_ordering(live: LiveStream, request: Request, now: float) -> None:
    if (text := request.get("SequenceNumberForOrdering")) is None:
        return
    try:
        if sequence_number.parse(text).arrival > now:
            raise ValueError("It lies in the future.")
    except ValueError:
        raise invalid_argument(
            f"ExclusiveMinimumSequenceNumber {text} used in PutRecord on stream "
            f"{live.state.name} under account {live.state.account_id} is invalid."
        ) from None


def refuse_dry_run(request: Request) -> None:
    """Raises DryRunOperationException: the request would have been carried out."""
    if request.get("DryRun"):
        raise KinesisError(
            "DryRunOperationException",
            "Request would have succeeded, but DryRun flag is set.",
        )


def _encryption(live: LiveStream) -> dict[str, str]:
    # AWS leaves the member out for streams that are not encrypted.
    return {"EncryptionType": "KMS"} if live.state.encryption_type == "KMS" else {}


def get_shard_iterator(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    with live.lock:
        shard = find_shard(live, request["ShardId"], now)
        ordinal = starting_ordinal(
            live,
            shard,
            now,
            kind=request["ShardIteratorType"],
            number=request.get("StartingSequenceNumber"),
            timestamp=request.get("Timestamp"),
        )
    refuse_dry_run(request)
    return {"ShardIterator": _iterator(live, shard, ordinal, now)}


def find_shard(live: LiveStream, shard_id: str, now: float) -> Shard:
    """A shard that is open or may still have records. Raises ResourceNotFoundException."""
    for shard in live.state.live_shards(now):
        if shard.shard_id == shard_id:
            return shard
    raise shard_does_not_exist(shard_id, live.state.name, live.state.account_id)


def _iterator(live: LiveStream, shard: Shard, ordinal: int, now: float) -> str:
    state = live.state
    place = state.account_id, state.region, state.name, state.stream_id, shard.index
    return shard_iterator.encode(ShardIterator(*place, ordinal, int(now * 1000)))


def starting_ordinal(
    live: LiveStream,
    shard: Shard,
    now: float,
    *,
    kind: str,
    number: str | None = None,
    timestamp: float | None = None,
) -> int:
    """Where an iterator of this kind starts reading.

    Raises InvalidArgumentException for a number or time that does not go with the kind.
    """
    log = live.logs[shard.index]
    if kind in {"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"}:
        if number is None:
            raise _wrong_combination(kind, "no StartingSequenceNumber")
        return _ordinal_of(live, shard, kind, number)
    if kind == "AT_TIMESTAMP":
        return log.ordinal_at(_checked_millis(timestamp, now))
    if number is not None:
        raise _wrong_combination(kind, "also a StartingSequenceNumber")
    return log.next_ordinal if kind == "LATEST" else 0


def _wrong_combination(kind: str, given: str) -> KinesisError:
    return invalid_argument(
        "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and "
        "StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. "
        f"Request specified {kind} and {given}."
    )


def _checked_millis(timestamp: float | None, now: float) -> int:
    if timestamp is None:
        raise invalid_argument(
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. "
            "Current request has no timestamp parameter."
        )
    millis, now_millis = round(timestamp * 1000), int(now * 1000)
    if millis > now_millis:
        raise invalid_argument(
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
            f"timestampInMillis: {millis}, currentTimestampInMillis: {now_millis}"
        )
    return millis


def _ordinal_of(live: LiveStream, shard: Shard, kind: str, text: str) -> int:
    used = (
        f"StartingSequenceNumber {text} used in GetShardIterator on shard {shard.shard_id} in "
        f"stream {live.state.name} under account {live.state.account_id} is invalid"
    )
    try:
        number = sequence_number.parse(text)
    except ValueError:
        raise invalid_argument(f"{used}.") from None
    if number.shard_index != shard.index:
        encoded = f"shardId-{number.shard_index:012d}"
        raise invalid_argument(
            f"Invalid StartingSequenceNumber. It encodes {encoded}, while it was used in a call "
            f"to a shard with {shard.shard_id}"
        )
    if number.shard_created != int(shard.created_at):
        raise invalid_argument(f"{used} because it did not come from this stream.")
    arrival = live.logs[shard.index].arrival_at(number.ordinal)
    seconds = 0 if arrival is None else arrival // 1000
    # Between two records there are numbers that nobody has: they count by their arrival.
    if kind == "AT_SEQUENCE_NUMBER":
        return number.ordinal + (number.arrival > seconds and arrival is not None)
    return number.ordinal + (number.arrival >= seconds)


def get_records(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    started, now = perf_counter(), kinesis.clock.now()
    place = shard_iterator.decode(request["ShardIterator"])
    live, shard = _place(kinesis, place, now)
    shard_iterator.check_age(place, int(now * 1000))
    refuse_dry_run(request)
    if kinesis.shard_limits and not live.read_quota(shard, now).admit(now):
        live.traffic.add({"GetRecords.Success": 0, "ReadProvisionedThroughputExceeded": 1})
        live.count_shard(shard, {"ReadProvisionedThroughputExceeded": 1})
        raise throughput_exceeded(shard.shard_id, live.state.name, live.state.account_id)
    page = live.read(shard, place.ordinal, now, request.get("Limit") or MAX_RECORDS)
    ordinal = page.runs[-1].next_ordinal if page.runs else place.ordinal
    if kinesis.shard_limits:
        live.read_quota(shard, now).took(page.size)
    answer: Answer = {
        "Records": describe_records(shard, page),
        "MillisBehindLatest": live.millis_behind(shard, ordinal, now),
    }
    if live.has_ended(shard, ordinal):
        answer["ChildShards"] = [describe_child(child) for child in live.state.children(shard)]
    else:
        answer["NextShardIterator"] = _iterator(live, shard, ordinal, now)
    _count_read(live, shard, page, now, started)
    return answer


def _count_read(live: LiveStream, shard: Shard, page: Page, now: float, started: float) -> None:
    # A reader that has read everything is zero milliseconds behind.
    age = int(now * 1000) - page.runs[-1].arrival_millis if page.runs else 0
    records = page.records
    live.traffic.add(
        {
            "GetRecords.Bytes": page.size,
            "GetRecords.Records": records,
            "GetRecords.Success": 1,
            "GetRecords.IteratorAgeMilliseconds": age,
            "GetRecords.Latency": (perf_counter() - started) * 1000,
            "ReadProvisionedThroughputExceeded": 0,
        }
    )
    live.count_shard(
        shard,
        {
            "OutgoingBytes": page.size,
            "OutgoingRecords": records,
            "IteratorAgeMilliseconds": age,
            "ReadProvisionedThroughputExceeded": 0,
        },
    )


def _place(kinesis: Kinesis, place: ShardIterator, now: float) -> tuple[LiveStream, Shard]:
    """The stream and the shard of an iterator. Raises ResourceNotFoundException."""
    shard_id = f"shardId-{place.shard_index:012d}"
    gone = shard_does_not_exist(shard_id, place.stream_name, place.account_id)
    try:
        live = kinesis.find_key(StreamKey(place.account_id, place.region, place.stream_name))
    except KinesisError:
        raise gone from None
    shard = live.shards.get(place.shard_index)
    horizon = live.state.trim_horizon(now)
    if live.state.stream_id != place.stream_id or shard is None:
        raise gone
    if shard.closed_at is not None and shard.closed_at <= horizon:
        raise gone
    return live, shard


def describe_records(shard: Shard, page: Page) -> list[dict[str, Any]]:
    """AWS's `Record`s, with `Data` as bytes."""
    records: list[dict[str, Any]] = []
    for run in page.runs:
        described = _describe_run(shard, run)
        if run.flags & frame.ENCRYPTED:
            for record in described:
                record["EncryptionType"] = "KMS"
        records += described
    return records


def _describe_run(shard: Shard, run: StoredRecords) -> list[dict[str, Any]]:
    """A page has up to ten thousand records: what they have in common is computed once."""
    arrival, step = run.arrival_millis / 1000, sequence_number.ORDINAL_STEP
    numbers = count(shard.sequence_number(run.first_ordinal, run.arrival_millis), step)
    return [
        {
            "SequenceNumber": str(number),
            "ApproximateArrivalTimestamp": arrival,
            "Data": data,
            "PartitionKey": key.decode(),
        }
        for number, (key, data) in zip(numbers, run.payloads, strict=False)
    ]


OPERATIONS_ON_RECORDS: dict[str, Operation] = {
    "GetRecords": get_records,
    "GetShardIterator": get_shard_iterator,
    "PutRecord": put_record,
    "PutRecords": put_records,
}
