"""The engine's Firehose, wired: folder, clock, clients, the stream engine."""

from __future__ import annotations

import shutil

from services.firehose.delivery_stream import DeliveryStream
from services.firehose.delivery_streams import DeliveryStreams
from services.firehose.destinations.selection import ClientOf
from services.firehose.kinesis_source import KinesisSource
from services.kinesis.kinesis import make_kinesis
from services.localstack.running import Running


def make_firehose(running: Running, client_of: ClientOf) -> DeliveryStreams:
    """Delivery streams in the data folder, going on where a former engine stopped."""
    folder = running.settings.data_dir / "firehose"
    if running.settings.stream_storage == "memory":
        # Whoever asks for memory wants nothing of a former engine.
        shutil.rmtree(folder, ignore_errors=True)

    def source_of(stream: DeliveryStream, stream_arn: str, start_at: float) -> KinesisSource:
        kinesis = running.core("kinesis", make_kinesis)
        return KinesisSource(stream, stream_arn, start_at, kinesis, running.clock)

    sync = running.settings.stream_sync == "always"
    streams = DeliveryStreams(folder, running.clock, client_of, source_of, sync=sync)
    streams.start()
    running.clock.when_moved(streams.nudge)
    return streams
