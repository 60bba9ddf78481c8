"""Alarms, what topics sent, and what ended in dead-letter queues."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from dashboards.aws import error_code
from dashboards.facts.metrics import Metric

#: The queue that the page subscribes to topics: an inbox that anybody may read on AWS, too.
INBOX = "riacho-dashboard-inbox"
READ_AT_ONCE = 10


@dataclass(frozen=True)
class Message:
    """One message of the inbox or of a dead-letter queue."""

    message_id: str
    topic: str
    subject: str
    text: str
    sent: str


@dataclass(frozen=True)
class DeadLetters:
    """A queue that another queue, a function or a mapping sends its failures to."""

    name: str
    url: str
    waiting: int


def read_alarms(cloudwatch: Any) -> list[dict[str, Any]]:
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def metric_of(alarm: dict[str, Any]) -> Metric | None:
    """What an alarm watches; None for one over an expression. Pure."""
    if "MetricName" not in alarm:
        return None
    dimensions = tuple((d["Name"], d["Value"]) for d in alarm.get("Dimensions", []))
    statistic = alarm.get("Statistic") or alarm.get("ExtendedStatistic") or "Average"
    return Metric(alarm["Namespace"], alarm["MetricName"], dimensions, statistic)


def topic_arns(sns: Any) -> list[str]:
    pages = sns.get_paginator("list_topics").paginate()
    return [topic["TopicArn"] for page in pages for topic in page["Topics"]]


def open_inbox(sns: Any, sqs: Any, topic_arn: str) -> None:
    """Subscribe the inbox's queue to a topic; twice does no harm."""
    url = sqs.create_queue(QueueName=INBOX)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=attributes["QueueArn"])


def inbox_topics(sns: Any) -> list[str]:
    """The topics that the inbox listens to."""
    pages = sns.get_paginator("list_subscriptions").paginate()
    return [
        subscription["TopicArn"]
        for page in pages
        for subscription in page["Subscriptions"]
        if subscription["Endpoint"].endswith(f":{INBOX}")
    ]


def read_inbox(sqs: Any) -> list[Message]:
    """The inbox's messages; reading leaves them there."""
    try:
        url = sqs.get_queue_url(QueueName=INBOX)["QueueUrl"]
    except ClientError as error:
        if error_code(error).endswith("NonExistentQueue") or "QueueDoesNotExist" in str(error):
            return []
        raise
    return peek(sqs, url)


def peek(sqs: Any, url: str, most: int = 50) -> list[Message]:
    """Messages of a queue without taking them: they are visible again at once."""
    found: dict[str, Message] = {}
    for _ in range(most // READ_AT_ONCE):
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=READ_AT_ONCE, VisibilityTimeout=0, WaitTimeSeconds=0
        )
        new = [message(facts) for facts in answer.get("Messages", [])]
        fresh = [item for item in new if item.message_id not in found]
        found |= {item.message_id: item for item in fresh}
        if not fresh:
            break
    return sorted(found.values(), key=lambda item: item.sent, reverse=True)


def message(facts: dict[str, Any]) -> Message:
    """A queue's message; one that came from a topic is unwrapped. Pure."""
    body = facts["Body"]
    try:
        envelope = json.loads(body)
    except ValueError:
        envelope = None
    if isinstance(envelope, dict) and envelope.get("Type") == "Notification":
        topic = str(envelope.get("TopicArn", "")).rpartition(":")[2]
        subject, text = str(envelope.get("Subject") or ""), str(envelope.get("Message", ""))
        return Message(facts["MessageId"], topic, subject, text, str(envelope.get("Timestamp", "")))
    return Message(facts["MessageId"], "", "", body, "")


def dead_letters(sqs: Any, mappings: list[dict[str, Any]]) -> list[DeadLetters]:
    """Queues that others name as the place for failures, or that are called so."""
    urls = [
        url
        for page in sqs.get_paginator("list_queues").paginate()
        for url in page.get("QueueUrls", [])
    ]
    attributes = {
        url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for url in urls
    }
    named = {arn for facts in attributes.values() if (arn := _redrive_target(facts))}
    named |= {_failure_target(mapping) for mapping in mappings}
    return [
        DeadLetters(_queue(url), url, int(facts.get("ApproximateNumberOfMessages", 0)))
        for url, facts in attributes.items()
        if facts.get("QueueArn") in named or is_called_dead(_queue(url))
    ]


def is_called_dead(name: str) -> bool:
    """Names by which people call such queues. Pure."""
    return any(word in name.lower() for word in ("dead-letter", "deadletter", "dlq", "failure"))


def _redrive_target(attributes: dict[str, str]) -> str:
    try:
        return str(json.loads(attributes.get("RedrivePolicy", "{}")).get("deadLetterTargetArn", ""))
    except ValueError:
        return ""


def _failure_target(mapping: dict[str, Any]) -> str:
    failure = (mapping.get("DestinationConfig") or {}).get("OnFailure") or {}
    return str(failure.get("Destination", ""))


def _queue(url: str) -> str:
    return url.rpartition("/")[2]
