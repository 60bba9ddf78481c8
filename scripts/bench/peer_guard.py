"""Run a peer engine that ends when the benchmark does, however that ended.

    python scripts/bench/peer_guard.py program argument…   (the benchmark holds its standard input)

Prints the program's pid. Peers start helpers in sessions of their own (LocalStack its
kinesis-mock), which outlive them; as their reaper this process still finds them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services.localstack.processes import descendants, end_all, send_signal

PR_SET_CHILD_SUBREAPER = (
    36  # https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
)
GRACE_SECONDS = 5.0


def main(command: Sequence[str]) -> int:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True)
    print(program.pid, flush=True)
    threading.Thread(target=_end_with_benchmark, daemon=True).start()
    code = program.wait()
    _end_helpers()
    return code


def _end_with_benchmark() -> None:
    """The standard input ends when the benchmark closes it or dies."""
    sys.stdin.buffer.read()
    helpers = descendants(os.getpid())
    for helper in helpers:
        send_signal(helper.pid, signal.SIGTERM)
    end_all(helpers, GRACE_SECONDS)


def _end_helpers() -> None:
    end_all(descendants(os.getpid()), 0)
    # Those that lost their parent are ours now: nobody else asks how they ended.
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    # Ctrl-C reaches this process too: the benchmark decides when the peer ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(main(sys.argv[1:]))
