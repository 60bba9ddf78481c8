"""One of our workers as a process: name, endpoint, stream, application, settings=value …"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Any

from consumers.kcl import (
    LOCAL,
    InitializationInput,
    LeaseLostInput,
    ProcessRecordsInput,
    ShardEndedInput,
    ShutdownRequestedInput,
)
from consumers.run_worker import run_worker
from scripts.bench.worker_output import write, write_records
from services.connect import connect


class Processor:
    """Writes, then checkpoints, about once a second."""

    def initialize(self, initialization_input: InitializationInput) -> None:
        self._shard_id = initialization_input.shard_id
        self._checkpointed = 0.0
        write(event="initialize", shard=self._shard_id)

    def process_records(self, process_records_input: ProcessRecordsInput) -> None:
        if data := [record.data for record in process_records_input.records]:
            write_records(self._shard_id, process_records_input.records, data)
        if time.time() - self._checkpointed > 1:
            self._checkpointed = time.time()
            process_records_input.checkpointer.checkpoint()

    def lease_lost(self, lease_lost_input: LeaseLostInput) -> None:
        write(event="lease_lost", shard=self._shard_id)

    def shard_ended(self, shard_ended_input: ShardEndedInput) -> None:
        write(event="shard_ended", shard=self._shard_id)
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input: ShutdownRequestedInput) -> None:
        write(event="shutdown_requested", shard=self._shard_id)
        shutdown_requested_input.checkpointer.checkpoint()


def main(
    worker_id: str, endpoint_url: str, stream_name: str, application_name: str, *more: str
) -> None:
    given = dict(setting.split("=", 1) for setting in more)
    settings: dict[str, Any] = {k: int(v) if v.isdigit() else v for k, v in given.items()}
    run_worker(
        application_name,
        stream_name,
        Processor,
        kinesis=connect("kinesis", endpoint_url),
        dynamodb=connect("dynamodb", endpoint_url),
        worker_id=worker_id,
        settings=replace(LOCAL, **settings),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
