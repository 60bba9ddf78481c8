"""What Firehose refuses, with AWS's code and status.

FirehoseError
├── InvalidArgument, ResourceNotFound, ResourceInUse, LimitExceeded
├── ConcurrentModification, InvalidSource, ServiceUnavailable
└── ValidationFailed, SerializationFailed, UnknownOperation
"""

from __future__ import annotations


class FirehoseError(Exception):
    """An answer of AWS's: `code`, `message`, HTTP `status`."""

    code = "InternalFailure"
    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidArgument(FirehoseError):
    code = "InvalidArgumentException"


class ResourceNotFound(FirehoseError):
    code = "ResourceNotFoundException"


class ResourceInUse(FirehoseError):
    code = "ResourceInUseException"


class LimitExceeded(FirehoseError):
    code = "LimitExceededException"


class ConcurrentModification(FirehoseError):
    code = "ConcurrentModificationException"


class InvalidSource(FirehoseError):
    code = "InvalidSourceException"


class ServiceUnavailable(FirehoseError):
    code = "ServiceUnavailableException"
    status = 503


class ValidationFailed(FirehoseError):
    code = "ValidationException"


class SerializationFailed(FirehoseError):
    code = "SerializationException"


class UnknownOperation(FirehoseError):
    code = "UnknownOperationException"
