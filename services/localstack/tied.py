"""Run a program that dies with its parent: `python -I -S tied.py PARENT_PID program argument…`.

LocalStack starts its helpers in sessions of their own, so that after kill -9 of the engine they
would be left running. Imported by nobody: it starts in 20 ms because it imports little.
"""

import os
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html


def main(parent: int, command: list[str]) -> int:
    """On Linux the kernel kills the program when its parent dies; elsewhere this process does."""
    if sys.platform != "linux":
        return _watch(parent, command)
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return 1  # it died before we were tied to it
    os.execvp(command[0], command)


def _watch(parent: int, command: list[str]) -> int:
    child = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while os.getppid() == parent:
        try:
            return child.wait(0.5)
        except subprocess.TimeoutExpired:
            continue
    child.kill()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
