"""Base64 as AWS takes it, whichever library decodes it."""

from __future__ import annotations

from base64 import b64encode
from binascii import a2b_base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kinesis.wire import from_base64

_SIGNS = "ABCDwxyz0189+/=-_ \n\x00ü"


def _strictly(text: str) -> bytes | str:
    """What the standard library makes of it, or says against it."""
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError as wrong:
        return str(wrong)


@given(st.binary(max_size=300))
def test_every_payload_comes_back(payload: bytes) -> None:
    assert from_base64(b64encode(payload).decode()) == payload


@given(st.text(st.sampled_from(_SIGNS), max_size=12) | st.text(max_size=12))
def test_exactly_what_is_strict_base64_is_taken(text: str) -> None:
    wanted = _strictly(text)
    if isinstance(wanted, bytes):
        assert from_base64(text) == wanted
    else:
        with pytest.raises(ValueError, match=r".+"):
            from_base64(text)
