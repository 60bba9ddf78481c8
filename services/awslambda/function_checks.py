"""What a request about a function may not say, in AWS's words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.awslambda.limits import Refusal

#: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html: what Lambda sets and a
#: function's configuration may not.
RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    }
)
_VARIABLE_NAME = re.compile(r"[a-zA-Z]([a-zA-Z0-9_])+")
_LAYER_VERSION_ARN = re.compile(
    r"arn:(aws[a-zA-Z-]*)?:lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"layer:[a-zA-Z0-9-_]+:[0-9]+"
)
INVOCATION_TYPES = ("Event", "RequestResponse", "DryRun")


def refuse_creation(request: Mapping[str, Any]) -> Refusal | None:
    """What is wrong with a new function, or None."""
    is_package = request.get("PackageType", "Zip") == "Zip"
    if is_package and not (request.get("Runtime") and request.get("Handler")):
        return _invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment "
            "packages."
        )
    return refuse_configuration(request)


def refuse_configuration(request: Mapping[str, Any]) -> Refusal | None:
    """What is wrong with the settings of a new or an updated function, or None."""
    variables = (request.get("Environment") or {}).get("Variables") or {}
    dead_letters = (request.get("DeadLetterConfig") or {}).get("TargetArn") or ""
    return (
        _refuse_variables(variables)
        or _refuse_dead_letters(dead_letters)
        or _refuse_layers(request.get("Layers") or ())
    )


def _refuse_layers(arns: Sequence[str]) -> Refusal | None:
    if all(_LAYER_VERSION_ARN.fullmatch(arn) for arn in arns):
        return None
    return Refusal(
        "ValidationException",
        f"1 validation error detected: Value '[{', '.join(arns)}]' at 'layers' failed to satisfy "
        "constraint: Member must satisfy constraint: [Member must have length less than or equal "
        "to 2048, Member must have length greater than or equal to 1, Member must satisfy regular "
        f"expression pattern: {_LAYER_VERSION_ARN.pattern}]",
    )


def _refuse_variables(variables: Mapping[str, str]) -> Refusal | None:
    if wrong := [name for name in variables if not _VARIABLE_NAME.fullmatch(name)]:
        return Refusal(
            "ValidationException",
            f"1 validation error detected: Value at 'environment.variables' failed to satisfy "
            f"constraint: Map keys must satisfy constraint: [Member must satisfy regular "
            f"expression pattern: {_VARIABLE_NAME.pattern}] ({', '.join(wrong)})",
        )
    if reserved := [name for name in variables if name in RESERVED_VARIABLES]:
        return _invalid(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            f"for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    return None


def _refuse_dead_letters(target_arn: str) -> Refusal | None:
    if not target_arn or target_arn.split(":")[2:3] in (["sqs"], ["sns"]):
        return None
    return _invalid(
        f"The target ARN {target_arn} of DeadLetterConfig is neither an SQS queue nor an SNS topic."
    )


def refuse_invocation_type(invocation_type: str | None) -> Refusal | None:
    """What is wrong with the header of that name, or None."""
    if invocation_type is None or invocation_type in INVOCATION_TYPES:
        return None
    return Refusal(
        "ValidationException",
        f"1 validation error detected: Value '{invocation_type}' at 'invocationType' failed to "
        f"satisfy constraint: Member must satisfy enum value set: [{', '.join(INVOCATION_TYPES)}]",
    )


def _invalid(message: str) -> Refusal:
    return Refusal("InvalidParameterValueException", message)
