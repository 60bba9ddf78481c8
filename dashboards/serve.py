"""Streamlit with what is heavy loaded before its port opens: no first page waits for it."""

from __future__ import annotations

import sys

import pyarrow
from streamlit.web.cli import main

from dashboards import chart_choice, charts
from dashboards.facts import athena, flow, lake
from services import connect

#: Used by the pages, which load when somebody looks (Streamlit's caches want a running server).
LOADED = (pyarrow, chart_choice, charts, athena, flow, lake, connect)

if __name__ == "__main__":
    sys.exit(main())
