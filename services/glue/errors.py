"""Glue's errors, with AWS's codes and sentences.

GlueError                   code, message, status
└─ made by the functions below, one for each sentence
"""

from __future__ import annotations


class GlueError(Exception):
    """What an operation refuses; the provider hands it on as it is."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def not_found(message: str) -> GlueError:
    return GlueError("EntityNotFoundException", message)


def already_exists(message: str) -> GlueError:
    return GlueError("AlreadyExistsException", message)


def invalid_input(message: str) -> GlueError:
    return GlueError("InvalidInputException", message)


def database_not_found(name: str) -> GlueError:
    return not_found(f"Database {name} not found.")


def table_not_found(name: str) -> GlueError:
    return not_found(f"Table {name} not found.")


def concurrent_modification(message: str) -> GlueError:
    return GlueError("ConcurrentModificationException", message)


def not_built(operation: str) -> GlueError:
    """Jobs, workflows and the like: said plainly instead of a made-up success."""
    return GlueError("InternalFailure", f"Glue's {operation} is not part of this engine.", 501)
