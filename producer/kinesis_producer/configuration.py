"""The producer's settings: the names, defaults and ranges of the Kinesis Producer Library.

https://github.com/awslabs/amazon-kinesis-producer, KinesisProducerConfiguration.java
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

MAX_PUT_RECORDS_BYTES = 10 * 1024 * 1024  # PutRecords, partition keys included
MAX_PUT_RECORDS_COUNT = 500


def _limited(default: Any, lowest: int, highest: int) -> Any:
    return dataclasses.field(default=default, metadata={"range": (lowest, highest)})


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """How a KinesisProducer batches, sends and retries. Times are milliseconds, sizes bytes.

    Raises ValueError naming setting, value and accepted range.
    """

    #: Kinesis records in one PutRecords.
    collection_max_count: int = _limited(500, 1, MAX_PUT_RECORDS_COUNT)
    #: Bytes in one PutRecords, partition keys included.
    collection_max_size: int = _limited(5_242_880, 52_224, MAX_PUT_RECORDS_BYTES)
    #: How long a record may wait for company.
    record_max_buffered_time: int = _limited(100, 0, 2**63 - 1)
    #: When a record that is still not stored is given up with the code `Expired`; None: never.
    record_ttl: int | None = _limited(30_000, 100, 2**63 - 1)
    #: PutRecords calls at the same time.
    max_connections: int = _limited(4, 1, 256)
    #: Give a throttled record up at once instead of trying again.
    fail_if_throttled: bool = False
    #: The largest user record, its partition key included; the stream's own limit is 1 MiB unless
    #: UpdateMaxRecordSize raised it.
    max_record_size: int = _limited(1_048_576, 1, MAX_PUT_RECORDS_BYTES)
    #: `add` blocks while what is not yet answered takes more than this.
    max_buffered_bytes: int = _limited(32 * 1024 * 1024, 1, 2**63 - 1)
    #: The wait before a second attempt, doubled for each further one, with full jitter.
    retry_initial_backoff: int = _limited(100, 1, 60_000)
    retry_max_backoff: int = _limited(10_000, 1, 600_000)

    def __post_init__(self) -> None:
        for setting in dataclasses.fields(self):
            value = getattr(self, setting.name)
            if "range" in setting.metadata and value is not None:
                lowest, highest = setting.metadata["range"]
                if not isinstance(value, int) or not lowest <= value <= highest:
                    raise ValueError(
                        f"{setting.name} is {value!r}; it must be a whole number "
                        f"from {lowest} to {highest}."
                    )
