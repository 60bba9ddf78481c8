"""The producer's settings: the names, defaults and ranges of the Kinesis Producer Library.

https://github.com/awslabs/amazon-kinesis-producer, KinesisProducerConfiguration.java
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

MAX_PUT_RECORDS_BYTES = 10 * 1024 * 1024  # PutRecords, partition keys included
MAX_PUT_RECORDS_COUNT = 500

_MAY_BE_NONE = frozenset({"rate_limit", "record_ttl"})


def _limited(default: Any, lowest: int, highest: int) -> Any:
    return dataclasses.field(default=default, metadata={"range": (lowest, highest)})


def _one_of(default: str, *words: str) -> Any:
    return dataclasses.field(default=default, metadata={"words": words})


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """How a KinesisProducer batches, sends and retries. Times are milliseconds, sizes bytes.

    Raises ValueError naming setting, value and accepted range.
    """

    #: Pack several user records of one shard into one Kinesis record.
    aggregation_enabled: bool = True
    #: User records in one Kinesis record.
    aggregation_max_count: int = _limited(4_294_967_295, 1, 2**63 - 1)
    #: Bytes of one aggregated Kinesis record; larger user records go alone.
    aggregation_max_size: int = _limited(51_200, 64, MAX_PUT_RECORDS_BYTES)
    #: Kinesis records in one PutRecords.
    collection_max_count: int = _limited(500, 1, MAX_PUT_RECORDS_COUNT)
    #: Bytes in one PutRecords, partition keys included.
    collection_max_size: int = _limited(5_242_880, 52_224, MAX_PUT_RECORDS_BYTES)
    #: How long a record may wait for company.
    record_max_buffered_time: int = _limited(100, 0, 2**63 - 1)
    #: When a record that is still not stored is given up with the code `Expired`; None: never.
    record_ttl: int | None = _limited(30_000, 100, 2**63 - 1)
    #: How much of a shard's 1 MiB and 1,000 records a second this producer may use, in percent;
    #: None: no limit of its own (against an engine that has none either).
    rate_limit: int | None = _limited(150, 1, 2**63 - 1)
    #: PutRecords calls at the same time. (The KPL opens up to 24; Python threads gain from few.)
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
    #: Which metrics are kept: `none`, `summary` or `detailed`.
    metrics_level: str = _one_of("detailed", "none", "summary", "detailed")
    #: The finest dimension of the metrics: `global`, `stream` or `shard`.
    metrics_granularity: str = _one_of("shard", "global", "stream", "shard")
    #: The CloudWatch namespace, and how often metrics are uploaded there.
    metrics_namespace: str = "KinesisProducerLibrary"
    metrics_upload_delay: int = _limited(60_000, 1, 2**63 - 1)

    def __post_init__(self) -> None:
        for setting in dataclasses.fields(self):
            value, rules = getattr(self, setting.name), setting.metadata
            if "range" in rules and not (value is None and setting.name in _MAY_BE_NONE):
                _check_range(setting, value)
            elif "words" in rules and value not in rules["words"]:
                words = ", ".join(rules["words"])
                raise ValueError(f"{setting.name} is {value!r}; it must be one of: {words}.")


def _check_range(setting: dataclasses.Field[Any], value: Any) -> None:
    lowest, highest = setting.metadata["range"]
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise ValueError(
            f"{setting.name} is {value!r}; it must be a whole number from {lowest} to {highest}."
        )


#: One Kinesis record for each user record, as fast as the engine takes them: for streams that are
#: read by something that does not unpack aggregates, on an engine without shard quotas.
PLAIN = Configuration(aggregation_enabled=False, rate_limit=None)
