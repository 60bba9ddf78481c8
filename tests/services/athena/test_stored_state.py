"""What is found in thousands of kept bodies without reading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.athena.stored_state import StoredState


def execution(work_group: str, state: str) -> dict[str, Any]:
    return {"shape": {"WorkGroup": work_group, "Status": {"State": state}}}


def test_keys_with_a_value_are_told_newest_first(tmp_path: Path) -> None:
    state = StoredState(tmp_path / "state.sqlite")
    for number, group in enumerate(("primary", "other", "primary", "it's")):
        state.put("me", "execution", f"q{number}", execution(group, "SUCCEEDED"), sort=number)
    state.put("you", "execution", "q9", execution("primary", "SUCCEEDED"), sort=9)
    state.put("me", "named_query", "q8", execution("primary", "SUCCEEDED"), sort=8)
    path = "$.shape.WorkGroup"
    assert state.keys_with("me", "execution", path, "primary") == ["q2", "q0"]
    assert state.keys_with("me", "execution", path, "it's") == ["q3"]
    assert state.keys_with("me", "execution", path, "none") == []
    state.close()


def test_what_was_not_at_its_end_is_found_in_every_account(tmp_path: Path) -> None:
    state = StoredState(tmp_path / "state.sqlite")
    state.put("me", "execution", "a", execution("primary", "RUNNING"))
    state.put("me", "execution", "b", execution("primary", "SUCCEEDED"))
    state.put("you", "execution", "c", execution("other", "QUEUED"))
    state.put("you", "execution", "d", execution("other", "FAILED"))
    found = state.everywhere_but("execution", "$.shape.Status.State", "SUCCEEDED", "FAILED")
    assert found == [execution("primary", "RUNNING"), execution("other", "QUEUED")]
    state.close()
