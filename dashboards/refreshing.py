"""Parts of a page that read AWS again by themselves, and say it when nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    EndpointConnectionError,
    HTTPClientError,
)

from dashboards.aws import error_message
from dashboards.words import Say

#: How often a live part reads again, in seconds. Sessions share what was read (see `SHARED`).
LIVE = "3s"
#: What one session read is good for all others, for so many seconds.
SHARED = 2


@contextmanager
def told(say: Say) -> Iterator[None]:
    """What AWS or the network refuses becomes a sentence on the page."""
    try:
        yield
    except ClientError as error:
        st.error(say("refused", message=error_message(error)))
    except (EndpointConnectionError, ConnectionError, HTTPClientError) as error:
        url = getattr(error, "kwargs", {}).get("endpoint_url", "AWS")
        st.warning(say("engine_down", url=url))
    except BotoCoreError as error:
        st.error(say("refused", message=error))
