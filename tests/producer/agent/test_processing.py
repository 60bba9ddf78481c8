from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from producer.agent.configuration_keys import AgentConfigurationError
from producer.agent.ec2_metadata import Ec2Metadata
from producer.agent.java_regex import java_regex, java_split
from producer.agent.processing import converter_chain


def converted(record: bytes, *options: dict[str, Any]) -> bytes | None:
    chain = converter_chain("test", options)
    assert chain is not None
    return chain(record)


def test_without_options_there_is_nothing_to_do() -> None:
    assert converter_chain("test", None) is None
    assert converter_chain("test", []) is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], b"a  bc\n"),
        (["NO_TRIM"], b" a  b c \n"),
        (["ESCAPE_NEW_LINE"], b"a  b\\nc\n"),
        (["NO_TRIM", "ESCAPE_NEW_LINE"], b" a  b\\n c \n"),
    ],
)
def test_singleline_joins_lines(options: list[str], expected: bytes) -> None:
    record = b" a  b\n c \n\n"
    assert converted(record, {"optionName": "SINGLELINE", "parseOptions": options}) == expected


@pytest.mark.parametrize(
    ("line", "delimiter", "expected"),
    [
        (b"1,x,2\n", ",", {"a": "1", "b": "x", "c": "2"}),
        (b"1,,2\n", ",", {"a": "1", "b": "", "c": "2"}),
        (b"1,x,\n", ",", {"a": "1", "b": "x", "c": None}),
        (b"1\n", ",", {"a": "1", "b": None, "c": None}),
        (b"1,2,3,4\n", ",", {"a": "1", "b": "2", "c": "3"}),
        (b'1,"x,y",2\n', ",", {"a": "1", "b": '"x', "c": 'y"'}),
        (b"1|x|2\n", r"\|", {"a": "1", "b": "x", "c": "2"}),
        (b"1 x  2\n", r"\s+", {"a": "1", "b": "x", "c": "2"}),
        (b"1,x,2\r\n", ",", {"a": "1", "b": "x", "c": "2\r"}),
        (b"\n", ",", {"a": "", "b": None, "c": None}),
    ],
)
def test_csvtojson_splits_as_java_does(
    line: bytes, delimiter: str, expected: dict[str, str | None]
) -> None:
    option = {
        "optionName": "CSVTOJSON",
        "customFieldNames": ["a", "b", "c"],
        "delimiter": delimiter,
    }
    result = converted(line, option)
    assert result is not None
    assert result.endswith(b"}\n")
    assert orjson.loads(result) == expected


COMMON = b'127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326'
COMBINED = COMMON + b' "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"'


def log_to_json(log_format: str, line: bytes, **more: Any) -> dict[str, Any] | None:
    result = converted(line, {"optionName": "LOGTOJSON", "logFormat": log_format} | more)
    return None if result is None else orjson.loads(result)


def test_the_common_and_the_combined_apache_log() -> None:
    common = {
        "host": "127.0.0.1",
        "ident": None,
        "authuser": "frank",
        "datetime": "10/Oct/2000:13:55:36 -0700",
        "request": "GET /a.gif HTTP/1.0",
        "response": "200",
        "bytes": "2326",
    }
    assert log_to_json("COMMONAPACHELOG", COMMON + b"\n") == common
    assert log_to_json("COMMONAPACHELOG", COMBINED + b"\n") == common
    assert log_to_json("COMBINEDAPACHELOG", COMBINED + b"\r\n") == common | {
        "referer": "http://www.example.com/start.html",
        "agent": "Mozilla/4.08 [en] (Win98; I ;Nav)",
    }


def test_the_apache_error_log() -> None:
    line = (
        b"[Wed Oct 11 14:32:52 2000] [core:error] [pid 35708:tid 4328636416] "
        b"[client 72.15.99.187:80] File does not exist: /favicon.ico\n"
    )
    assert log_to_json("APACHEERRORLOG", line) == {
        "timestamp": "Wed Oct 11 14:32:52 2000",
        "module": "core",
        "severity": "error",
        "processid": "35708",
        "threadid": "4328636416",
        "client": "72.15.99.187:80",
        "message": "File does not exist: /favicon.ico",
    }


@pytest.mark.parametrize(
    ("log_format", "stamp"),
    [("SYSLOG", "Mar 12 12:01:02"), ("RFC3339SYSLOG", "2022-03-12T12:01:02.5+01:00")],
)
def test_the_system_logs(log_format: str, stamp: str) -> None:
    line = f"{stamp} server4 sshd[3456]: Accepted key - done\n".encode()
    assert log_to_json(log_format, line) == {
        "timestamp": stamp,
        "hostname": "server4",
        "program": "sshd",
        "processid": "3456",
        "message": "Accepted key - done",
    }


