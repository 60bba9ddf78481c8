"""Every page against the engine, empty and full, without a browser."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.words import speaker
from tests.conftest import EngineUnderTest
from tests.waiting import OFTEN, wait_until

PAGES = ("overview", "stream", "lake", "sql_console", "analytics", "alarms", "proof")


def page_script(page: str, endpoint_url: str, language: str = "en") -> None:
    """What AppTest runs: the function's text, so everything is imported inside."""
    import importlib

    import streamlit as st

    from dashboards.aws import SharedClients
    from dashboards.words import speaker
    from services.connect import connect

    # Sessions of one process share what was read: every test starts anew.
    st.cache_data.clear()
    view = importlib.import_module(f"dashboards.views.{page}")
    clients = SharedClients(lambda service: connect(service, endpoint_url))
    view.render(clients, speaker(language))


def shown(page: str, endpoint_url: str, language: str = "en") -> AppTest:
    script = AppTest.from_function(
        page_script, args=(page, endpoint_url, language), default_timeout=60
    )
    script.run()
    assert [str(exception.value) for exception in script.exception] == []
    return script


def texts(script: AppTest) -> str:
    kinds: list[Any] = [script.caption, script.info, script.warning, script.error, script.success]
    return "\n".join(str(element.value) for elements in kinds for element in elements)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_an_engine_says_how_to_start_one(page: str) -> None:
    script = shown(page, "http://127.0.0.1:9")
    assert "riacho up" in texts(script)


@pytest.mark.parametrize("language", ["es", "pt"])
def test_pages_speak_the_language_that_was_chosen(
    engine: EngineUnderTest, lake: str, language: str
) -> None:
    script = shown("proof", engine.endpoint_url, language)
    assert script.title[0].value == speaker(language)("proof")


def test_the_overview_counts_what_there_is(engine: EngineUnderTest, lake: str) -> None:
    script = shown("overview", engine.endpoint_url)
    streams = next(metric for metric in script.metric if metric.label == "Streams")
    assert int(streams.value) >= 1


def test_the_stream_shows_its_shards_and_newest_records(engine: EngineUnderTest, lake: str) -> None:
    engine.client("kinesis").put_record(
        StreamName=lake, PartitionKey="k", Data=b'{"hello": "tail"}'
    )
    script = shown("stream", engine.endpoint_url)
    script.selectbox[0].select(lake).run()
    assert not script.exception
    metrics = {metric.label: metric.value for metric in script.metric}
    assert metrics["Open shards"] == "2"
    tails = [frame.value for frame in script.dataframe if "sequence_number" in frame.value]
    assert '{"hello": "tail"}' in tails[0]["text"].tolist()


def test_an_unknown_stream_in_the_address_is_said(engine: EngineUnderTest, lake: str) -> None:
    script = AppTest.from_function(
        page_script, args=("stream", engine.endpoint_url), default_timeout=60
    )
    script.query_params["stream"] = "nowhere"
    script.run()
    assert not script.exception
    assert "There is no stream called nowhere" in texts(script)


def test_a_shard_is_split_from_the_page(engine: EngineUnderTest) -> None:
    name = f"dash-split-{uuid.uuid4().hex[:8]}"
    kinesis = engine.client("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=OFTEN)
    script = shown("stream", engine.endpoint_url)
    script.selectbox[0].select(name).run()
    next(button for button in script.button if button.label == "Split").click().run()
    assert not script.exception
    assert "Done: the stream is updating." in texts(script)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=OFTEN)
    assert len(kinesis.list_shards(StreamName=name)["Shards"]) == 3
    kinesis.delete_stream(StreamName=name)


def test_the_lake_shows_objects_and_tables(engine: EngineUnderTest, lake: str) -> None:
    script = shown("lake", engine.endpoint_url)
    bucket = next(box for box in script.selectbox if box.label == "Bucket")
    bucket.select(lake).run()
    next(button for button in script.button if button.label == "raw/").click().run()
    assert not script.exception
    keys = [frame.value for frame in script.dataframe if "bytes" in frame.value]
    assert keys[0]["key"].tolist() == ["a.json.gz"]
    table = next(box for box in script.selectbox if box.label == "Table")
    assert f"{lake}.raw" in table.options


