"""Amazon's Kinesis Producer Library as a process: Java, and the native daemon in its jar.

The jars are fetched once, against `requirements/jars/optional/kpl.txt`, into the cache folder. A
JDK compiles the few lines of Java that drive it. The KPL speaks TLS only, which the engine's port
answers too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from scripts.bench.real_kcl import RealKclUnavailable, bring_jars

_PROGRAM = Path(__file__).with_name("RealKpl.java")


class RealKpl(NamedTuple):
    """Where the pieces lie."""

    java: str
    jars: Path

    def put(self, endpoint_url: str, stream_name: str, count: int, folder: Path) -> str:
        """Put so many user records, `record-0` and on, each with a partition key of its own;
        the program's last line. Everything it unpacks is below `folder`."""
        there = urlsplit(endpoint_url)
        command = [self.java, f"-Djava.io.tmpdir={folder}", "-cp", f"{self.jars}/*", str(_PROGRAM)]
        command += [str(there.hostname), str(there.port), stream_name, str(count)]
        done = subprocess.run(
            command, env=os.environ | {"TMPDIR": str(folder)}, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"The KPL ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout.strip().splitlines()[-1]


def bring() -> RealKpl:
    """The real KPL, fetched when it is not there. Raises RealKclUnavailable."""
    java, compiler = shutil.which("java"), shutil.which("javac")
    if java is None or compiler is None:
        raise RealKclUnavailable("The real KPL needs a JDK: java and javac on the PATH.")
    return RealKpl(java, bring_jars("kpl"))
