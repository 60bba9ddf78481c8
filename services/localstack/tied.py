"""Run a program that dies with its parent.

    python -I -S tied.py PARENT_PID [--without-fsync] program argument…

LocalStack starts its helpers in sessions of their own, so that after kill -9 of the engine they
would be left running. Imported by nobody: it starts in 20 ms because it imports little.
"""

import ctypes
import os
import platform
import signal
import struct
import subprocess
import sys

PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_ERRNO_0 = 0x00050000  # answers "success" in the kernel's place
#: Per machine: its audit number, and the numbers of fsync and fdatasync.
SYSTEM_CALLS = {"x86_64": (0xC000003E, 74, 75), "aarch64": (0xC00000B7, 82, 83)}


def main(parent: int, command: list[str]) -> int:
    """On Linux the kernel kills the program when its parent dies; elsewhere this process does."""
    without_fsync = command[0] == "--without-fsync"
    command = command[without_fsync:]
    if sys.platform != "linux":
        return _watch(parent, command)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return 1  # it died before we were tied to it
    if without_fsync:
        _swallow_fsync(libc)
    os.execvp(command[0], command)


def _swallow_fsync(libc: ctypes.CDLL) -> None:
    """Let the kernel answer fsync and fdatasync at once, for this process and what it becomes.

    What was written still survives kill -9 of every process, as it is the kernel's by then; a
    power cut may lose it. A kernel that refuses the filter leaves the program slow, not wrong.
    https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html
    """
    if platform.machine() not in SYSTEM_CALLS:
        return
    machine, *swallowed = SYSTEM_CALLS[platform.machine()]
    load, equal, give = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    instructions = [
        (load, 0, 0, 4),  # seccomp_data.arch
        (equal, 0, 3, machine),
        (load, 0, 0, 0),  # seccomp_data.nr
        (equal, 2, 0, swallowed[0]),
        (equal, 1, 0, swallowed[1]),
        (give, 0, 0, SECCOMP_RET_ALLOW),
        (give, 0, 0, SECCOMP_RET_ERRNO_0),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *i) for i in instructions))
    program = ctypes.create_string_buffer(
        struct.pack("@HP", len(instructions), ctypes.addressof(code))
    )
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)


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
