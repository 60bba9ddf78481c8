"""What Kinesis refuses, with AWS's codes and messages."""

from __future__ import annotations


class KinesisError(Exception):
    """An answer that is an error: `code` and `message` as AWS sends them, `status` of HTTP."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def validation_error(*failures: str) -> KinesisError:
    """Constraints of the service model that a request breaks, at most ten, in AWS's sentence."""
    shown = failures[:10]
    errors = "error" if len(shown) == 1 else "errors"
    return KinesisError(
        "ValidationException", f"{len(shown)} validation {errors} detected: {'; '.join(shown)}"
    )


def invalid_argument(message: str) -> KinesisError:
    return KinesisError("InvalidArgumentException", message)


def serialization_error(message: str) -> KinesisError:
    return KinesisError("SerializationException", message)


def limit_exceeded(message: str) -> KinesisError:
    return KinesisError("LimitExceededException", message)


def resource_in_use(message: str) -> KinesisError:
    return KinesisError("ResourceInUseException", message)


def resource_not_found(message: str) -> KinesisError:
    return KinesisError("ResourceNotFoundException", message)


def stream_not_found(stream_name: str, account_id: str) -> KinesisError:
    return resource_not_found(f"Stream {stream_name} under account {account_id} not found.")


def shard_not_found(shard_id: str, stream_name: str, account_id: str) -> KinesisError:
    return resource_not_found(
        f"Could not find shard {shard_id} in stream {stream_name} under account {account_id}."
    )


def shard_does_not_exist(shard_id: str, stream_name: str, account_id: str) -> KinesisError:
    """What the reading calls say where the resharding calls say `shard_not_found`."""
    return resource_not_found(
        f"Shard {shard_id} in stream {stream_name} under account {account_id} does not exist"
    )


def throughput_exceeded(shard_id: str, stream_name: str, account_id: str) -> KinesisError:
    return KinesisError(
        "ProvisionedThroughputExceededException",
        f"Rate exceeded for shard {shard_id} in stream {stream_name} under account {account_id}.",
    )


def internal_failure() -> KinesisError:
    return KinesisError("InternalFailure", "Internal Service Failure.", status=500)
