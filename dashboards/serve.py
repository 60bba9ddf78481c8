"""Streamlit with everything loaded before its port opens, so that the first page need not wait."""

from __future__ import annotations

import sys

from streamlit.web.cli import main

from dashboards.views import alarms, analytics, lake, overview, proof, sql_console, stream

#: Loaded here, used by `dashboards/app.py`.
LOADED = (alarms, analytics, lake, overview, proof, sql_console, stream)

if __name__ == "__main__":
    sys.exit(main())
