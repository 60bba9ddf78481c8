"""Rows to the lake: gzip JSON lines by hour of arrival, each row in exactly one object."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import orjson

from consumers.kcl.errors import KclError
from consumers.kcl.extended_sequence_number import ExtendedSequenceNumber
from consumers.processors.object_store import ObjectStore
from consumers.processors.raw_zone_chain import Cut, CutLimits, Line, RawZoneChain
from consumers.processors.row import Rejection, Row

_LAST_SEQUENCE_NUMBER = "last-sequence-number"
_LAST_SUB_SEQUENCE_NUMBER = "last-sub-sequence-number"


class ForeignObject(KclError):
    """An object with a name of ours was not written by this program."""


class RawZone:
    """A Destination: `{prefix}year=…/month=…/day=…/hour=…/{stream}-{shard}-{first number}.json.gz`.

    One application per prefix; several shards and streams share it. How every row comes to lie in
    exactly one object, whatever is killed when, is told in `raw_zone_chain`.
    """

    name = "to_raw_zone"

    def __init__(
        self,
        store: ObjectStore,
        prefix: str = "raw/",
        limits: CutLimits | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._monotonic = monotonic
        self._chain = RawZoneChain(limits or CutLimits())
        self._stream_name = ""
        self._shard_id = ""

    def open(self, stream_name: str, shard_id: str) -> None:
        self._stream_name = stream_name
        self._shard_id = shard_id

    def reason_to_reject(self, row: Row) -> str | None:
        return None

    def store(self, rows: Sequence[Row], through: ExtendedSequenceNumber) -> Sequence[Rejection]:
        lines = [
            Line(row.record.position, row.record.approximate_arrival_timestamp, _text(row))
            for row in rows
        ]
        self._chain.add(lines, through, self._monotonic())
        self._write_due()
        return ()

    def flush(self) -> None:
        self._write_due(flush=True)

    def idle(self) -> None:
        self._write_due()

    @property
    def durable_through(self) -> ExtendedSequenceNumber | None:
        return self._chain.durable_through

    def close(self) -> None:
        """Nothing to give back: lines not written yet will come again to whoever has the shard."""

    def _write_due(self, *, flush: bool = False) -> None:
        while (cut := self._chain.next_cut(self._monotonic(), flush=flush)) is not None:
            self._chain.stored(self._write(cut))

    def _write(self, cut: Cut) -> ExtendedSequenceNumber:
        """Create the object. Returns its end: ours, or that of whoever was first."""
        key = object_key(self._prefix, self._stream_name, self._shard_id, cut.first)
        end = cut.last_position
        metadata = {
            _LAST_SEQUENCE_NUMBER: end.sequence_number,
            _LAST_SUB_SEQUENCE_NUMBER: str(end.sub_sequence_number),
            "records": str(len(cut.lines)),
        }
        # Level 1: half the time of the default for a few percent of size. No time of day inside,
        # so that equal lines give equal bytes.
        body = gzip.compress(b"".join(line.text for line in cut.lines), 1, mtime=0)
        if self._store.create(key, body, metadata):
            return end
        return self._end_of(key)

    def _end_of(self, key: str) -> ExtendedSequenceNumber:
        metadata = self._store.metadata(key)
        try:
            return ExtendedSequenceNumber(
                metadata[_LAST_SEQUENCE_NUMBER], int(metadata[_LAST_SUB_SEQUENCE_NUMBER])
            )
        except (KeyError, ValueError):
            raise ForeignObject(
                f"Object {key!r} has a name of the raw zone but does not say where it ends "
                f"(metadata {_LAST_SEQUENCE_NUMBER}); move it away or choose another prefix."
            ) from None


def object_key(prefix: str, stream_name: str, shard_id: str, first: Line) -> str:
    """Where the object beginning with `first` belongs."""
    return (
        f"{prefix}{hour_folder(first.arrived_at)}{stream_name}-{shard_id}-{first.position}.json.gz"
    )


def hour_folder(arrived_at: datetime) -> str:
    """`year=2026/month=07/day=01/hour=09/`, in UTC."""
    return arrived_at.astimezone(UTC).strftime("year=%Y/month=%m/day=%d/hour=%H/")


def _text(row: Row) -> bytes:
    """The record's own text as one line; written anew only when it spans several."""
    text = row.record.data.strip()
    if b"\n" in text or b"\r" in text:
        text = orjson.dumps(row.values)
    return text + b"\n"
