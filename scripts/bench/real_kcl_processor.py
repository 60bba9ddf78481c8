"""Run by Amazon's daemon, one process a shard: writes what it is given to $WORKER_OUTPUT."""

from __future__ import annotations

import time
from typing import Any

from amazon_kclpy import kcl  # type: ignore[import-not-found]
from amazon_kclpy.v3 import processor  # type: ignore[import-not-found]

from scripts.bench.worker_output import write, write_records


class Processor(processor.RecordProcessorBase):  # type: ignore[misc]
    """Writes, then checkpoints, about once a second."""

    def initialize(self, initialize_input: Any) -> None:
        self._shard_id = initialize_input.shard_id
        self._checkpointed = 0.0
        write(event="initialize", shard=self._shard_id)

    def process_records(self, process_records_input: Any) -> None:
        records = process_records_input.records
        data = [record.binary_data for record in records]
        write_records(self._shard_id, records, data)
        if time.time() - self._checkpointed > 1:
            self._checkpointed = time.time()
            self._checkpoint(process_records_input.checkpointer)

    def lease_lost(self, lease_lost_input: Any) -> None:
        write(event="lease_lost", shard=self._shard_id)

    def shard_ended(self, shard_ended_input: Any) -> None:
        write(event="shard_ended", shard=self._shard_id)
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        write(event="shutdown_requested", shard=self._shard_id)
        self._checkpoint(shutdown_requested_input.checkpointer)

    def _checkpoint(self, checkpointer: Any) -> None:
        try:
            checkpointer.checkpoint()
        except kcl.CheckpointError as error:
            write(event="refused", shard=self._shard_id, error=str(error.value))


if __name__ == "__main__":
    kcl.KCLProcess(Processor()).run()
