"""DynamoDB without Java: moto behind one lock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from botocore.exceptions import ClientError

from services.connect import connect
from services.localstack.engine import start
from services.localstack.processes import descendants
from services.settings import Settings


def test_of_many_conditional_writes_at_once_exactly_one_wins(tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=tmp_path, stream_storage="memory", dynamodb="light")
    with start(settings) as engine:
        dynamodb = connect("dynamodb", engine.endpoint_url)
        dynamodb.create_table(
            TableName="leases",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )

        def take(worker: int) -> bool:
            try:
                dynamodb.put_item(
                    TableName="leases",
                    Item={"pk": {"S": "lease"}, "taker": {"N": str(worker)}},
                    ConditionExpression="attribute_not_exists(pk)",
                )
            except ClientError:
                return False
            return True

        with ThreadPoolExecutor(8) as workers:
            assert sum(workers.map(take, range(24))) == 1
        assert dynamodb.scan(TableName="leases")["Count"] == 1
        assert descendants(engine.pid) == []
