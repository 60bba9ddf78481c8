"""Is a request what Glue's service model demands?"""

from __future__ import annotations

from typing import Any

from botocore.model import OperationModel

from services import request_check
from services.glue.errors import GlueError


def service_operation(operation: str) -> OperationModel:
    """The operation as botocore's model of Glue describes it."""
    return request_check.service_operation("glue", operation)


def operation_names() -> frozenset[str]:
    """All operations of AWS's Glue, built here or not."""
    return request_check.operation_names("glue")


def check_request(operation: str, request: dict[str, Any]) -> None:
    """Raise ValidationException in the words of AWS's request validation."""
    try:
        failures = request_check.failures("glue", operation, request)
    except request_check.WrongType as wrong:
        raise GlueError("SerializationException", str(wrong)) from None
    if failures:
        raise GlueError("ValidationException", request_check.detected(failures))
