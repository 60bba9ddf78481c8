from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from producer.agent.configuration import parse_flow, read_configuration
from producer.agent.configuration_keys import FLOW_KEYS, AgentConfigurationError

FLOW = {"filePattern": "/var/log/app.log*", "kinesisStream": "orders"}

COURSE = """{
  "cloudwatch.emitMetrics": true,
  "kinesis.endpoint": "",
  "firehose.endpoint": "firehose.us-east-1.amazonaws.com", // https://example.com/x
  /* two flows:
     one of each kind */
  "flows": [
    {"filePattern": "/var/log/acmeco/*.log", "deliveryStream": "purchaseLogs"},
    {
      "filePattern": "/var/log/acmeco/*.log",
      "kinesisStream": "acmecoOrders",
      "partitionKeyOption": "RANDOM",
      "dataProcessingOptions": [
        {"optionName": "CSVTOJSON", "customFieldNames": ["InvoiceNo", "StockCode"]}
      ]
    }
  ]
}"""


def flow(**keys: Any) -> Any:
    return parse_flow("agent.json: flows[0]", FLOW | keys)


def test_a_courses_file_is_read_with_its_comments(tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text(COURSE)
    configuration = read_configuration(tmp_path / "agent.json")
    assert [f.id for f in configuration.flows] == [
        "fh:purchaseLogs:/var/log/acmeco/*.log",
        "kinesis:acmecoOrders:/var/log/acmeco/*.log",
    ]
    assert configuration.warnings == ()
    assert configuration.values["firehose.endpoint"] == "firehose.us-east-1.amazonaws.com"
    assert configuration.values["checkpointFile"] == "/var/run/aws-kinesis-agent/checkpoints"


def test_another_root_moves_every_path_and_no_flows_name(tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text(COURSE)
    root = tmp_path / "root"
    configuration = read_configuration(tmp_path / "agent.json", root=root)
    assert {f.directory for f in configuration.flows} == {root / "var/log/acmeco"}
    assert configuration.flows[0].id == "fh:purchaseLogs:/var/log/acmeco/*.log"
    assert configuration.values["checkpointFile"] == f"{root}/var/run/aws-kinesis-agent/checkpoints"


def test_the_flows_of_agent_d_are_added_in_the_order_of_their_files(tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text(json.dumps({"flows": [FLOW]}))
    (tmp_path / "agent.d").mkdir()
    for name in ("b", "a"):
        more = {"flows": [FLOW | {"kinesisStream": name}]}
        (tmp_path / "agent.d" / f"{name}.json").write_text(json.dumps(more))
    configuration = read_configuration(tmp_path / "agent.json")
    assert [f.destination for f in configuration.flows] == ["orders", "a", "b"]


def test_the_delivery_stream_wins_when_both_are_named() -> None:
    assert flow(deliveryStream="purchases").id == "fh:purchases:/var/log/app.log*"


def test_the_defaults_are_the_originals() -> None:
    values = flow().values
    assert values["initialPosition"] == "END_OF_FILE"
    assert values["maxBufferAgeMillis"] == 60_000
    assert values["partitionKeyOption"] == "RANDOM"
    assert flow().max_buffer_bytes == 5_242_880
    assert flow(deliveryStream="d").max_buffer_bytes == 4_194_304


def test_numbers_and_booleans_may_be_strings() -> None:
    assert flow(maxBufferAgeMillis="5000").values["maxBufferAgeMillis"] == 5_000
    assert flow(**{"log.emitInternalMetrics": "true"}).values["log.emitInternalMetrics"] is True


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"maxBufferAgeMillis": 999}, "is 999; accepted is a whole number from 1000 to 900000"),
        ({"maxBufferSizeRecords": 501}, "is 501; accepted is a whole number from 1 to 500"),
        ({"maxBufferSizeRecords": "many"}, "is 'many'; accepted is a whole number"),
        ({"maxBufferSizeRecords": True}, "is True"),
        ({"maxBufferSizeBytes": 5_242_881}, "from 1 to 5242880"),
        (
            {"maxBufferSizeBytes": 4_194_305, "deliveryStream": "d"},
            "from 1 to 4194304 for firehose",
        ),
        ({"aggregatedRecordSizeBytes": 1_024_001}, "from 0 to 1024000"),
        ({"waitOnFullPublishQueueMillis": 1}, "from 1000 to 900000"),
        ({"initialPosition": "MIDDLE"}, "'MIDDLE'; accepted is START_OF_FILE or END_OF_FILE"),
        ({"partitionKeyOption": 5}, "is 5; accepted is RANDOM or DETERMINISTIC"),
        ({"multiLineStartPattern": "("}, "accepted is a regular expression"),
        ({"dataProcessingOptions": {}}, "accepted is a list of objects"),
        ({"kinesisStream": ""}, "kinesisStream or deliveryStream is required"),
        ({"filePattern": None}, "filePattern is required"),
        ({"filePattern": "/var/log/"}, "lacks a file name"),
        ({"filePattern": "app.log"}, "lacks a directory"),
        ({"truncatedRecordTerminator": "x" * 1_048_576}, "must be shorter than 1048576 bytes"),
    ],
)
def test_a_wrong_value_is_told_with_key_value_and_what_is_accepted(
    keys: dict[str, Any], text: str
) -> None:
    with pytest.raises(AgentConfigurationError) as caught:
        flow(**keys)
    assert text in str(caught.value)
    assert str(caught.value).startswith("agent.json: flows[0]: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must hold an object"),
        ("{}", "flows has no entry"),
        ('{"flows": {}}', "flows is {}; it must be a list"),
        ('{"flows": [3]}', "flows[0] is 3; it must be an object"),
        (
            '{"flows": [{"filePattern": "/a/b", "kinesisStream": "s"}], "checkpointFile": 7}',
            "checkpointFile is 7; accepted is a string",
        ),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "agent.json").write_text(text)
    with pytest.raises(AgentConfigurationError) as caught:
        read_configuration(tmp_path / "agent.json")
    assert message in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(AgentConfigurationError, match="cannot be read: No such file"):
        read_configuration(tmp_path / "nowhere.json")


