"""What a course writes at first: one boto3 loop over all shards, without leases or checkpoints."""

from __future__ import annotations

import sys
import time

from scripts.bench.worker_output import write
from services.connect import connect


def main(endpoint_url: str, stream_name: str, idle_seconds: float = 0.025) -> None:
    kinesis = connect("kinesis", endpoint_url)
    shards = kinesis.list_shards(StreamName=stream_name)["Shards"]
    iterators = {
        shard["ShardId"]: kinesis.get_shard_iterator(
            StreamName=stream_name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for shard in shards
    }
    while True:
        found = False
        for shard_id, iterator in iterators.items():
            answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            iterators[shard_id] = answer["NextShardIterator"]
            if data := [record["Data"] for record in answer["Records"]]:
                found = True
                write(event="records", shard=shard_id, data=data)
        if not found:
            time.sleep(idle_seconds)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
