"""What `riacho reconcile` proved last, and before."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboards.aws import Aws
from dashboards.facts import proofs
from dashboards.refreshing import LIVE, SHARED, told
from dashboards.words import Say


@st.cache_data(ttl=SHARED, show_spinner=False)
def shared_proofs(_aws: Aws) -> list[dict[str, Any]]:
    return proofs.read_proofs(_aws.client("s3"))


def render(aws: Aws, say: Say) -> None:
    st.title(say("proof"))
    st.caption(say("proof_help"))

    @st.fragment(run_every=LIVE)
    def live() -> None:
        with told(say):
            found = shared_proofs(aws)
            if found:
                _newest(say, found[0])
                _history(say, found)
            else:
                st.info(say("no_proofs"))

    live()


def _newest(say: Say, proof: dict[str, Any]) -> None:
    if proof["adds_up"]:
        st.success(say("adds_up"), icon=":material/verified:")
    else:
        st.error(say("does_not_add_up"), icon=":material/error:")
    st.caption(say("last_proof", at=proof["at"], stream=proof["stream_name"]))
    left, right = st.columns(2)
    left.metric(say("acknowledged"), f"{proof['acknowledged']:,}")
    right.metric(say("unconfirmed"), f"{proof['unconfirmed']:,}")
    st.dataframe(pd.DataFrame(proofs.verdict_rows(proof)), hide_index=True, width="stretch")


def _history(say: Say, found: list[dict[str, Any]]) -> None:
    st.subheader(say("history"))
    rows = [
        {
            "at": proof["at"],
            "stream": proof["stream_name"],
            say("adds_up"): bool(proof["adds_up"]),
            say("acknowledged"): proof["acknowledged"],
            say("bucket"): proof["bucket"],
        }
        for proof in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
