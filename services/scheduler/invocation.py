"""What an invocation of a target carries, and what follows when the target refuses it. Pure.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

#: AWS's defaults: a day, and 185 retries.
MAX_AGE_SECONDS, MAX_RETRIES = 86_400, 185
#: AWS backs off exponentially and does not say from where; here from a second to five minutes.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 300.0
#: Refusals of a moment, by their codes.
THROTTLES = ("Throttl", "TooManyRequests", "ProvisionedThroughputExceeded", "LimitExceeded")


@dataclass(frozen=True)
class Invocation:
    """One turn on its way to its target. Times are seconds since 1970."""

    execution_id: str
    scheduled_at: float
    #: When it was first tried: late, where the engine was off or its clock was moved far.
    began_at: float
    due_at: float
    attempt: int = 1


@dataclass(frozen=True)
class Refusal:
    """How a target refused. `is_final`: it would refuse again."""

    code: str
    message: str
    is_final: bool


@dataclass(frozen=True)
class GivenUp:
    """No further attempt. `condition` is the limit that was reached, if one was."""

    condition: str | None


def timestamp(moment: float) -> str:
    """As AWS writes a scheduled time: `2022-03-22T18:59:43Z`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


def payload(schedule_arn: str, text: str | None, invocation: Invocation) -> str:
    """The target's Input with its keywords replaced, or AWS's default notification."""
    if text is None:
        return _default_notification(schedule_arn, invocation)
    for name, value in (
        ("schedule-arn", schedule_arn),
        ("scheduled-time", timestamp(invocation.scheduled_at)),
        ("execution-id", invocation.execution_id),
        ("attempt-number", str(invocation.attempt)),
    ):
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _default_notification(schedule_arn: str, invocation: Invocation) -> str:
    _, _, _, region, account_id, _ = schedule_arn.split(":", 5)
    return json.dumps(
        {
            "version": "0",
            "id": invocation.execution_id,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": account_id,
            "time": timestamp(invocation.scheduled_at),
            "region": region,
            "resources": [schedule_arn],
            "detail": "{}",
        }
    )


def is_final(code: str, status: int) -> bool:
    """Whether a refusal stands: throttles and failures of the target's service pass."""
    return 400 <= status < 500 and status != 429 and not any(word in code for word in THROTTLES)


def after_refusal(
    invocation: Invocation, refusal: Refusal, policy: Mapping[str, Any], now: float
) -> Invocation | GivenUp:
    """The next attempt, or none. `policy` is the target's RetryPolicy."""
    if invocation.attempt > policy.get("MaximumRetryAttempts", MAX_RETRIES):
        return GivenUp("MaximumRetryAttempts")
    if refusal.is_final:
        return GivenUp(None)
    pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (invocation.attempt - 1), LONGEST_PAUSE_SECONDS)
    oldest = policy.get("MaximumEventAgeInSeconds", MAX_AGE_SECONDS)
    if now + pause > invocation.began_at + oldest:
        return GivenUp("MaximumEventAgeInSeconds")
    return replace(invocation, attempt=invocation.attempt + 1, due_at=now + pause)


def dead_letter_attributes(
    schedule_arn: str, target_arn: str, invocation: Invocation, refusal: Refusal, given_up: GivenUp
) -> dict[str, dict[str, str]]:
    """What a dead letter says besides its payload, as SQS's MessageAttributes."""
    said = {
        "ERROR_CODE": refusal.code,
        "ERROR_MESSAGE": refusal.message,
        "EXECUTION_ID": invocation.execution_id,
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": str(invocation.attempt - 1),
        "SCHEDULED_TIME": timestamp(invocation.scheduled_at),
        "SCHEDULE_ARN": schedule_arn,
        "TARGET_ARN": target_arn,
    }
    if given_up.condition is not None:
        said["EXHAUSTED_RETRY_CONDITION"] = given_up.condition
    # SQS takes no empty value.
    return {
        name: {"DataType": "String", "StringValue": value or "-"} for name, value in said.items()
    }
