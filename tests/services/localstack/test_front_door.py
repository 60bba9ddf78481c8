"""Who may talk to the engine."""

from __future__ import annotations

import pytest

from services.localstack.front_door import is_welcome_fetch, is_welcome_host, is_welcome_origin
from services.settings import Settings

SETTINGS = Settings(allowed_hosts="engine, aws.local")


@pytest.mark.parametrize(
    ("host", "welcome"),
    [
        ("127.0.0.1:4566", True),
        ("localhost", True),
        ("LOCALHOST:4566", True),
        ("[::1]:4566", True),
        ("http://localhost:4566", True),
        ("bucket.s3.localhost.localstack.cloud:4566", True),
        ("engine:4566", True),
        ("bucket.aws.local", True),
        ("", False),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evillocalhost", False),
        ("192.168.0.7:4566", False),
        ("[bad", False),
    ],
)
def test_a_host(host: str, welcome: bool) -> None:
    assert is_welcome_host(host, SETTINGS) == welcome


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [
        (None, True),
        ("http://localhost:8501", True),
        ("https://evil.example", False),
        ("null", False),
    ],
)
def test_an_origin(origin: str | None, welcome: bool) -> None:
    assert is_welcome_origin(origin, SETTINGS) == welcome


VISIT = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.mark.parametrize(
    ("headers", "uri", "welcome"),
    [
        ({}, "/?Action=DeleteQueue", True),
        ({"sec-fetch-site": "same-origin"}, "/?Action=DeleteQueue", True),
        ({"sec-fetch-site": "cross-site"}, "/bucket/key", False),
        ({"sec-fetch-site": "cross-site", **VISIT}, "/bucket/key", True),
        ({"sec-fetch-site": "cross-site", **VISIT}, "/?Action=DeleteQueue", False),
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost:8501"}, "/", True),
    ],
)
def test_a_page_of_another_site_makes_no_calls(
    headers: dict[str, str], uri: str, welcome: bool
) -> None:
    assert is_welcome_fetch(headers, uri) == welcome
