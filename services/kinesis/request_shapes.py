"""The service model's requests: every operation's members and their constraints.

From botocore's `kinesis/2013-12-02`, with the spelling of patterns and the order of choices that
AWS's messages show.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.kinesis.validation import Shape

MAX_PUT_RECORDS = 500
MAX_DATA_BYTES = 10 * 1024 * 1024
MAX_PARTITION_KEY = 256
METRICS = (
    "IncomingBytes",
    "OutgoingRecords",
    "IteratorAgeMilliseconds",
    "IncomingRecords",
    "ReadProvisionedThroughputExceeded",
    "WriteProvisionedThroughputExceeded",
    "OutgoingBytes",
    "ALL",
)


def _string(minimum: int = 1, maximum: int = 128, **rules: Any) -> Shape:
    return Shape(kind="String", minimum=minimum, maximum=maximum, **rules)


def _choice(*choices: str) -> Shape:
    return Shape(kind="String", choices=choices)


def _integer(minimum: int | None = None, maximum: int | None = None) -> Shape:
    return Shape(kind="Integer", minimum=minimum, maximum=maximum)


def _structure(required: str = "", /, **members: Shape) -> Shape:
    names = required.split()
    checked = {n: replace(s, required=n in names) for n, s in members.items()}
    return Shape(kind="Structure", members=checked)


_NAME = _string(pattern="[a-zA-Z0-9_.-]+")
_ARN = r"arn:aws.*:kinesis:.*:\d{12}:"
_STREAM_ARN = _string(maximum=2048, pattern=_ARN + r"stream/\S+")
_CONSUMER_ARN = _string(
    maximum=2048,
    pattern=r"^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+",
)
_STREAM_ID = _string(maximum=24, pattern="[a-z0-9]{20}-[a-z0-9]{3}")
_STREAM = {"StreamName": _NAME, "StreamARN": _STREAM_ARN, "StreamId": _STREAM_ID}
_RESOURCE = {
    "ResourceARN": _string(maximum=2048, pattern=_ARN + r".*(stream|channel|queue)/\S+"),
    "StreamId": _STREAM_ID,
}
_HASH_KEY = Shape(kind="String", pattern=r"0|([1-9]\d{0,38})")
_SEQUENCE_NUMBER = Shape(kind="String", pattern=r"0|([1-9]\d{0,128})")
_DATA = Shape(kind="Blob", minimum=0, maximum=MAX_DATA_BYTES)
_PARTITION_KEY = _string(maximum=MAX_PARTITION_KEY)
_BOOLEAN = Shape(kind="Boolean")
_TIMESTAMP = Shape(kind="Timestamp")
_NEXT_TOKEN = _string(maximum=1_048_576)
_TAGS = Shape(
    kind="Map",
    minimum=1,
    maximum=200,
    key_lengths=(1, 128),
    value_lengths=(0, 256),
    member=Shape(kind="String"),
)
_TAG_KEYS = Shape(
    kind="List", minimum=1, maximum=50, value_lengths=(1, 128), member=Shape(kind="String")
)
_MODE = _structure("StreamMode", StreamMode=_choice("PROVISIONED", "ON_DEMAND"))
_ITERATOR_TYPE = _choice(
    "AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"
)
_ENCRYPTION = {
    "EncryptionType": _choice("KMS", "NONE"),
    "KeyId": _string(maximum=2048),
}
_METRICS = Shape(kind="List", minimum=1, maximum=7, member=_choice(*METRICS))
_DISTRIBUTION = _choice("AUTO", "USER_PARTITION_KEY")
_MAX_RECORD_SIZE = _integer(1024, 10240)
_RETENTION = Shape(kind="Integer")
_SHARD_FILTER = _structure(
    "Type",
    Type=_choice(
        "AFTER_SHARD_ID",
        "AT_TRIM_HORIZON",
        "FROM_TRIM_HORIZON",
        "AT_LATEST",
        "AT_TIMESTAMP",
        "FROM_TIMESTAMP",
    ),
    ShardId=_NAME,
    Timestamp=_TIMESTAMP,
)
_STARTING_POSITION = _structure(
    "Type", Type=_ITERATOR_TYPE, SequenceNumber=_SEQUENCE_NUMBER, Timestamp=_TIMESTAMP
)
_PUT_ENTRY = _structure("Data", Data=_DATA, ExplicitHashKey=_HASH_KEY, PartitionKey=_PARTITION_KEY)
_PUT_ENTRIES = Shape(
    kind="List", minimum=1, maximum=MAX_PUT_RECORDS, member=_PUT_ENTRY, hidden=True
)
_CONSUMER = {
    "StreamARN": _STREAM_ARN,
    "ConsumerName": _NAME,
    "ConsumerARN": _CONSUMER_ARN,
    "StreamId": _STREAM_ID,
}
_COMMITMENT = _structure("Status", Status=_choice("ENABLED", "DISABLED"))

REQUEST_SHAPES: dict[str, Shape] = {
    "AddTagsToStream": _structure("Tags", **_STREAM, Tags=_TAGS),
    "CreateStream": _structure(
        "StreamName",
        StreamName=_NAME,
        ShardCount=_integer(1),
        StreamModeDetails=_MODE,
        Tags=_TAGS,
        WarmThroughputMiBps=_integer(0),
        MaxRecordSizeInKiB=_MAX_RECORD_SIZE,
        RecordDistributionStrategy=_DISTRIBUTION,
    ),
    "DecreaseStreamRetentionPeriod": _structure(
        "RetentionPeriodHours", **_STREAM, RetentionPeriodHours=_RETENTION
    ),
    "DeleteResourcePolicy": _structure("ResourceARN", **_RESOURCE),
    "DeleteStream": _structure(**_STREAM, EnforceConsumerDeletion=_BOOLEAN),
    "DeregisterStreamConsumer": _structure(**_CONSUMER),
    "DescribeAccountSettings": _structure(),
    "DescribeLimits": _structure(),
    "DescribeStream": _structure(**_STREAM, Limit=_integer(1, 10_000), ExclusiveStartShardId=_NAME),
    "DescribeStreamConsumer": _structure(**_CONSUMER),
    "DescribeStreamSummary": _structure(**_STREAM),
    "DisableEnhancedMonitoring": _structure(
        "ShardLevelMetrics", **_STREAM, ShardLevelMetrics=_METRICS
    ),
    "EnableEnhancedMonitoring": _structure(
        "ShardLevelMetrics", **_STREAM, ShardLevelMetrics=_METRICS
    ),
    "GetRecords": _structure(
        "ShardIterator",
        ShardIterator=_string(maximum=512),
        Limit=_integer(1, 10_000),
        StreamARN=_STREAM_ARN,
        StreamId=_STREAM_ID,
        DryRun=_BOOLEAN,
    ),
    "GetResourcePolicy": _structure("ResourceARN", **_RESOURCE),
    "GetShardIterator": _structure(
        "ShardId ShardIteratorType",
        **_STREAM,
        ShardId=_NAME,
        ShardIteratorType=_ITERATOR_TYPE,
        StartingSequenceNumber=_SEQUENCE_NUMBER,
        Timestamp=_TIMESTAMP,
        DryRun=_BOOLEAN,
    ),
    "IncreaseStreamRetentionPeriod": _structure(
        "RetentionPeriodHours", **_STREAM, RetentionPeriodHours=_RETENTION
    ),
    "ListShards": _structure(
        **_STREAM,
        NextToken=_NEXT_TOKEN,
        ExclusiveStartShardId=_NAME,
        MaxResults=_integer(1, 10_000),
        StreamCreationTimestamp=_TIMESTAMP,
        ShardFilter=_SHARD_FILTER,
    ),
    "ListStreamConsumers": _structure(
        "StreamARN",
        StreamARN=_STREAM_ARN,
        StreamId=_STREAM_ID,
        NextToken=_NEXT_TOKEN,
        MaxResults=_integer(1, 10_000),
        StreamCreationTimestamp=_TIMESTAMP,
    ),
    "ListStreams": _structure(
        Limit=_integer(1, 10_000), ExclusiveStartStreamName=_NAME, NextToken=_NEXT_TOKEN
    ),
    "ListTagsForResource": _structure("ResourceARN", **_RESOURCE),
    "ListTagsForStream": _structure(
        **_STREAM, ExclusiveStartTagKey=_string(), Limit=_integer(1, 50)
    ),
    "MergeShards": _structure(
        "ShardToMerge AdjacentShardToMerge",
        **_STREAM,
        ShardToMerge=_NAME,
        AdjacentShardToMerge=_NAME,
    ),
    "PutRecord": _structure(
        "Data",
        **_STREAM,
        Data=_DATA,
        PartitionKey=_PARTITION_KEY,
        ExplicitHashKey=_HASH_KEY,
        SequenceNumberForOrdering=_SEQUENCE_NUMBER,
        DryRun=_BOOLEAN,
    ),
    "PutRecords": _structure("Records", **_STREAM, Records=_PUT_ENTRIES, DryRun=_BOOLEAN),
    "PutResourcePolicy": _structure("ResourceARN Policy", **_RESOURCE, Policy=Shape(kind="String")),
    "RegisterStreamConsumer": _structure(
        "StreamARN ConsumerName",
        StreamARN=_STREAM_ARN,
        ConsumerName=_NAME,
        StreamId=_STREAM_ID,
        Tags=_TAGS,
    ),
    "RemoveTagsFromStream": _structure("TagKeys", **_STREAM, TagKeys=_TAG_KEYS),
    "SplitShard": _structure(
        "ShardToSplit NewStartingHashKey",
        **_STREAM,
        ShardToSplit=_NAME,
        NewStartingHashKey=_HASH_KEY,
    ),
    "StartStreamEncryption": _structure("EncryptionType KeyId", **_STREAM, **_ENCRYPTION),
    "StopStreamEncryption": _structure("EncryptionType KeyId", **_STREAM, **_ENCRYPTION),
    "SubscribeToShard": _structure(
        "ConsumerARN ShardId StartingPosition",
        ConsumerARN=_CONSUMER_ARN,
        StreamId=_STREAM_ID,
        ShardId=_NAME,
        StartingPosition=_STARTING_POSITION,
        DryRun=_BOOLEAN,
    ),
    "TagResource": _structure("Tags ResourceARN", **_RESOURCE, Tags=_TAGS),
    "UntagResource": _structure("TagKeys ResourceARN", **_RESOURCE, TagKeys=_TAG_KEYS),
    "UpdateAccountSettings": _structure(
        "MinimumThroughputBillingCommitment", MinimumThroughputBillingCommitment=_COMMITMENT
    ),
    "UpdateMaxRecordSize": _structure(
        "MaxRecordSizeInKiB", **_STREAM, MaxRecordSizeInKiB=_MAX_RECORD_SIZE
    ),
    "UpdateShardCount": _structure(
        "TargetShardCount ScalingType",
        **_STREAM,
        TargetShardCount=_integer(1),
        ScalingType=_choice("UNIFORM_SCALING"),
    ),
    "UpdateStreamMode": _structure(
        "StreamARN StreamModeDetails",
        StreamARN=_STREAM_ARN,
        StreamId=_STREAM_ID,
        StreamModeDetails=_MODE,
        WarmThroughputMiBps=_integer(0),
    ),
    "UpdateStreamRecordDistributionStrategy": _structure(
        "StreamARN RecordDistributionStrategy",
        StreamARN=_STREAM_ARN,
        StreamId=_STREAM_ID,
        RecordDistributionStrategy=_DISTRIBUTION,
    ),
    "UpdateStreamWarmThroughput": _structure(
        "WarmThroughputMiBps", **_STREAM, WarmThroughputMiBps=_integer(0)
    ),
}
