"""How the OpenSearch server is started without its shell scripts. Pure."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAIN_CLASS = "org.opensearch.bootstrap.OpenSearch"

#: Warnings and the server's own start and end; JSON would be ten times as long.
LOG4J2 = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.node.name = org.opensearch.node
logger.node.level = info
"""

#: The server asks by JNA whether it is root's process and then refuses to start. A container or
#: a sandbox often has no other user: there it runs without JNA's native part (and without
#: mlockall and its system call filter, which need that).
WITHOUT_JNA = ("-Djna.noclasspath=true",)


@dataclass(frozen=True, kw_only=True)
class Server:
    """One node. `home` is the unpacked release, `data` everything it writes; absolute paths."""

    home: Path
    data: Path
    java: Path
    port: int
    transport_port: int
    host: str = "127.0.0.1"
    heap: str = "512m"

    @property
    def folders(self) -> tuple[Path, ...]:
        return tuple(self.data / name for name in ("config", "data", "logs", "snapshots", "tmp"))

    def files(self) -> dict[Path, str]:
        """The configuration, by path."""
        config = self.data / "config"
        return {
            # JSON is YAML.
            config / "opensearch.yml": json.dumps(self.settings(), indent=1),
            config / "log4j2.properties": LOG4J2,
        }

    def settings(self) -> dict[str, object]:
        return {
            "cluster.name": "riacho",
            "node.name": "riacho-1",
            "path.data": str(self.data / "data"),
            "path.logs": str(self.data / "logs"),
            "path.repo": [str(self.data / "snapshots")],
            "network.host": self.host,
            "http.port": self.port,
            "transport.port": self.transport_port,
            "discovery.type": "single-node",
            # A laptop's disk is often nine tenths full: OpenSearch would refuse to write.
            "cluster.routing.allocation.disk.threshold_enabled": False,
            "cluster.default_number_of_replicas": 0,
            # Without it the host's vm.max_map_count has to be raised by root.
            "node.store.allow_mmap": False,
            # A web page must not drive the cluster of whoever looks at it.
            "http.cors.enabled": False,
        }

    def command(self, *, as_root: bool | None = None) -> list[str]:
        """The command line. `as_root`: whether the process will be root's (None asks).

        The small compiler and collector: started in half the time with half the memory.
        """
        as_root = os.geteuid() == 0 if as_root is None else as_root
        return [
            str(self.java),
            f"-Xms{self.heap}",
            f"-Xmx{self.heap}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:-UsePerfData",  # it would write to the system's /tmp
            "-Dfile.encoding=UTF-8",
            "-Djava.awt.headless=true",
            "-Djna.nosys=true",
            *(WITHOUT_JNA if as_root else ()),
            f"-Djna.tmpdir={self.data / 'tmp'}",
            f"-Djava.io.tmpdir={self.data / 'tmp'}",
            "-Dio.netty.noUnsafe=true",
            "-Dio.netty.noKeySetOptimization=true",
            "-Dio.netty.recycler.maxCapacityPerThread=0",
            "-Dio.netty.allocator.numDirectArenas=0",
            "-Dlog4j.shutdownHookEnabled=false",
            "-Dlog4j2.disable.jmx=true",
            "-Dlog4j2.formatMsgNoLookups=true",
            "-Djava.locale.providers=SPI,CLDR",
            "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
            f"-javaagent:{self.home / 'agent' / 'opensearch-agent.jar'}",
            "--add-opens=java.base/java.nio=ALL-UNNAMED",
            "--enable-native-access=ALL-UNNAMED",
            f"-Dopensearch.path.home={self.home}",
            f"-Dopensearch.path.conf={self.data / 'config'}",
            "-Dopensearch.distribution.type=zip",
            "-Dopensearch.bundled_jdk=false",
            "-cp",
            os.pathsep.join(str(jar) for jar in class_path(self.home)),
            MAIN_CLASS,
        ]


def class_path(home: Path) -> Sequence[Path]:
    """The server's jars, in a fixed order."""
    return sorted((home / "lib").glob("*.jar"))


def prepare(server: Server) -> None:
    """Make the folders and write the configuration."""
    for folder in server.folders:
        folder.mkdir(parents=True, exist_ok=True)
    for path, text in server.files().items():
        path.write_text(text)