def test_an_unknown_key_is_warned_of_with_the_nearest_known_one(tmp_path: Path) -> None:
    document = {"flows": [FLOW | {"maxBufferAgeMilis": 5}], "cloudwatch.emitMetric": False}
    (tmp_path / "agent.json").write_text(json.dumps(document))
    warnings = read_configuration(tmp_path / "agent.json").warnings
    assert [w.partition(": ")[2] for w in warnings] == [
        "flows[0]: maxBufferAgeMilis is no key of the Kinesis Agent and does nothing; "
        "did you mean maxBufferAgeMillis?",
        "cloudwatch.emitMetric is no key of the Kinesis Agent and does nothing; "
        "did you mean cloudwatch.emitMetrics?",
    ]


def test_unknown_keys_of_an_option_are_warned_of_too(tmp_path: Path) -> None:
    options = [
        {"optionName": "CSVTOJSON", "customFieldNames": ["a"], "delimeter": ";"},
        {"optionName": "SINGLELINE", "parseOptions": ["NOTRIM"]},
        {"optionName": "ADDMETADATA", "metadata": {"any": "thing"}, "timestamp": "TRUE"},
    ]
    document = {"flows": [FLOW | {"dataProcessingOptions": options}]}
    (tmp_path / "agent.json").write_text(json.dumps(document))
    warnings = read_configuration(tmp_path / "agent.json").warnings
    assert [w.partition(": flows[0]: ")[2] for w in warnings] == [
        "dataProcessingOptions[0]: delimeter is no key of CSVTOJSON and does nothing; "
        "did you mean delimiter?",
        "dataProcessingOptions[1]: parseOptions has 'NOTRIM', which does nothing; "
        "did you mean NO_TRIM?",
    ]


@pytest.mark.parametrize("kind", ["folder", "no text", "unreadable"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "agent.json"
    if kind == "folder":
        path.mkdir()
        told = "cannot be read: Is a directory. Name the agent's configuration file."
    elif kind == "no text":
        path.write_bytes(b"\xff\xfe{}")
        told = "is not JSON: 'utf-8' codec can't decode byte 0xff"
    else:
        path.symlink_to(path)
        told = "cannot be read: Too many levels of symbolic links"
    with pytest.raises(AgentConfigurationError) as caught:
        read_configuration(path)
    assert str(caught.value).startswith(f"{path} {told}")


def test_every_flow_key_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "agent.md").read_text()
    assert [key for key in FLOW_KEYS if f"`{key}`" not in page] == []
