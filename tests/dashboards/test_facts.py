"""What the pages show, from AWS's shapes."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.facts import messages, proofs
from dashboards.facts.flow import Edge, Flow, Node, as_dot, edge_label
from dashboards.facts.lake import preview_of
from dashboards.facts.streams import SHOWN_CHARACTERS, adjacent_pairs, lease, readable, shard_bars


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"a":\n 1}', '{"a": 1}'),
        ("ação".encode(), "ação"),
        (b"tab\tand\x00nul", "tab·and·nul"),
        (b"\xff\xfe", "base64://4="),
        (b"", ""),
    ],
)
def test_a_record_is_readable_whatever_it_is(data: bytes, text: str) -> None:
    assert readable(data) == text


def test_a_megabyte_is_cut() -> None:
    assert len(readable(b"x" * (1 << 20))) <= SHOWN_CHARACTERS + 2
    assert len(readable(b"\xff" * (1 << 20))) <= SHOWN_CHARACTERS + 2


@given(st.binary(max_size=200), st.sampled_from(["a.json.gz", "a.csv", "a.parquet", "a"]))
def test_no_object_whatever_breaks_its_preview(content: bytes, key: str) -> None:
    preview = preview_of(content, key, is_cut=bool(len(content) % 2))
    assert preview.rows is None or len(preview.rows) >= 0


def test_previews_show_rows_of_json_csv_and_parquet() -> None:
    events = [{"a": 1, "b": "x"}, {"a": 2}]
    lines = "".join(json.dumps(event) + "\n" for event in events).encode()
    two_members = gzip.compress(lines) + gzip.compress(lines)
    rows = preview_of(two_members, "x.gz").rows
    assert rows is not None
    assert rows["a"].tolist() == [1, 2, 1, 2]
    rows = preview_of(b"a,b\r\n1,x\r\n", "x.csv").rows
    assert rows is not None
    assert rows.to_dict("records") == [{"a": "1", "b": "x"}]
    sink = io.BytesIO()
    pd.DataFrame({"a": [1, 2]}).to_parquet(sink)
    rows = preview_of(sink.getvalue(), "x.parquet").rows
    assert rows is not None
    assert rows["a"].tolist() == [1, 2]


def test_what_is_stuck_is_red_and_names_cannot_break_the_picture() -> None:
    nodes = (
        Node("stream:a", "stream", 'quo"te', "ACTIVE", "2 shards"),
        Node("alarm:b", "alarm", "b", "ALARM"),
    )
    late = Edge("stream:a", "alarm:b", 2.5, 301.0)
    text = as_dot(Flow(nodes, (late,)))
    assert 'quo\\"te' in text
    assert text.count("#c62828") == 3
    assert edge_label(late) == "2.5/s · 301 s late"
    assert "#c62828" not in as_dot(Flow(nodes[:1], (Edge("stream:a", "stream:a", 1.0, 5.0),)))


def test_only_open_neighbours_can_be_merged() -> None:
    def shard(number: int, start: int, end: int, closed: bool = False) -> dict[str, Any]:
        ended = {"EndingSequenceNumber": "2"} if closed else {}
        return {
            "ShardId": f"shardId-{number:012d}",
            "HashKeyRange": {"StartingHashKey": str(start), "EndingHashKey": str(end)},
            "SequenceNumberRange": {"StartingSequenceNumber": "1"} | ended,
        }

    quarter = 2**126
    shards = [shard(i, i * quarter, (i + 1) * quarter - 1, closed=i == 2) for i in range(4)]
    assert adjacent_pairs(shard_bars(shards)) == [("shardId-000000000000", "shardId-000000000001")]


def test_a_message_of_a_topic_is_unwrapped() -> None:
    envelope = {
        "Type": "Notification",
        "TopicArn": "arn:aws:sns:us-east-1:000000000000:CadabraAlarms",
        "Subject": "ALARM",
        "Message": "too many",
        "Timestamp": "2024-01-31T05:06:07.000Z",
    }
    found = messages.message({"MessageId": "1", "Body": json.dumps(envelope)})
    assert (found.topic, found.subject, found.text) == ("CadabraAlarms", "ALARM", "too many")
    assert messages.message({"MessageId": "2", "Body": "[1]"}).text == "[1]"


def test_a_proof_has_a_moment_and_plain_rows() -> None:
    assert proofs.moment_of("reconcile/s/2024-01-31T05-06-07.1Z.json") == "2024-01-31 05:06:07"
    verdicts = [{"sink": "lake", "stored": 1, "missing_ids": ["a"]}]
    assert proofs.verdict_rows({"verdicts": verdicts}) == [{"sink": "lake", "stored": 1}]


def test_a_lease_is_read_from_kcls_item() -> None:
    item = {"leaseKey": {"S": "shardId-0"}, "leaseCounter": {"N": "7"}}
    assert lease("app", item).counter == 7
    assert lease("app", item).owner == ""
