"""OpenSearch's own published files: which release, where it is unpacked, and what is left out."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from services.settings import Settings

#: The release of the server, of the containers and of Dashboards alike.
VERSION = "3.8.0"

#: ingest-geoip carries 70 MB of GeoLite data, transport-grpc is a second way in. analysis-common
#: makes every new index load the Thai word list, which the bundled JRE does not have.
LEFT_OUT = (
    "modules/ingest-geoip/",
    "modules/transport-grpc/",
    "modules/analysis-common/",
    "lib/tools/",
)
_COMPLETE = "riacho.complete"


def default_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Where releases are kept, for all data folders of a user."""
    cache = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "riacho" / "opensearch" / VERSION


def home_of(settings: Settings) -> Path:
    """Where the release is, or will be: the setting's folder, or the default one."""
    return Path(settings.search_home) if settings.search_home else default_home()


def is_installed(home: Path) -> bool:
    """Whether a whole release is there."""
    return (home / _COMPLETE).exists()


def unpack(archive: Path, home: Path) -> None:
    """The published zip, without what is left out; `home` is whole or not there."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="unpacking-") as folder:
        found = Path(folder) / "home"
        with zipfile.ZipFile(archive) as packed:
            for entry in packed.infolist():
                name = wanted_name(entry.filename)
                if name is not None and not entry.is_dir():
                    target = found / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with packed.open(entry) as content, target.open("wb") as file:
                        shutil.copyfileobj(content, file)
        (found / "plugins").mkdir()
        (found / _COMPLETE).touch()
        shutil.rmtree(home, ignore_errors=True)
        found.rename(home)


def wanted_name(name: str) -> str | None:
    """A file's path without the release's own folder; None for what is left out."""
    below = name.partition("/")[2]
    return None if not below or below.startswith(LEFT_OUT) or ".." in below.split("/") else below
