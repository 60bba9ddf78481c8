"""What Firehose refuses, with AWS's code and status.

FirehoseError
├── InvalidArgument, ResourceNotFound, ResourceInUse, LimitExceeded
├── ConcurrentModification, InvalidSource, ServiceUnavailable
└── ValidationFailed, SerializationFailed, UnknownOperation
"""

from __future__ import annotations


class FirehoseError(Exception):
    """An answer of AWS's: `code`, `message`, HTTP `status`. A subclass that names no code has its
    own name, as AWS's exceptions have: `ResourceInUse` is `ResourceInUseException`."""

    code = "InternalFailure"
    status = 400

    def __init_subclass__(cls, code: str = "", status: int = 400) -> None:
        cls.code = code or f"{cls.__name__}Exception"
        cls.status = status

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidArgument(FirehoseError):
    """A value breaks a rule of Firehose's own."""


class ResourceNotFound(FirehoseError):
    """There is no such delivery stream, or it is in another region."""


class ResourceInUse(FirehoseError):
    """The name is taken, or the delivery stream is not ACTIVE."""


class LimitExceeded(FirehoseError):
    """More delivery streams than a region may have."""


class ConcurrentModification(FirehoseError):
    """An update names a version that is not the current one."""


class ServiceUnavailable(FirehoseError, status=503):
    """Nothing can be kept at the moment: try again."""


class ValidationFailed(FirehoseError, code="ValidationException"):
    """The request breaks the constraints of AWS's model."""


class SerializationFailed(FirehoseError, code="SerializationException"):
    """The request is not of the shape of AWS's model."""


class UnknownOperation(FirehoseError):
    """Firehose has no such operation."""
