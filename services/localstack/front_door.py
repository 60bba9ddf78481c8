"""Who may talk to the engine: decided by the `Host` and `Origin` headers alone.

Without this a web page anywhere could drive the engine of whoever looks at it, through a name
that resolves to 127.0.0.1 (DNS rebinding) or through plain cross-site requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from services.settings import Settings

#: Names that can only mean this machine; names below them too (virtual-hosted buckets).
LOCAL_NAMES = ("localhost", "localhost.localstack.cloud")
LOCAL_ADDRESSES = ("127.0.0.1", "::1")


def is_welcome_host(host: str, settings: Settings) -> bool:
    """Whether a `Host` header means this engine; some clients send it with a scheme."""
    return _is_welcome(host, settings.allowed_hosts)


@lru_cache(maxsize=1024)
def _is_welcome(host: str, allowed_hosts: str) -> bool:
    name = _name(host)
    allowed = (*LOCAL_NAMES, *allowed_hosts.replace(",", " ").split())
    return name in LOCAL_ADDRESSES or any(
        name == known or name.endswith(f".{known}") for known in allowed
    )


def is_welcome_origin(origin: str | None, settings: Settings) -> bool:
    """Whether an `Origin` is this machine's own; programs send none."""
    return origin is None or is_welcome_host(origin, settings)


def is_welcome_fetch(headers: Mapping[str, str], uri: str) -> bool:
    """Whether a request without an `Origin` was not made by another site's page.

    Browsers send no `Origin` with images and links, and AWS's query protocol takes
    `?Action=DeleteQueue` by GET: only visiting an address that calls nothing is harmless.
    https://www.w3.org/TR/fetch-metadata/
    """
    if headers.get("origin") or headers.get("sec-fetch-site") != "cross-site":
        return True
    visits = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return visits == ("navigate", "document") and "action=" not in uri.lower()


def _name(host: str) -> str:
    try:
        return (urlsplit(host if "://" in host else f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
