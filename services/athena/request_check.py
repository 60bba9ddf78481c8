"""Is a request what Athena's service model demands?"""

from __future__ import annotations

from typing import Any

from services import request_check
from services.athena.errors import AthenaError, invalid_request

#: Checked by their operations, in Athena's own words.
_OWN_WORDS = ("QueryString", "MaxResults")


def known(operation: str) -> bool:
    """Whether AWS's Athena has the operation, built here or not."""
    return operation in request_check.operation_names("athena")


def check_request(operation: str, request: dict[str, Any]) -> None:
    """Raise InvalidRequestException in the words of AWS's request validation."""
    left_out = _OWN_WORDS if operation in ("StartQueryExecution", "GetQueryResults") else ()
    asked = {name: value for name, value in request.items() if name not in left_out}
    if "QueryString" in left_out and request.get("QueryString") is not None:
        asked["QueryString"] = "?"
    try:
        failures = request_check.failures("athena", operation, asked)
    except request_check.WrongType as wrong:
        raise AthenaError("SerializationException", str(wrong)) from None
    if failures:
        raise invalid_request(request_check.detected(failures))