def test_a_line_that_does_not_match_is_left_out() -> None:
    assert log_to_json("COMBINEDAPACHELOG", b"nonsense\n") is None


def test_a_pattern_of_ones_own_names_its_groups_in_order() -> None:
    result = log_to_json(
        "COMMONAPACHELOG",
        b"7;x\n",
        matchPattern=r"(?<n>\p{Digit}+);(\w)",
        customFieldNames=["number", "letter"],
    )
    assert result == {"number": "7", "letter": "x"}


def test_addmetadata_wraps_the_record_in_this_order() -> None:
    option = {"optionName": "ADDMETADATA", "metadata": {"env": "lab"}}
    assert converted(b"x\n", option) == b'{"metadata":{"env":"lab"},"data":"x"}\n'
    stamped = converted(b"x\n", option | {"timestamp": "true"})
    assert stamped is not None
    assert re.fullmatch(
        rb'\{"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","metadata".*\}\n', stamped
    )


def test_addbrackets_adds_nothing_else() -> None:
    assert converted(b"x\n", {"optionName": "ADDBRACKETS"}) == b"{x\n}"


def test_options_apply_in_their_order() -> None:
    options = (
        {"optionName": "SINGLELINE"},
        {"optionName": "CSVTOJSON", "customFieldNames": ["a", "b"]},
        {"optionName": "ADDMETADATA", "metadata": 1},
    )
    assert converted(b"1\n,2\n", *options) == (
        b'{"metadata":1,"data":"{\\"a\\":\\"1\\",\\"b\\":\\"2\\"}"}\n'
    )


def test_pretty_json_looks_as_java_prints_it() -> None:
    option = {"optionName": "CSVTOJSON", "customFieldNames": ["a"], "jsonFormat": "PRETTYPRINT"}
    assert converted(b"1\n", option) == b'{\n  "a" : "1"\n}\n'


def test_ec2_metadata_of_a_laptop_are_its_own_and_are_renewed() -> None:
    now = [1_000.0]
    source = Ec2Metadata(
        60, environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, now=lambda: now[0]
    )
    first = source.current()
    assert first["region"] == "us-east-1"
    assert first["metadataTimestamp"] == "1970-01-01T00:16:40+0000"
    now[0] += 61
    assert source.current()["metadataTimestamp"] == "1970-01-01T00:17:41+0000"


class Upper:
    """A plug-in of a user."""

    def convert(self, record: bytes) -> bytes | None:
        return record.upper()


def test_a_plug_in_is_a_python_class() -> None:
    option = {"optionName": "USINGPLUGGIN", "className": f"{__name__}:Upper"}
    assert converted(b"x\n", option) == b"X\n"


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ({}, "optionName is None; accepted is one of SINGLELINE, CSVTOJSON"),
        ({"optionName": "CSVTOJSON"}, "customFieldNames is required"),
        ({"optionName": "CSVTOJSON", "customFieldNames": "a"}, "accepted is a list of strings"),
        ({"optionName": "CSVTOJSON", "customFieldNames": ["a"], "delimiter": "("}, "delimiter"),
        ({"optionName": "LOGTOJSON"}, "logFormat is None; accepted is one of COMMONAPACHELOG"),
        (
            {"optionName": "LOGTOJSON", "logFormat": "SYSLOG", "customFieldNames": ["a"]},
            "customFieldNames has 1 names; SYSLOG has 5 fields",
        ),
        (
            {"optionName": "LOGTOJSON", "logFormat": "SYSLOG", "matchPattern": "x"},
            "matchPattern needs customFieldNames",
        ),
        ({"optionName": "ADDMETADATA", "jsonFormat": "NICE"}, "accepted is COMPACT or PRETTYPRINT"),
        ({"optionName": "ADDMETADATA", "timestamp": "yes"}, "'yes'; accepted is true or false"),
        ({"optionName": "ADDEC2METADATA", "metadataTTL": "1h"}, "metadataTTL is '1h'"),
        ({"optionName": "USINGPLUGGIN", "classname": "com.example.Plugin"}, "Java classes"),
        ({"optionName": "USINGPLUGGIN", "className": "no_such_module:X"}, "no_such_module"),
    ],
)
def test_an_option_that_cannot_work_is_refused(option: dict[str, Any], text: str) -> None:
    with pytest.raises(AgentConfigurationError, match=text) as caught:
        converter_chain("agent.json: flows[0]", [option])
    assert "agent.json: flows[0]: dataProcessingOptions[0]" in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (",", "a,b,,", ["a", "b"]),
        (",", ",a", ["", "a"]),
        (",", "", [""]),
        (",", ",,", []),
        ("(,)", "a,b", ["a", "b"]),
        ("", "abc", ["a", "b", "c"]),
    ],
)
def test_java_split(pattern: str, text: str, expected: list[str]) -> None:
    assert java_split(java_regex(pattern), text) == expected
