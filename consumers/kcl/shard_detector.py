"""Asks Kinesis for a stream's shards."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from consumers.kcl.errors import InconsistentShards, StreamNotFound
from consumers.kcl.extended_sequence_number import AT_TIMESTAMP, LATEST
from consumers.kcl.settings import SchedulerSettings
from consumers.kcl.shard import Shard

#: Answers that pass by themselves: the stream is being changed, or everybody asks at once.
_PASSING = ("LimitExceededException", "ResourceInUseException", "ThrottlingException")


class ShardDetector:
    """ListShards of one stream, with retries."""

    def __init__(
        self,
        kinesis: Any,
        stream_name: str,
        settings: SchedulerSettings,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._kinesis = kinesis
        self._stream_name = stream_name
        self._settings = settings
        self._sleep = sleep

    def list_shards(self) -> list[Shard]:
        """All shards that are still readable. Raises StreamNotFound, InconsistentShards."""
        return self._list({})

    def list_shards_at_initial_position(self) -> list[Shard]:
        """The shards to begin with, by ListShards' filter for the initial position."""
        position = self._settings.initial_position_in_stream
        shard_filter: dict[str, str | datetime | None]
        if position == AT_TIMESTAMP:
            timestamp = self._settings.initial_position_timestamp
            shard_filter = {"Type": "AT_TIMESTAMP", "Timestamp": timestamp}
        else:
            shard_filter = {"Type": "AT_LATEST" if position == LATEST else "AT_TRIM_HORIZON"}
        return self._list({"ShardFilter": shard_filter})

    def _list(self, extra: dict[str, Any]) -> list[Shard]:
        shards: list[Shard] = []
        request: dict[str, Any] = {"StreamName": self._stream_name} | extra
        while True:
            answer = self._ask(request)
            shards += [Shard.of(told) for told in answer["Shards"]]
            if not answer.get("NextToken"):
                return shards
            request = {"NextToken": answer["NextToken"]}

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        for _ in range(self._settings.list_shards_attempts):
            try:
                answer: dict[str, Any] = self._kinesis.list_shards(**request)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ResourceNotFoundException":
                    raise StreamNotFound(
                        f"Stream {self._stream_name!r} does not exist: "
                        f"{error.response['Error'].get('Message', '')}"
                    ) from None
                if code not in _PASSING:
                    raise
                self._sleep(self._settings.list_shards_backoff_time_millis / 1000)
            else:
                return answer
        raise InconsistentShards(
            f"The shards of stream {self._stream_name!r} could not be listed in "
            f"{self._settings.list_shards_attempts} attempts."
        )
