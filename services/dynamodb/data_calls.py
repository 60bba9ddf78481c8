"""Calls on items, handed straight on to DynamoDBLocal. Pure: what is handed on, and what back.

LocalStack's own way through its request chain takes 20 ms a call, the server itself under one.
"""

from __future__ import annotations

import re

from services.localstack.data_calls import DataAnswer, DataRequest

PREFIX = "DynamoDB_20120810."
ITEM_OPERATIONS = (
    "PutItem",
    "GetItem",
    "UpdateItem",
    "DeleteItem",
    "Query",
    "Scan",
    "BatchWriteItem",
    "BatchGetItem",
)
#: What LocalStack looks after: tables named by ARN, the projection that an index query asks for.
LOCALSTACKS = (b"arn:aws", b'"IndexName"')
#: What DynamoDBLocal says, and what AWS says.
MESSAGES = {
    b"Cannot do operations on a non-existent table": b"Requested resource not found",
}
_PASSED_BACK = ("content-type", "x-amzn-requestid", "x-amz-crc32")
_NO_KEY_CHARACTERS = re.compile(r"[^A-Za-z0-9]")


def is_localstacks(request: DataRequest) -> bool:
    """Whether a call needs what LocalStack does around it."""
    return any(words in request.body for words in LOCALSTACKS)


def onward_request(request: DataRequest) -> bytes:
    """The request for DynamoDBLocal, which keeps the tables of each access key apart: the key
    is made of account and region, as LocalStack makes it."""
    region = "us-east-1" if request.region in ("local", "localhost") else request.region
    key = _NO_KEY_CHARACTERS.sub("", f"{request.account_id}{region}")
    credential = f"{key}/20260101/{region}/dynamodb/aws4_request"
    head = (
        "POST / HTTP/1.1\r\n"
        "Host: 127.0.0.1\r\n"
        f"X-Amz-Target: {request.target}\r\n"
        "Content-Type: application/x-amz-json-1.0\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential={credential}, "
        "SignedHeaders=host, Signature=0\r\n"
        f"Content-Length: {len(request.body)}\r\n\r\n"
    )
    return head.encode("latin-1") + request.body


def answer_of(status: int, headers: dict[str, str], body: bytes) -> DataAnswer:
    """DynamoDBLocal's answer, in AWS's words where those differ."""
    passed = {name: headers[name] for name in _PASSED_BACK if name in headers}
    if status >= 400:
        for local, aws in MESSAGES.items():
            body = body.replace(local, aws)
        passed.pop("x-amz-crc32", None)
    return DataAnswer(status, passed, body)
