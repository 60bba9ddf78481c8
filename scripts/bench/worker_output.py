"""What the workers of a bench or a test write: one JSON line for each call of their processor."""

from __future__ import annotations

import json
import os
import time
from typing import Any


def write(**event: Any) -> None:
    """One line in $WORKER_OUTPUT. Where $WORKER_WRITES is `delays`, not the `data` of the records
    but how many there are and how long they were under way."""
    data = event.pop("data", None)
    now = time.time()
    if data is not None and writes_delays():
        event |= {"n": len(data), "delays": _delays(data, now)}
    elif data is not None:
        event["data"] = [datum.decode() for datum in data]
    with open(os.environ["WORKER_OUTPUT"], "a") as output:
        output.write(json.dumps({"t": now} | event) + "\n")


def writes_delays() -> bool:
    return os.environ.get("WORKER_WRITES") == "delays"


def write_records(shard_id: str, records: Any, data: list[bytes]) -> None:
    """A batch: with keys and places unless only delays are asked for."""
    if writes_delays():
        write(event="records", shard=shard_id, data=data)
        return
    keys = [record.partition_key for record in records]
    subs = [record.sub_sequence_number for record in records]
    write(event="records", shard=shard_id, keys=keys, data=data, subs=subs)


def _delays(data: list[bytes], now: float) -> list[float]:
    """Of at most a hundred records that begin with `t=<seconds>;`."""
    stamped = (datum for datum in data[:100] if datum.startswith(b"t="))
    return [round(now - float(datum[2 : datum.index(b";")]), 5) for datum in stamped]
