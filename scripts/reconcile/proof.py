"""One whole proof: the ledger against each sink, as a report that can be shown and kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from producer.ledger import stream_name_of
from scripts.reconcile.index import read_failed_documents, read_index
from scripts.reconcile.ledger import read_sent
from scripts.reconcile.reconciliation import Verdict, reconcile
from scripts.reconcile.sinks import Progress, read_raw_zone, read_rejected, read_table, silent
from services.opensearch.cluster import Cluster

#: Where proofs are kept in the lake's bucket; the dashboard shows them.
HISTORY_PREFIX = "reconcile/"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What was compared, and what came out. `rejected_rows` never entered the stream."""

    ledger: str
    stream_name: str
    acknowledged: int
    unconfirmed: int
    rejected_rows: int
    rejected_records: int
    verdicts: tuple[Verdict, ...]

    @property
    def adds_up(self) -> bool:
        return all(verdict.adds_up for verdict in self.verdicts)

    def as_json(self) -> dict[str, Any]:
        """Plain values; sums as decimal text."""
        plain: dict[str, Any] = orjson.loads(orjson.dumps(asdict(self), default=str))
        for verdict, facts in zip(self.verdicts, plain["verdicts"], strict=True):
            facts["adds_up"] = verdict.adds_up
        return {"adds_up": self.adds_up, **plain}


def prove(
    ledger: Path,
    *,
    s3: Any = None,
    bucket: str | None = None,
    prefix: str = "raw/",
    rejected_prefix: str = "rejected/",
    dynamodb: Any = None,
    table_name: str | None = None,
    cluster: Cluster | None = None,
    index_pattern: str | None = None,
    failed_prefix: str | None = None,
    progress: Progress = silent,
) -> Proof:
    """Compare the ledger with the lake (`bucket`), the table and the index, whichever are named.

    `failed_prefix` is where in the bucket Firehose backs up documents that OpenSearch refused.
    Raises producer.ledger.LedgerUnusable, FileNotFoundError, botocore's ClientError, SearchFailed.
    """
    sent = read_sent(ledger)
    stream_name = stream_name_of(ledger)
    rejected = read_rejected(s3, bucket, rejected_prefix, stream_name) if bucket else None
    holdings = []
    if bucket:
        lake = read_raw_zone(s3, bucket, prefix, stream_name, progress)
        holdings.append(("to_raw_zone", lake))
    if table_name:
        holdings.append(("to_dynamodb", read_table(dynamodb, table_name, progress)))
    refused: set[str] = set()
    if index_pattern and cluster:
        holdings.append(("to_opensearch", read_index(cluster, index_pattern, progress)))
        if bucket and failed_prefix is not None:
            refused = read_failed_documents(s3, bucket, failed_prefix)
    verdicts = []
    for destination, holding in holdings:
        aside = rejected.ids(destination, sent.places) if rejected else set()
        if destination == "to_opensearch":
            aside |= refused
        holding.rejected = len(aside)
        verdicts.append(
            reconcile(sent.acknowledged, holding, unconfirmed=sent.unconfirmed, set_aside=aside)
        )
    return Proof(
        ledger=str(ledger),
        stream_name=stream_name,
        acknowledged=len(sent.acknowledged.copies),
        unconfirmed=len(sent.unconfirmed.copies.keys() - sent.acknowledged.copies.keys()),
        rejected_rows=len(rejected.rows) if rejected else 0,
        rejected_records=rejected.records if rejected else 0,
        verdicts=tuple(verdicts),
    )


def keep(proof: Proof, s3: Any, bucket: str, now: float) -> str:
    """Add the proof to the history in the lake's bucket; its key."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
    key = f"{HISTORY_PREFIX}{proof.stream_name}/{stamp}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=orjson.dumps(proof.as_json()))
    return key
