"""What is handed on to DynamoDBLocal, and what comes back."""

from __future__ import annotations

import pytest

from services.dynamodb.data_calls import answer_of, is_localstacks, onward_request
from services.localstack.data_calls import DataRequest


def request(body: bytes = b"{}", region: str = "eu-west-1") -> DataRequest:
    return DataRequest("POST", "DynamoDB_20120810.PutItem", {}, body, region, "123456789012")


@pytest.mark.parametrize(
    ("region", "credential"),
    [
        ("eu-west-1", b"Credential=123456789012euwest1/20260101/eu-west-1/dynamodb/"),
        ("localhost", b"Credential=123456789012useast1/20260101/us-east-1/dynamodb/"),
    ],
)
def test_tables_of_accounts_and_regions_are_kept_apart(region: str, credential: bytes) -> None:
    assert credential in onward_request(request(region=region))


def test_the_body_is_handed_on_as_it_is() -> None:
    onward = onward_request(request('{"Item": {"pk": {"S": "é"}}}'.encode()))
    head, _, body = onward.partition(b"\r\n\r\n")
    assert body == '{"Item": {"pk": {"S": "é"}}}'.encode()
    assert b"Content-Length: %d" % len(body) in head


@pytest.mark.parametrize(
    ("body", "localstacks"),
    [
        (b'{"TableName": "t"}', False),
        (b'{"TableName": "t", "IndexName": "i"}', True),
        (b'{"TableName": "arn:aws:dynamodb:eu-west-1:1:table/t"}', True),
    ],
)
def test_what_localstack_looks_after_is_left_to_it(body: bytes, localstacks: bool) -> None:
    assert is_localstacks(request(body)) == localstacks


def test_an_error_has_awss_words_and_no_checksum_of_others() -> None:
    headers = {"x-amz-crc32": "1", "content-type": "application/x-amz-json-1.0", "server": "x"}
    answer = answer_of(400, headers, b'{"Message":"Cannot do operations on a non-existent table"}')
    assert answer.body == b'{"Message":"Requested resource not found"}'
    assert set(answer.headers) == {"content-type"}


def test_an_answer_keeps_its_checksum() -> None:
    assert answer_of(200, {"x-amz-crc32": "2745614147"}, b"{}").headers["x-amz-crc32"]
