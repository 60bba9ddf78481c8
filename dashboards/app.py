"""The dashboard: `riacho dashboard` runs it. Here, and only here, clients are made."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable

import streamlit as st

from dashboards.aws import Aws, SharedClients
from dashboards.views import alarms, analytics, lake, overview, proof, sql_console, stream
from dashboards.words import LANGUAGES, Say, speaker
from services.connect import connect

#: The address of each page, its words, its icon, and what renders it.
PAGES = (
    ("overview", ":material/account_tree:", overview.render),
    ("stream", ":material/stream:", stream.render),
    ("lake", ":material/database:", lake.render),
    ("sql", ":material/terminal:", sql_console.render),
    ("analytics", ":material/bar_chart:", analytics.render),
    ("alarms", ":material/notifications:", alarms.render),
    ("proof", ":material/verified:", proof.render),
)


#: A projector's 720 lines are few: less air above the title. Streamlit's grey of captions is too
#: pale on white to be read by everybody (3.9:1 where 4.5:1 is needed).
LOOK = """<style>
.stMainBlockContainer {padding-top: 2.5rem; padding-bottom: 2rem}
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] * {
  color: inherit !important; opacity: 1 !important
}
</style>"""


@st.cache_resource
def settled(clients_made: int) -> None:
    """What is loaded stays: Streamlit collects garbage after every run, and would walk through all
    of pandas, Altair and the clients' models each time, a fifth of a second that thirty sessions
    wait for. Once for every number of clients, as each brings a large model."""
    gc.collect()
    gc.freeze()


@st.cache_resource
def clients(endpoint_url: str | None, region: str | None) -> SharedClients:
    """One set of clients for all sessions."""
    return SharedClients(lambda service: connect(service, endpoint_url, region))


def language() -> str:
    """Chosen in the sidebar and kept in the address; first what the browser prefers."""
    preferred = (st.context.locale or "en").split("-")[0]
    given = st.query_params.get("lang", preferred)
    codes = list(LANGUAGES)
    index = codes.index(given) if given in codes else 0
    chosen = st.sidebar.selectbox(
        "Language · Idioma", codes, index=index, format_func=LANGUAGES.__getitem__
    )
    if chosen != preferred or "lang" in st.query_params:
        st.query_params["lang"] = chosen
    return str(chosen)


def main() -> None:
    st.set_page_config(page_title="Riacho", page_icon="🌊", layout="wide")
    st.html(LOOK)
    say = speaker(language())
    aws = clients(os.environ.get("AWS_ENDPOINT_URL"), os.environ.get("AWS_REGION"))
    settled(aws.made)

    def page(key: str, icon: str, render: Callable[[Aws, Say], None]) -> st.Page:
        def show() -> None:
            render(aws, say)

        return st.Page(show, title=say(key), icon=icon, url_path=key, default=key == "overview")

    chosen = st.navigation([page(*facts) for facts in PAGES])
    chosen.run()


main()
