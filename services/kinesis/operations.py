"""Every operation of the service, by name."""

from __future__ import annotations

from services.kinesis.operation import Operation
from services.kinesis.operations_on_consumers import OPERATIONS_ON_CONSUMERS
from services.kinesis.operations_on_records import OPERATIONS_ON_RECORDS
from services.kinesis.operations_on_shards import OPERATIONS_ON_SHARDS
from services.kinesis.operations_on_streams import OPERATIONS_ON_STREAMS
from services.kinesis.operations_on_tags import OPERATIONS_ON_TAGS

OPERATIONS: dict[str, Operation] = {
    **OPERATIONS_ON_STREAMS,
    **OPERATIONS_ON_SHARDS,
    **OPERATIONS_ON_RECORDS,
    **OPERATIONS_ON_CONSUMERS,
    **OPERATIONS_ON_TAGS,
}

#: They check the usual request in their own loop, and ask the service model only about others.
CHECKS_ITSELF = frozenset({"PutRecords", "PutRecord"})
