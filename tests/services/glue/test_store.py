"""The store: durable, all or nothing, and every parent's children apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.glue.store import Store, path


def test_what_was_put_is_there_after_the_process_has_died(tmp_path: Path) -> None:
    location = tmp_path / "glue" / "catalog.sqlite"
    first = Store(location)
    first.put("1/us-east-1", "table", path("db"), "t", {"Name": "t"})
    # Opened while the first is still open: nothing was left to a proper close.
    second = Store(location)
    assert second.get("1/us-east-1", "table", path("db"), "t") == {"Name": "t"}
    first.close()
    second.close()


def test_a_failed_transaction_leaves_nothing_behind() -> None:
    store = Store(None)

    def fail_half_way() -> None:
        with store.transaction():
            store.put("s", "database", "", "one", {})
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert store.get("s", "database", "", "one") is None
    store.close()


def test_deleting_below_a_parent_spares_its_namesakes() -> None:
    store = Store(None)
    for database in ("lake", "lake2", "la%e"):
        store.put("s", "table", path(database), "t", {"of": database})
        store.put("s", "partition", path(database, "t"), "p", {"of": database})
    store.delete_below("s", path("lake"))
    left = [body["of"] for kind in ("table", "partition") for body in store.all_below("s", kind)]
    assert left == ["la%e", "lake2", "la%e", "lake2"]
    store.move_below("s", path("lake2"), path("lake"))
    assert store.get("s", "partition", path("lake", "t"), "p") == {"of": "lake2"}
    store.close()
