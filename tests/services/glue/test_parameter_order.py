"""Parameters come back in the order of Java's HashMap."""

from __future__ import annotations

from services.glue.parameter_order import as_java_orders


def test_the_order_is_that_of_buckets_and_not_of_the_request() -> None:
    given = ["classification", "compressionType", "typeOfData", "projection.enabled"]
    want = ["compressionType", "classification", "projection.enabled", "typeOfData"]
    assert list(as_java_orders(dict.fromkeys(given, ""))) == want


def test_more_entries_take_more_buckets() -> None:
    """'a' … 'z' have the codes 97 … 122: 26 entries lie in 64 buckets, in their order."""
    letters = [chr(code) for code in range(97, 123)]
    assert list(as_java_orders(dict.fromkeys(reversed(letters), ""))) == letters
    few = ["a", "q", "b"]  # 97 and 113 share bucket 1 of 16, in the order given
    assert list(as_java_orders(dict.fromkeys(few, ""))) == ["a", "q", "b"]
