"""A KCLPY record processor that writes what it sees to `KCL_EVENTS`, a JSON line per event."""

from __future__ import annotations

import json
import os
from typing import Any

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor


def note(event: str, **fields: Any) -> None:
    with open(os.environ["KCL_EVENTS"], "a") as events:
        events.write(json.dumps({"event": event, "process": os.getpid(), **fields}) + "\n")


class Processor(processor.RecordProcessorBase):  # type: ignore[misc]
    """Checkpoints after every batch."""

    def initialize(self, initialize_input: Any) -> None:
        self.shard = initialize_input.shard_id
        note("initialize", shard=self.shard, sequence_number=initialize_input.sequence_number)

    def process_records(self, process_records_input: Any) -> None:
        for record in process_records_input.records:
            note(
                "record",
                shard=self.shard,
                key=record.partition_key,
                data=record.binary_data.decode("latin-1"),
                sequence_number=record.sequence_number,
                sub_sequence_number=record.sub_sequence_number,
            )
        if process_records_input.records:
            process_records_input.checkpointer.checkpoint()
            note("checkpoint", shard=self.shard)

    def lease_lost(self, lease_lost_input: Any) -> None:
        note("lease_lost", shard=self.shard)

    def shard_ended(self, shard_ended_input: Any) -> None:
        shard_ended_input.checkpointer.checkpoint()
        note("shard_ended", shard=self.shard)

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        shutdown_requested_input.checkpointer.checkpoint()
        note("shutdown_requested", shard=self.shard)


if __name__ == "__main__":
    kcl.KCLProcess(Processor()).run()
