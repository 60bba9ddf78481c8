"""What the answer to a PutRecords means for each user record. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from producer.kinesis_producer.configuration import Configuration
from producer.kinesis_producer.kinesis_record import KinesisRecord
from producer.kinesis_producer.shard_map import ShardMap

THROTTLED = "ProvisionedThroughputExceededException"
EXPIRED = "Expired"
WRONG_SHARD = "Wrong Shard"
CLOSED = "Closed"

#: A call that fails with these fails the same way however often it is tried. The KPL tries
#: until the record expires; here the caller knows at once.
HOPELESS = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidArgumentException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "KMSOptInRequired",
        "MissingAuthenticationToken",
        "ParamValidationError",
        "ResourceNotFoundException",
        "SerializationException",
        "UnknownOperationException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)


class Verdict(NamedTuple):
    """The answer for one Kinesis record: stored there, or why not."""

    shard_id: str = ""
    sequence_number: str = ""
    error_code: str = ""
    error_message: str = ""


def read_answer(response: Mapping[str, Any], count: int) -> list[Verdict]:
    """One verdict for each of the `count` entries, in their order."""
    entries = response["Records"]
    if len(entries) != count:
        text = f"PutRecords answered {len(entries)} entries for {count}."
        return [Verdict(error_code="Record Count Mismatch", error_message=text)] * count
    return [
        Verdict(error_code=entry["ErrorCode"], error_message=entry.get("ErrorMessage", ""))
        if entry.get("ErrorCode")
        else Verdict(entry["ShardId"], entry["SequenceNumber"])
        for entry in entries
    ]


def check_shard(
    record: KinesisRecord, verdict: Verdict, shard_map: ShardMap | None
) -> tuple[Verdict, bool]:
    """The verdict after a look at the shard, and whether the shard map has turned out stale.

    An aggregate goes where the hash key of its first record belongs. After a reshard others
    in it may belong elsewhere, and the KCL drops an aggregate with such a record: all of it is
    put again. (The KPL puts only the strangers again and counts on the others being read.)
    A record that went alone is where Kinesis itself wanted it.
    """
    if verdict.error_code or record.shard_id in (None, verdict.shard_id):
        return verdict, False
    assert record.shard_id is not None
    if not record.is_aggregated:
        return verdict, True
    held = shard_map.range_of(verdict.shard_id) if shard_map is not None else None
    if held is not None and all(held[0] <= r.hash_key <= held[1] for r in record.user_records):
        return verdict, _shard_number(record.shard_id) < _shard_number(verdict.shard_id)
    text = f"Record went to shard {verdict.shard_id} instead of {record.shard_id}."
    return Verdict(error_code=WRONG_SHARD, error_message=text), True


def _shard_number(shard_id: str) -> int:
    digits = shard_id.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def will_retry(verdict: Verdict, configuration: Configuration) -> bool:
    """Whether a failed record enters the pipeline again (until it expires)."""
    if verdict.error_code == THROTTLED:
        return not configuration.fail_if_throttled
    return verdict.error_code not in HOPELESS


def backoff_seconds(
    attempts: int, configuration: Configuration, random: Callable[[], float]
) -> float:
    """How long to wait after so many failed attempts: doubled each time, with full jitter.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    longest = configuration.retry_initial_backoff * 2.0 ** min(attempts - 1, 32)
    return min(longest, configuration.retry_max_backoff) * random() / 1000
