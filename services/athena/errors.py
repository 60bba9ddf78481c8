"""What may go wrong, in Athena's words.

AthenaError            an API call is refused (InvalidRequestException, MetadataException …)
QueryFailed            a query ends FAILED with Athena's text
├── SqlRefused         the statement itself is wrong; carries line and column
├── SqlNotSupported    Athena knows it, this engine does not
└── DataRefused        the data does not fit the table (HIVE_BAD_DATA …)
QueryCancelled         a query ends CANCELLED (stopped, or over its bytes cutoff)
"""

from __future__ import annotations


class AthenaError(Exception):
    """An API error: `code` is the exception's name in AWS's model."""

    status = 400

    def __init__(self, code: str, message: str, **fields: str) -> None:
        super().__init__(message)
        self.code, self.message, self.fields = code, message, fields


def invalid_request(message: str, athena_error_code: str = "INVALID_INPUT") -> AthenaError:
    return AthenaError("InvalidRequestException", message, AthenaErrorCode=athena_error_code)


class QueryFailed(Exception):
    """`reason` is StateChangeReason; category and type are those of AthenaError.

    Categories: 1 system, 2 user, 3 other.
    https://docs.aws.amazon.com/athena/latest/ug/error-reference.html
    """

    def __init__(self, reason: str, error_category: int = 2, error_type: int = 1000) -> None:
        super().__init__(reason)
        self.reason, self.error_category, self.error_type = reason, error_category, error_type


class SqlRefused(QueryFailed):
    """`SYNTAX_ERROR: line 1:8: Column 'x' cannot be resolved`."""

    def __init__(
        self,
        text: str,
        line: int | None = None,
        column: int | None = None,
        name: str = "SYNTAX_ERROR",
    ) -> None:
        self.text, self.line, self.column, self.name = text, line, column, name
        place = f"line {line}:{column}: " if line is not None else ""
        super().__init__(
            f"{name}: {place}{text}", error_type=1006 if name == "SYNTAX_ERROR" else 1000
        )


class SqlNotSupported(QueryFailed):
    """Better an honest refusal than a wrong answer."""

    def __init__(self, text: str, line: int | None = None, column: int | None = None) -> None:
        place = f"line {line}:{column}: " if line is not None else ""
        super().__init__(f"NOT_SUPPORTED: {place}{text}")


class DataRefused(QueryFailed):
    """`HIVE_BAD_DATA: …`: the data does not fit the table."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}", error_type=1001)


class QueryCancelled(Exception):
    """The query ends CANCELLED; `reason` becomes StateChangeReason."""

    def __init__(self, reason: str = "Query cancelled by user") -> None:
        super().__init__(reason)
        self.reason = reason
