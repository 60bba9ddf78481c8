"""Functions and streams of an engine under contract."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.engines import ContractEngine
from tests.services.awslambda.functions import package
from tests.waiting import OFTEN, wait_until

#: On AWS: a role that Lambda may assume, with rights on Kinesis, SQS and Logs. Elsewhere one is
#: made: moto, as AWS, makes no function with a role that is not there.
ROLE = os.environ.get("CONTRACT_LAMBDA_ROLE_ARN")
_ASSUMED_BY_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
PATIENCE_SECONDS = {"aws": 180.0, "riacho": 60.0}
OTHERS_PATIENCE_SECONDS = 15.0


@dataclass
class Functions:
    """Makes functions, streams and queues; everything is removed afterwards."""

    engine: ContractEngine
    made: list[str] = field(default_factory=list)
    mappings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = self.engine.client("lambda", read_timeout=60)
        self.kinesis = self.engine.client("kinesis")
        self.sqs = self.engine.client("sqs")
        self.role = ROLE or self._role("contract-lambda")

    def _role(self, name: str) -> str:
        iam, policy = self.engine.client("iam"), json.dumps(_ASSUMED_BY_LAMBDA)
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)
        return str(iam.get_role(RoleName=name)["Role"]["Arn"])

    @property
    def patience(self) -> float:
        return PATIENCE_SECONDS.get(self.engine.name, OTHERS_PATIENCE_SECONDS)

    def create(self, source: str, **settings: Any) -> str:
        """An active function whose `app.handler` is in `source`."""
        name = f"contract-{secrets.token_hex(6)}"
        wanted: dict[str, Any] = {
            "Runtime": "python3.13",
            "Role": self.role,
            "Handler": "app.handler",
            "Timeout": 10,
            "Code": {"ZipFile": package({"app.py": source})},
        }
        self.client.create_function(FunctionName=name, **(wanted | settings))
        self.made.append(name)
        wait_until(
            lambda: self.client.get_function_configuration(FunctionName=name)["State"] == "Active",
            self.patience,
        )
        return name

    def invoke(self, name: str, event: Any = None, **request: Any) -> tuple[Any, str | None]:
        """What came back, and the FunctionError."""
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event), **request)
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")

    def stream(self) -> tuple[str, str]:
        """A stream of one shard: its name and ARN."""
        name = f"contract-{secrets.token_hex(6)}"
        self.kinesis.create_stream(StreamName=name, ShardCount=1)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=OFTEN)
        found = self.kinesis.describe_stream_summary(StreamName=name)
        return name, found["StreamDescriptionSummary"]["StreamARN"]

    def queue(self) -> tuple[str, str]:
        """A queue: its URL and ARN."""
        url = self.sqs.create_queue(QueueName=f"contract-{secrets.token_hex(6)}")["QueueUrl"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    def map(self, function: str, stream_arn: str, **settings: Any) -> dict[str, Any]:
        wanted = {"StartingPosition": "TRIM_HORIZON", "MaximumRetryAttempts": 0}
        mapping: dict[str, Any] = self.client.create_event_source_mapping(
            FunctionName=function, EventSourceArn=stream_arn, **(wanted | settings)
        )
        self.mappings.append(mapping["UUID"])
        return mapping

    def put(self, stream: str, *data: str) -> list[str]:
        records = [{"Data": each.encode(), "PartitionKey": "k"} for each in data]
        answer = self.kinesis.put_records(StreamName=stream, Records=records)
        return [record["SequenceNumber"] for record in answer["Records"]]

    def message(self, url: str) -> Any:
        """The next message's content."""

        def receive() -> Any:
            found = self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")
            if not found:
                return None
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
            return found[0]

        return json.loads(wait_until(receive, self.patience)["Body"])

    def remove_all(self) -> None:
        for uuid in self.mappings:
            with contextlib.suppress(ClientError):
                self.client.delete_event_source_mapping(UUID=uuid)
        for name in self.made:
            with contextlib.suppress(ClientError):
                self.client.delete_function(FunctionName=name)


@pytest.fixture
def functions(contract_engine: ContractEngine) -> Iterator[Functions]:
    functions = Functions(contract_engine)
    yield functions
    functions.remove_all()