def test_a_statement_runs_and_is_shown_as_table_and_charts(
    engine: EngineUnderTest, lake: str
) -> None:
    script = shown("sql_console", engine.endpoint_url)
    sql = f'SELECT device, COUNT(*) AS n FROM "{lake}"."raw" GROUP BY device ORDER BY n'
    result = _run(script, sql)
    assert result.to_dict("records") == [{"device": "b", "n": 1}, {"device": "a", "n": 2}]


def test_a_wrong_statement_shows_athenas_sentence(engine: EngineUnderTest, lake: str) -> None:
    script = shown("sql_console", engine.endpoint_url)
    assert _run(script, "SELECT a FROM nothing") is None
    assert "line 1" in texts(script)


def test_a_statement_that_athena_does_not_take_shows_its_sentence(
    engine: EngineUnderTest, lake: str
) -> None:
    script = shown("sql_console", engine.endpoint_url)
    script.session_state["sql_next"] = "SELECT FROM nothing"
    next(button for button in script.button if button.label == "Run").click().run()
    assert not script.exception
    assert "line 1:8: mismatched input 'FROM'" in texts(script)


def _run(script: AppTest, sql: str) -> Any:
    """Type, press Run, let the page look until the query has ended."""
    script.session_state["sql_next"] = sql
    next(button for button in script.button if button.label == "Run").click().run()
    for _ in range(100):
        assert not script.exception
        if "frame" in script.session_state["sql_run"]:
            script.run()
            return script.session_state["sql_run"]["frame"][1]
        script.run()
    raise AssertionError("the query has not ended")


def test_analytics_draw_the_labs_charts(engine: EngineUnderTest, lake: str) -> None:
    script = shown("analytics", engine.endpoint_url)
    script.selectbox[0].select(f"{lake}.raw").run()
    assert not script.exception
    assert [h.value for h in script.subheader] == [
        "Events by device",
        "Where visitors come from, by page",
    ]
    assert [str(error.value) for error in script.error] == []


def test_a_topics_message_arrives_in_the_inbox(engine: EngineUnderTest) -> None:
    sns, name = engine.client("sns"), f"dash-{uuid.uuid4().hex[:8]}"
    arn = sns.create_topic(Name=name)["TopicArn"]
    script = shown("alarms", engine.endpoint_url)
    listen = next(button for button in script.button if button.label == f"Listen to {name}")
    listen.click().run()
    assert not script.exception
    sns.publish(TopicArn=arn, Subject="ALARM", Message="the stream is hot")

    def arrived() -> bool:
        script.run()
        assert not script.exception
        seen = [frame.value for frame in script.dataframe if "topic" in frame.value]
        return any("the stream is hot" in frame["text"].tolist() for frame in seen)

    wait_until(arrived, 60)
    sns.delete_topic(TopicArn=arn)


def test_e_mails_and_short_messages_end_on_the_page(engine: EngineUnderTest) -> None:
    sns, name = engine.client("sns"), f"dash-{uuid.uuid4().hex[:8]}"
    arn, address = sns.create_topic(Name=name)["TopicArn"], f"{name}@example.org"
    sns.subscribe(TopicArn=arn, Protocol="email", Endpoint=address)
    sns.subscribe(TopicArn=arn, Protocol="sms", Endpoint="+5511987654321")
    script = shown("alarms", engine.endpoint_url)
    next(b for b in script.button if b.label == f"Confirm {address} for {name}").click().run()
    assert not script.exception
    found = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    mail = next(s["SubscriptionArn"] for s in found if s["Protocol"] == "email")
    facts = sns.get_subscription_attributes(SubscriptionArn=mail)["Attributes"]
    assert facts["PendingConfirmation"] == "false"
    sns.publish(TopicArn=arn, Subject="ALARM", Message=f"{name} is hot")

    def arrived() -> bool:
        script.run()
        assert not script.exception
        rows = [frame.value for frame in script.dataframe if "kind" in frame.value]
        to = {to for frame in rows for to in frame[frame["text"] == f"{name} is hot"]["to"]}
        return to == {address, "+5511987654321"}

    wait_until(arrived, 60)
    sns.delete_topic(TopicArn=arn)


def test_the_last_proof_is_shown(engine: EngineUnderTest, lake: str) -> None:
    script = shown("proof", engine.endpoint_url)
    assert not script.exception
    history = script.dataframe[-1].value
    assert lake in history["stream"].tolist()
