"""Where e-mail and SMS subscriptions end: the engine sends nothing out and keeps what it would.

AWS has no call that reads somebody's mailbox. These are LocalStack's own pages
(https://docs.localstack.cloud/aws/services/ses/ and .../sns/); on AWS there is nothing to show.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import EndpointConnectionError

MAILS = "/_aws/ses"
SHORT_MESSAGES = "/_aws/sns/sms-messages"
TOKENS = "/_aws/sns/subscription-tokens/"
PENDING = "PendingConfirmation"


@dataclass(frozen=True)
class Letter:
    """One e-mail or short message. `topic` is empty where the engine does not tell it."""

    kind: str
    to: str
    topic: str
    subject: str
    text: str
    sent: str


@dataclass(frozen=True)
class Unconfirmed:
    """An e-mail subscription that waits for a click on the link in AWS's letter."""

    topic_arn: str
    protocol: str
    endpoint: str


def has_mailbox(sns: Any) -> bool:
    """AWS itself delivers to real mailboxes, which nobody can read here."""
    host = urllib.parse.urlsplit(sns.meta.endpoint_url).hostname or ""
    return not host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def read_letters(sns: Any) -> list[Letter]:
    """E-mails and short messages of the client's region, the newest e-mail first."""
    address, region = sns.meta.endpoint_url, sns.meta.region_name
    mails = _read(f"{address}{MAILS}").get("messages", [])
    short = _read(f"{address}{SHORT_MESSAGES}?region={region}").get("sms_messages", {})
    letters = [mail(facts) for facts in mails if facts.get("Region", region) == region]
    newest = sorted(letters, key=lambda letter: letter.sent, reverse=True)
    return newest + [text_message(facts) for found in short.values() for facts in reversed(found)]


def mail(facts: dict[str, Any]) -> Letter:
    """What SES sent. SNS's own letters all have one subject, which says nothing. Pure."""
    to = ", ".join((facts.get("Destination") or {}).get("ToAddresses", []))
    body = facts.get("Body") or {}
    text = str(body.get("text_part") or body.get("html_part") or facts.get("RawData") or "")
    subject = str(facts.get("Subject") or "")
    subject = "" if subject == "SNS-Subscriber-Endpoint" else subject
    return Letter("e-mail", to, "", subject, text, str(facts.get("Timestamp", "")))


def text_message(facts: dict[str, Any]) -> Letter:
    """What SNS sent to a telephone. Pure."""
    topic = str(facts.get("TopicArn") or "").rpartition(":")[2]
    to, subject = str(facts.get("PhoneNumber", "")), str(facts.get("Subject") or "")
    return Letter("SMS", to, topic, subject, str(facts.get("Message", "")), "")


def unconfirmed(sns: Any) -> list[Unconfirmed]:
    """The e-mail subscriptions that nobody has confirmed yet."""
    pages = sns.get_paginator("list_subscriptions").paginate()
    return [
        Unconfirmed(found["TopicArn"], found["Protocol"], found["Endpoint"])
        for page in pages
        for found in page["Subscriptions"]
        if found["SubscriptionArn"] == PENDING and found["Protocol"].startswith("email")
    ]


def confirm(sns: Any, waiting: Unconfirmed) -> None:
    """What a click on the link in AWS's letter does."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=waiting.topic_arn)
    wanted = (waiting.protocol, waiting.endpoint)
    for page in pages:
        for found in page["Subscriptions"]:
            if (found["Protocol"], found["Endpoint"]) == wanted:
                path = TOKENS + urllib.parse.quote(found["SubscriptionArn"], safe=":")
                token = _read(f"{sns.meta.endpoint_url}{path}").get("subscription_token")
                if token:
                    sns.confirm_subscription(TopicArn=waiting.topic_arn, Token=token)


def _read(url: str) -> dict[str, Any]:
    """A page of the engine; empty while the service behind it has not been used yet (404).
    Raises EndpointConnectionError, as boto3 would, when the engine does not answer it."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return {}
        raise EndpointConnectionError(endpoint_url=url) from error
    except OSError as error:
        raise EndpointConnectionError(endpoint_url=url) from error
