"""S3 prefixes: the examples of AWS's documentation and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.firehose.prefix import (
    InvalidPrefix,
    PartitionKeyMissing,
    PrefixContext,
    at,
    evaluate,
    evaluate_error_prefix,
    parse,
    random_string,
)

WHEN = datetime(2018, 8, 27, 10, 30, tzinfo=UTC)


def context(**more: object) -> PrefixContext:
    letters = iter("abcdef")
    return PrefixContext(WHEN, random_string=lambda: next(letters) * 11, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prefix", "evaluated"),
    [
        ("", "2018/08/27/10/"),
        ("myFirehosePrefix", "myFirehosePrefix2018/08/27/10/"),
        ("events/", "events/2018/08/27/10/"),
        ("!{timestamp:yyyy/MM/dd}", "2018/08/27"),
        (
            "myFirehose/DeliveredYear=!{timestamp:yyyy}/anyMonth/rand=!{firehose:random-string}",
            "myFirehose/DeliveredYear=2018/anyMonth/rand=aaaaaaaaaaa",
        ),
        ("p/!{timestamp:'year='yyyy'/month='MM}/", "p/year=2018/month=08/"),
        (
            "!{firehose:random-string}/!{firehose:random-string}/",
            "aaaaaaaaaaa/bbbbbbbbbbb/2018/08/27/10/",
        ),
    ],
)
def test_a_prefix_evaluates_as_documented(prefix: str, evaluated: str) -> None:
    assert evaluate(prefix, context()) == evaluated


def test_a_partitioned_prefix_takes_the_record_s_keys_and_gets_no_time() -> None:
    keys = {
        "partitionKeyFromQuery": {"device": "mobile"},
        "partitionKeyFromLambda": {"customer": "7"},
    }
    prefix = "c=!{partitionKeyFromLambda:customer}/d=!{partitionKeyFromQuery:device}/"
    assert evaluate(prefix, context(partition_keys=keys)) == "c=7/d=mobile/"


@pytest.mark.parametrize("keys", [{}, {"partitionKeyFromQuery": {"device": ""}}])
def test_a_missing_or_empty_key_is_an_error(keys: dict[str, dict[str, str]]) -> None:
    with pytest.raises(PartitionKeyMissing, match="device"):
        evaluate("!{partitionKeyFromQuery:device}/", context(partition_keys=keys))


@pytest.mark.parametrize(
    ("error_output_prefix", "prefix", "evaluated"),
    [
        (None, None, "processing-failed/2018/08/27/10/"),
        (None, "myFirehosePrefix/", "myFirehosePrefix/processing-failed/2018/08/27/10/"),
        ("errors/", "data/", "errors/processing-failed/2018/08/27/10/"),
        (
            "myFirehoseFailures/!{firehose:error-output-type}/!{timestamp:yyyy}/any/!{timestamp:dd}",
            "x/!{timestamp:yyyy}",
            "myFirehoseFailures/processing-failed/2018/any/27",
        ),
        (
            "!{firehose:error-output-type}-!{firehose:error-output-type}/",
            "",
            "processing-failed-processing-failed/",
        ),
    ],
)
def test_error_prefixes_evaluate_as_documented(
    error_output_prefix: str | None, prefix: str | None, evaluated: str
) -> None:
    found = evaluate_error_prefix(
        error_output_prefix, prefix, context(error_output_type="processing-failed")
    )
    assert found == evaluated


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("!{timestamp:yyyy", "Invalid expression usage"),
        ("!{timestamp}", "Invalid expression usage"),
        ("a!{b", "Invalid expression usage"),
        ("!{time:yyyy}", "Namespace to the left of colon (time) is an invalid keyword!"),
        ("!{Timestamp:yyyy}", "Namespace to the left of colon (Timestamp) is an invalid keyword!"),
        (
            "!{firehose:random}",
            "Invalid conversion character used in the value of the expression in Prefix",
        ),
        (
            "!{timestamp:bb}",
            "Invalid conversion character used in the value of the expression in Prefix",
        ),
    ],
)
def test_what_is_no_expression_is_refused_in_aws_s_words(prefix: str, message: str) -> None:
    with pytest.raises(InvalidPrefix) as refused:
        parse(prefix)
    assert str(refused.value) == message


def test_the_time_zone_decides_the_hour() -> None:
    prefix = evaluate("", PrefixContext(at(WHEN.timestamp(), "Asia/Tokyo")))
    assert prefix == "2018/08/27/19/"


def test_random_strings_have_eleven_letters_or_digits() -> None:
    text = random_string()
    assert len(text) == 11
    assert text.isalnum()


@given(st.text().filter(lambda text: "!{" not in text))
def test_text_without_expressions_stays_and_the_hour_follows(text: str) -> None:
    assert evaluate(text, context()) == f"{text}2018/08/27/10/"
