"""What targets are sent, and what follows when they refuse."""

from __future__ import annotations

import json

import pytest

from services.scheduler.invocation import (
    GivenUp,
    Invocation,
    Refusal,
    after_refusal,
    dead_letter_attributes,
    is_final,
    payload,
)

ARN = "arn:aws:scheduler:us-east-1:000000000000:schedule/default/nightly"
FIRST = Invocation("d32c5kddcf5bb8c3", 1_700_000_000.0, 1_700_000_000.0, 1_700_000_000.0)
THROTTLED = Refusal("ThrottlingException", "slowly", False)
GONE = Refusal("ResourceNotFoundException", "no function", True)


def test_keywords_of_the_input_are_replaced() -> None:
    text = (
        "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time> "
        "<aws.scheduler.execution-id> <aws.scheduler.attempt-number> <aws.scheduler.other>"
    )
    expected = f"{ARN} 2023-11-14T22:13:20Z d32c5kddcf5bb8c3 1 <aws.scheduler.other>"
    assert payload(ARN, text, FIRST) == expected


def test_without_an_input_the_target_is_notified() -> None:
    event = json.loads(payload(ARN, None, FIRST))
    assert event["source"] == "aws.scheduler"
    assert event["resources"] == [ARN]
    assert (event["region"], event["account"]) == ("us-east-1", "000000000000")
    assert (event["time"], event["detail"]) == ("2023-11-14T22:13:20Z", "{}")


def test_retries_back_off_until_a_limit() -> None:
    now, pauses, policy = FIRST.due_at, [], {"MaximumRetryAttempts": 12}
    tried: Invocation | GivenUp = FIRST
    while isinstance(tried, Invocation):
        pauses.append(tried.due_at - now)
        now, last = tried.due_at, tried
        tried = after_refusal(tried, THROTTLED, policy, now)
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert (tried.condition, last.attempt) == ("MaximumRetryAttempts", 13)


def test_an_invocation_gets_too_old() -> None:
    policy = {"MaximumEventAgeInSeconds": 60}
    decided = after_refusal(FIRST, THROTTLED, policy, FIRST.began_at + 59.5)
    assert decided == GivenUp("MaximumEventAgeInSeconds")


def test_a_refusal_that_stands_is_not_retried() -> None:
    assert after_refusal(FIRST, GONE, {}, FIRST.due_at) == GivenUp(None)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ResourceNotFoundException", 404, True),
        ("TooManyRequestsException", 429, False),
        ("ProvisionedThroughputExceededException", 400, False),
        ("ThrottlingException", 400, False),
        ("InternalFailure", 500, False),
    ],
)
def test_which_refusals_stand(code: str, status: int, expected: bool) -> None:
    assert is_final(code, status) is expected


def test_a_dead_letter_says_what_happened() -> None:
    said = dead_letter_attributes(ARN, "target", FIRST, GONE, GivenUp("MaximumRetryAttempts"))
    assert {name: each["StringValue"] for name, each in said.items()} == {
        "ERROR_CODE": "ResourceNotFoundException",
        "ERROR_MESSAGE": "no function",
        "EXECUTION_ID": "d32c5kddcf5bb8c3",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": "2023-11-14T22:13:20Z",
        "SCHEDULE_ARN": ARN,
        "TARGET_ARN": "target",
    }
    assert "EXHAUSTED_RETRY_CONDITION" not in dead_letter_attributes(
        ARN, "target", FIRST, GONE, GivenUp(None)
    )
