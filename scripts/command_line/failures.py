"""What ends a command: the sentence a user reads and the exit code a script reads."""

from __future__ import annotations

from enum import IntEnum

import click
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from services.localstack.errors import (
    DataFolderInUse,
    DataFolderRefused,
    EngineFailed,
    NotInstalled,
    PortTaken,
)
from services.localstack.state.archive import ArchiveRefused
from services.opensearch.errors import SearchFailed, SearchRefused, SearchUnreachable
from services.settings import SettingRefused


class ExitCode(IntEnum):
    """Every exit code of `riacho`."""

    OK = 0
    #: What was checked does not hold, or AWS answered with an error.
    FAILED = 1
    #: The command line itself is wrong (click's own code), or a setting is.
    USAGE = 2
    NOT_INSTALLED = 3
    PORT_TAKEN = 4
    DATA_FOLDER = 5
    NOT_RUNNING = 6
    ENGINE_FAILED = 7
    #: `riacho doctor` found something that must be mended.
    LACKING = 8
    INTERRUPTED = 130


class NotRunning(Exception):
    """There is no engine where one was looked for."""


#: The first matching line counts.
EXIT_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (NotInstalled, ExitCode.NOT_INSTALLED),
    (PortTaken, ExitCode.PORT_TAKEN),
    (DataFolderInUse, ExitCode.DATA_FOLDER),
    (DataFolderRefused, ExitCode.DATA_FOLDER),
    (ArchiveRefused, ExitCode.FAILED),
    (EngineFailed, ExitCode.ENGINE_FAILED),
    (NotRunning, ExitCode.NOT_RUNNING),
    (SearchUnreachable, ExitCode.NOT_RUNNING),
    (SearchRefused, ExitCode.FAILED),
    (SearchFailed, ExitCode.FAILED),
    (SettingRefused, ExitCode.USAGE),
    (EndpointConnectionError, ExitCode.NOT_RUNNING),
    (NoCredentialsError, ExitCode.USAGE),
    (ClientError, ExitCode.FAILED),
)


class Sentence(click.ClickException):
    """One sentence on standard error, and an exit code."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """What click ends the program with."""
        return int(self.code)

    def show(self, file: object = None) -> None:
        click.echo(self.message, err=True)


def as_sentence(error: BaseException) -> Sentence | None:
    """The sentence for an error that a user can cause; None for one of ours."""
    if isinstance(error, KeyboardInterrupt):
        return Sentence("Interrupted.", ExitCode.INTERRUPTED)
    for kind, code in EXIT_CODES:
        if isinstance(error, kind):
            return Sentence(_words(error), code)
    return None


def _words(error: BaseException) -> str:
    if isinstance(error, EndpointConnectionError):
        return f"{error} Start an engine (riacho up) or set AWS_ENDPOINT_URL (riacho env)."
    if isinstance(error, NoCredentialsError):
        return 'No AWS credentials and no engine: run `riacho up`, then `eval "$(riacho env)"`.'
    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        return f"{error.operation_name}: {answer.get('Code')}: {answer.get('Message')}"
    return str(error)
