"""Whether DynamoDBLocal can run on this machine, and how it is started. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

#: The server keeps its items in SQLite, whose native library its jar brings for these alone.
SUPPORTED_MACHINES = {
    ("Linux", "x86_64"),
    ("Linux", "aarch64"),
    ("Darwin", "x86_64"),
    ("Darwin", "arm64"),
    ("Windows", "AMD64"),
}
MAIN_CLASS = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"


def why_not_local(system: str, machine: str, jars: Sequence[Path], java: Path) -> str | None:
    """One sentence when DynamoDBLocal cannot run here, None when it can."""
    if (system, machine) not in SUPPORTED_MACHINES:
        return f"DynamoDBLocal has no SQLite library for {system} on {machine}."
    if not jars:
        return "The jars of DynamoDBLocal are not installed: run ./scripts/install."
    if not java.exists():
        return "The bundled Java is not installed: run ./scripts/install."
    return None


def server_command(
    java: Path,
    jars: Sequence[Path],
    *,
    port: int,
    db_path: Path | None,
    tmp_path: Path,
    heap: str = "256m",
) -> list[str]:
    """The command line; `db_path` None keeps everything in memory. Each start unpacks a native
    library into `tmp_path` and leaves it there.

    A class path in a fixed order, and the small compiler and collector: the server starts
    faster and takes half the memory, and is quick enough for a laptop.
    """
    class_path = ":".join(str(jar) for jar in sorted(jars) if jar.suffix == ".jar")
    return [
        str(java),
        f"-Xmx{heap}",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xshare:auto",
        "--enable-native-access=ALL-UNNAMED",
        f"-Djava.io.tmpdir={tmp_path}",
        "-XX:-UsePerfData",  # it would write to the system's /tmp
        "-cp",
        class_path,
        MAIN_CLASS,
        "-disableTelemetry",  # it would report to AWS, and keep its identity in the working folder
        "-port",
        str(port),
        *(["-inMemory"] if db_path is None else ["-dbPath", str(db_path)]),
    ]
