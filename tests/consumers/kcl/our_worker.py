"""One of our workers as a process: worker, endpoint, stream, application."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
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
from services.connect import connect


def write(**event: Any) -> None:
    line = json.dumps({"t": time.time()} | event) + "\n"
    with open(os.environ["WORKER_OUTPUT"], "a") as output:
        output.write(line)


class Processor:
    """Writes, then checkpoints, about once a second."""

    def initialize(self, initialization_input: InitializationInput) -> None:
        self._shard_id = initialization_input.shard_id
        self._checkpointed = 0.0
        write(event="initialize", shard=self._shard_id)

    def process_records(self, process_records_input: ProcessRecordsInput) -> None:
        if data := [record.data.decode() for record in process_records_input.records]:
            write(event="records", shard=self._shard_id, data=data)
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


def main(worker_id: str, endpoint_url: str, stream_name: str, application_name: str) -> None:
    factory: Callable[[], Processor] = Processor
    run_worker(
        application_name,
        stream_name,
        factory,
        kinesis=connect("kinesis", endpoint_url),
        dynamodb=connect("dynamodb", endpoint_url),
        worker_id=worker_id,
        settings=replace(LOCAL, failover_time_millis=3_000),
    )


if __name__ == "__main__":
    main(*sys.argv[1:5])
