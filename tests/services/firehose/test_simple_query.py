"""Queries that only name fields are answered without jq, and exactly as jq answers them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.firehose.partitioning import (
    RecordNotPartitioned,
    compile_query,
    keys_from_jq,
    keys_from_query,
)
from services.firehose.simple_query import fields_of, simple_query

NAMES = st.sampled_from(["a", "b", "page", "_x1", "if"])
ANY_TEXT = st.text(st.characters(exclude_characters='"\\', min_codepoint=32), max_size=4)
STEPS = st.one_of(
    NAMES.map(".{}".format),
    ANY_TEXT.map('."{}"'.format),
    ANY_TEXT.map('.["{}"]'.format),
)
SPACES = st.sampled_from(["", " ", "\n", "\t "])
FIELDS = st.builds(
    "{}{}{}:{}{}{}".format,
    SPACES,
    st.one_of(NAMES, ANY_TEXT.map('"{}"'.format)),
    SPACES,
    SPACES,
    st.lists(STEPS, min_size=1, max_size=3).map("".join),
    SPACES,
)
QUERIES = st.builds("{}{{{}}}{}".format, SPACES, st.lists(FIELDS, max_size=3).map(",".join), SPACES)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(NAMES, ANY_TEXT), inner, max_size=4)
    ),
    max_leaves=12,
)
RECORDS = st.one_of(
    st.builds(
        lambda d, ascii: json.dumps(d, ensure_ascii=ascii).encode(), DOCUMENTS, st.booleans()
    ),
    DOCUMENTS.map(lambda d: json.dumps(d, indent=1).encode() + b"\n"),
    st.lists(DOCUMENTS.map(json.dumps), max_size=3).map(lambda texts: " ".join(texts).encode()),
    st.text(max_size=12).map(str.encode),
    st.binary(max_size=12),
)


def answer(ask: Any, query: str, data: bytes) -> Any:
    try:
        return ask(query, data)
    except RecordNotPartitioned as refused:
        return refused.error_code, str(refused)


@given(query=QUERIES, data=RECORDS)
@example(query="{p: .p}", data=b'{"p": -0}')
@example(query="{p: .p}", data=b'{"p": 1.0}')
@example(query="{p: .p}", data=b'{"p": 1e2}')
@example(query="{p: .p}", data=b'{"p": 9007199254740993}')
@example(query="{p: .p}", data=b'{"p": 1e400}')
@example(query="{p: .p}", data=b'{"p": NaN}')
@example(query="{p: .p}", data=b'{"p": "\\ud800"}')
@example(query="{p: .p}", data=b'{"p": "\\ud83d\\ude00"}')
@example(query="{p: .p}", data=b'{"p": "a\\u0000b"}')
@example(query="{p: .p}", data=b'{"p": 1, "p": 2}')
@example(query="{p: .p, p: .q}", data=b'{"p": 1, "q": 2}')
@example(query="{p: .p.q}", data=b'{"p": null}')
@example(query="{p: .p.q}", data=b'{"p": "text"}')
@example(query="{p: .p}", data=b'{"p": "first"} {"p": "second"}')
@example(query="{p: .p}", data=b'\xef\xbb\xbf{"p": "behind a byte order mark"}')
@example(query="{p: .p}", data=b'{"p": "x", "deep": ' + b"[" * 1000 + b"]" * 1000 + b"}")
@example(query="{p: .p}", data=b"[]")
@example(query="{}", data=b'{"p": 1}')
def test_the_short_way_answers_what_jq_answers(query: str, data: bytes) -> None:
    assert answer(keys_from_query, query, data) == answer(keys_from_jq, query, data)


@given(query=QUERIES)
def test_what_is_taken_for_simple_is_a_query_of_jq_s(query: str) -> None:
    if fields_of(query) is not None:
        compile_query(query)


def test_the_usual_query_and_the_usual_record_need_no_jq() -> None:
    keys = simple_query('{customer_id: .customer_id, "device": .type."device", on: .["on"]}')
    assert keys is not None
    data = b'{"customer_id": 7, "type": {"device": "mobile"}, "on": true, "price": 1.5}\n'
    assert keys(data) == {"customer_id": "7", "device": "mobile", "on": "true"}


@pytest.mark.parametrize(
    "query",
    [
        '{year: .event_timestamp|strftime("%Y")}',
        '{a: "\\(.x)"}',
        "{a}",
        "{a: .x[0]}",
        "{a: .x?}",
        "{a: .x // .y}",
        "{a: .x} | .b = 1",
        "{a: .x}, {b: .y}",
        ".a",
        "{a: .x # a comment\n}",
    ],
)
def test_whatever_does_more_is_left_to_jq(query: str) -> None:
    assert simple_query(query) is None
