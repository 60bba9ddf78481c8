"""OpenSearch from its published coordinates, once for all data folders of a user."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from scripts.one_at_a_time import one_at_a_time
from services.localstack.environment import ENGINE_PYTHON
from services.localstack.errors import NotInstalled
from services.opensearch.distribution import VERSION, is_installed, unpack
from services.opensearch.errors import SearchFailed

#: What `requirements/jars/optional/opensearch.txt` names, for whoever asks before fetching.
MEGABYTES = 161
_FETCH_SECONDS = 1800
#: The engine's environment has the client of that registry.
_FETCH = (
    "import sys; from pathlib import Path; from scripts import jars; "
    "jars.trust_system_certificates(); jars.JARS = Path(sys.argv[1]); "
    "print(jars.fetch('optional/opensearch'))"
)


def install(home: Path) -> bool:
    """The release in `home`; True when it had to be fetched. Raises SearchFailed, NotInstalled."""
    if is_installed(home):
        return False
    if not ENGINE_PYTHON.exists():
        raise NotInstalled("The engine is not installed here: run ./scripts/install.")
    try:
        with one_at_a_time(home):
            if is_installed(home):
                return False
            with tempfile.TemporaryDirectory(dir=home.parent, prefix="fetching-") as folder:
                (archive,) = _fetched(Path(folder)).glob("*.zip")
                unpack(archive, home)
    except OSError as error:
        raise SearchFailed(
            f"OpenSearch cannot be kept in {home} ({error.strerror}): choose another place "
            "(RIACHO_SEARCH_HOME)."
        ) from None
    return True


def _fetched(folder: Path) -> Path:
    command = [str(ENGINE_PYTHON), "-c", _FETCH, str(folder)]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        raise SearchFailed(f"OpenSearch {VERSION} did not come within half an hour.") from None
    if answer.returncode != 0:
        words = [line for line in answer.stderr.splitlines() if line.strip()]
        raise SearchFailed(
            f"OpenSearch {VERSION} cannot be fetched ({words[-1] if words else 'no reason given'}):"
            " look at the network or the proxy, or copy its folder from another machine to "
            "where RIACHO_SEARCH_HOME says."
        )
    return Path(answer.stdout.splitlines()[-1])
