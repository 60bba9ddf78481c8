"""Numbers that Lambda's API refuses, in AWS's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.awslambda.limits import Refusal

#: The smallest and the largest value of each setting.
#: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
#: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
RANGES: Mapping[str, tuple[int, int]] = {
    "Timeout": (1, 900),
    "MemorySize": (128, 10_240),
    "BatchSize": (1, 10_000),
    "ParallelizationFactor": (1, 10),
    "MaximumBatchingWindowInSeconds": (0, 300),
    "MaximumRecordAgeInSeconds": (-1, 604_800),
    "MaximumRetryAttempts": (-1, 10_000),
    "TumblingWindowInSeconds": (0, 900),
}
#: https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
EVENT_INVOKE_RANGES: Mapping[str, tuple[int, int]] = {
    "MaximumRetryAttempts": (0, 2),
    "MaximumEventAgeInSeconds": (60, 21_600),
}
_SHORTEST_RECORD_AGE_SECONDS = 60


def refuse_numbers(
    request: Mapping[str, Any], ranges: Mapping[str, tuple[int, int]] = RANGES
) -> Refusal | None:
    """What is wrong with the settings of a function or a mapping, or None."""
    failures = [
        failure
        for name, (smallest, largest) in ranges.items()
        if (failure := _failure(name, request.get(name), smallest, largest))
    ]
    if failures:
        errors = "error" if len(failures) == 1 else "errors"
        message = f"{len(failures)} validation {errors} detected: {'; '.join(failures)}"
        return Refusal("ValidationException", message)
    age = request.get("MaximumRecordAgeInSeconds")
    if age is not None and age != -1 and age < _SHORTEST_RECORD_AGE_SECONDS:
        return Refusal(
            "InvalidParameterValueException",
            f"MaximumRecordAgeInSeconds is {age}; it must be -1, or from 60 to 604800.",
        )
    return None


def _failure(name: str, value: Any, smallest: int, largest: int) -> str:
    if value is None or smallest <= value <= largest:
        return ""
    side, limit = ("less", largest) if value > largest else ("greater", smallest)
    member = name[0].lower() + name[1:]
    return (
        f"Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must have value {side} than or equal to {limit}"
    )
