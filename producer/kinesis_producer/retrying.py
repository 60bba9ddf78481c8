"""What the answer to a PutRecords means for each user record. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from producer.kinesis_producer.configuration import Configuration

THROTTLED = "ProvisionedThroughputExceededException"
EXPIRED = "Expired"
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
