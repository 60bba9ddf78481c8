"""The templated targets: which call an ARN stands for. Clients are passed in.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from services.scheduler.invocation import Refusal, is_final

#: (service, region, account) to a boto3 client of this engine.
Clients = Callable[[str, str, str], Any]
#: (client, target, payload)
Call = Callable[[Any, Mapping[str, Any], str], None]


class TargetRefused(Exception):
    """The target did not take the payload."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.refusal = refusal


def send(clients: Clients, target: Mapping[str, Any], payload: str) -> None:
    """Call the target. Raises TargetRefused."""
    parts = str(target["Arn"]).split(":", 5)
    call = CALLS.get(parts[2]) if len(parts) == 6 else None
    if call is None:
        supported = ", ".join(CALLS)
        why = f"{target['Arn']} is no target of this engine, which calls {supported}."
        raise TargetRefused(Refusal("UnsupportedTarget", why, True))
    try:
        call(clients(parts[2], parts[3], parts[4]), target, payload)
    except ClientError as error:
        told = error.response["Error"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        final = is_final(told["Code"], status)
        raise TargetRefused(Refusal(told["Code"], told.get("Message", ""), final)) from error
    except (KeyError, BotoCoreError) as error:
        # Parameters that the target lacks, or that botocore does not let through.
        raise TargetRefused(Refusal("ValidationException", str(error), True)) from error


def send_dead_letter(
    clients: Clients, queue_arn: str, payload: str, attributes: dict[str, dict[str, str]]
) -> None:
    """Into the queue of a DeadLetterConfig. Raises ClientError."""
    region, account_id = queue_arn.split(":")[3:5]
    sqs = clients("sqs", region, account_id)
    url = _queue_url(sqs, queue_arn)
    sqs.send_message(QueueUrl=url, MessageBody=payload, MessageAttributes=attributes)


def _queue_url(sqs: Any, arn: str) -> str:
    account_id, name = arn.split(":")[4:6]
    return str(sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account_id)["QueueUrl"])


def _invoke(awslambda: Any, target: Mapping[str, Any], payload: str) -> None:
    awslambda.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=payload)


def _send_message(sqs: Any, target: Mapping[str, Any], payload: str) -> None:
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    fifo = {"MessageGroupId": group} if group else {}
    sqs.send_message(QueueUrl=_queue_url(sqs, target["Arn"]), MessageBody=payload, **fifo)


def _publish(sns: Any, target: Mapping[str, Any], payload: str) -> None:
    sns.publish(TopicArn=target["Arn"], Message=payload)


def _put_kinesis_record(kinesis: Any, target: Mapping[str, Any], payload: str) -> None:
    key = (target.get("KinesisParameters") or {})["PartitionKey"]
    kinesis.put_record(StreamARN=target["Arn"], Data=payload.encode(), PartitionKey=key)


def _put_firehose_record(firehose: Any, target: Mapping[str, Any], payload: str) -> None:
    name = str(target["Arn"]).partition("deliverystream/")[2]
    firehose.put_record(DeliveryStreamName=name, Record={"Data": payload.encode()})


def _put_event(events: Any, target: Mapping[str, Any], payload: str) -> None:
    told = target.get("EventBridgeParameters") or {}
    entry = {
        "EventBusName": target["Arn"],
        "DetailType": told["DetailType"],
        "Source": told["Source"],
        "Detail": payload,
    }
    answer = events.put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        failed = answer["Entries"][0]
        code = failed["ErrorCode"]
        refusal = Refusal(code, failed.get("ErrorMessage", ""), is_final(code, 400))
        raise TargetRefused(refusal)


#: By the ARN's service.
CALLS: dict[str, Call] = {
    "lambda": _invoke,
    "sqs": _send_message,
    "sns": _publish,
    "kinesis": _put_kinesis_record,
    "firehose": _put_firehose_record,
    "events": _put_event,
}
