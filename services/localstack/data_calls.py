"""Calls that our HTTP front answers straight from a core, without LocalStack's request chain.

A service registers its calls when it is imported by `services.localstack.provider`; the front
looks each request up by its `X-Amz-Target` header, or by its path below `/_riacho/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple


class DataRequest(NamedTuple):
    """One request. `headers` has lower-case names; `target` is `Kinesis_20131202.PutRecords` or
    the path below `/_riacho/`; region and account come from the credential scope."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    region: str
    account_id: str


class DataAnswer(NamedTuple):
    """What goes back, complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes


#: Returns None to let LocalStack's chain answer instead. Runs on the front's event loop: it may
#: take a few milliseconds, and never waits.
DataCall = Callable[[DataRequest], DataAnswer | None]

data_calls: dict[str, DataCall] = {}
