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

#: Of the service model, but for services that are not here: queues and channels of 2026.
NOT_BUILT = (
    "AcknowledgeDeadLetterQueueRecords",
    "AcknowledgeQueueRecords",
    "CreateChannel",
    "CreateQueue",
    "DeleteChannel",
    "DeleteQueue",
    "DescribeChannel",
    "DescribeQueue",
    "ListChannels",
    "ListQueues",
    "ReceiveDeadLetterQueueRecords",
    "ReceiveQueueRecords",
    "RestoreDeadLetterQueueRecords",
    "UpdateChannel",
    "UpdateDeadLetterQueueRecordsVisibility",
    "UpdateQueue",
    "UpdateQueueRecordsVisibility",
)

#: They check the usual request in their own loop, and ask the service model only about others.
CHECKS_ITSELF = frozenset({"PutRecords", "PutRecord"})
