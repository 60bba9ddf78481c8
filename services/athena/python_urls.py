"""The parts of a URL, encoding and decoding, as java.net has them."""

from __future__ import annotations

import re
import urllib.parse

from services.athena.python_errors import invalid_argument


def url(x: str, part: str) -> str | None:
    """RFC 2396, as java.net.URI reads it; a text that is no URI gives NULL."""
    if re.search(r"[\s<>\"{}|\\^`]", x) or re.search(r"%(?![0-9A-Fa-f]{2})", x):
        return None
    found = re.match(
        r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$", x
    )
    if not found:
        return None
    scheme, authority, path, query, fragment = found.groups()
    if scheme and authority is None and not path.startswith("/"):  # opaque: `mailto:a@b`
        path, query = "", None
    host, port = _host(authority or "")
    if part == "raw query":
        return query
    decode = urllib.parse.unquote
    return {"protocol": scheme or "", "host": host, "port": port, "path": decode(path or ""),
            "query": decode(query or ""), "fragment": decode(fragment or "")}[part]  # fmt: skip


_HOST = re.compile(r"(?:[^@]*@)?(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.-]+)(?::(\d*))?")


def _host(authority: str) -> tuple[str, str | None]:
    """(host, port); an authority that names no host, as `exa_mple.com`, has neither."""
    found = _HOST.fullmatch(authority)
    return (found[1], found[2] or None) if found else ("", None)


def url_parameter(x: str, name: str) -> str | None:
    query = url(x, "raw query")
    if not query:
        return None
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if urllib.parse.unquote_plus(key) == name:
            return urllib.parse.unquote_plus(value)
    return None


def url_encode(x: str) -> str:
    return urllib.parse.quote_plus(x, safe="*-._").replace("~", "%7E")


def url_decode(x: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", x):
        raise invalid_argument("URLDecoder: Incomplete trailing escape (%) pattern")
    return urllib.parse.unquote_plus(x)
