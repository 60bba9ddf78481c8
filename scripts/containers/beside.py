"""A command that runs while something else is prepared quietly."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr


class Stopped(KeyboardInterrupt):
    """This process alone was told to end; a Ctrl-C tells its children, too."""


@contextmanager
def beside(command: Sequence[str]) -> Iterator[Callable[[], int]]:
    """Start the command. It never outlives the block, and is told to end when the block fails.

    What the block says on stderr is shown when the command has ended, not in the middle of its
    words. The block gets a function that waits for that end and gives the exit code.
    """
    process, said = subprocess.Popen(command), io.StringIO()
    with ExitStack() as quiet:
        quiet.enter_context(redirect_stderr(said))

        def ended() -> int:
            code = process.wait()
            quiet.close()
            sys.stderr.write(said.getvalue())
            said.seek(0)
            said.truncate()
            return code

        try:
            yield ended
        except BaseException as reason:
            if not isinstance(reason, KeyboardInterrupt) or isinstance(reason, Stopped):
                process.send_signal(signal.SIGINT)
            raise
        finally:
            ended()
