from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from datetime import datetime

import orjson
import pytest

from producer.datasets import Ecommerce
from producer.datasets.ecommerce import DEVICES, TRAFFIC

FORM = re.compile(
    rb'\{"custid":[1-9][0-9]{2},"trafficfrom":"[A-Za-z_.]+","url":"beer_[a-z_]+",'
    rb'"device":"[a-z_]+","touchproduct":[0-9]+,'
    rb'"trans_timestamp":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}",'
    rb'"event_id":"ecommerce-1-[0-9]{9}"\}'
)
LAST = (
    b'{"custid":270,"trafficfrom":"Alexa","url":"beer_product_detail",'
    b'"device":"app_mobile","touchproduct":14,"trans_timestamp":"2026-01-01T09:06:32.828437","event_id":"ecommerce-1-000001000"}'
)


def test_every_event_has_the_courses_form_and_order() -> None:
    assert all(FORM.fullmatch(event.data) for event in Ecommerce().events(5_000))


def test_equal_seeds_give_equal_events_and_others_do_not() -> None:
    first, again, other = (list(Ecommerce(seed=s).events(500)) for s in (3, 3, 4))
    assert first == again
    assert [e.data[:40] for e in first] != [e.data[:40] for e in other]


def test_a_seed_gives_the_same_events_on_any_machine() -> None:
    (last,) = itertools.islice(Ecommerce().events(), 999, 1_000)
    assert last.data == LAST


def test_timestamps_never_go_back_and_agree_with_the_json() -> None:
    events = list(Ecommerce().events(5_000))
    stamps = [event.timestamp for event in events]
    assert stamps == sorted(stamps)
    assert all(
        datetime.fromisoformat(orjson.loads(event.data)["trans_timestamp"]) == event.timestamp
        for event in events
    )


def test_ids_are_unique() -> None:
    assert len({event.event_id for event in Ecommerce().events(5_000)}) == 5_000


def test_proportions_are_those_of_the_tables() -> None:
    events = [orjson.loads(event.data) for event in Ecommerce().events(15_000)]
    for column, shares in (("trafficfrom", TRAFFIC), ("device", DEVICES)):
        seen = Counter(event[column] for event in events)
        assert set(seen) == set(shares)
        for value, share in shares.items():
            assert seen[value] / len(events) == pytest.approx(share, abs=0.04)
    urls = Counter(event["url"] for event in events)
    assert [url for url, _ in urls.most_common()] == [
        "beer_vitrine_nav",
        "beer_product_detail",
        "beer_cart",
        "beer_checkout",
    ]


def test_a_visitor_looks_at_no_product_in_the_window_and_pays_what_was_in_the_cart() -> None:
    visits = defaultdict(list)
    for event in Ecommerce().events(20_000):
        click = orjson.loads(event.data)
        visits[click["custid"]].append((click["url"], click["touchproduct"]))
    for clicks in visits.values():
        for (url, product), (next_url, next_product) in itertools.pairwise(clicks):
            assert (product == 0) == (url == "beer_vitrine_nav")
            if next_url in ("beer_cart", "beer_checkout"):
                assert next_product == product


def test_evenings_are_busier_than_nights() -> None:
    shop = Ecommerce(start=datetime(2026, 1, 1), sessions_per_minute=3)
    day = itertools.takewhile(lambda e: e.timestamp.day == 1, shop.events())
    hours = Counter(event.timestamp.hour for event in day)
    assert sum(hours[h] for h in (19, 20, 21)) > 5 * sum(hours[h] for h in (2, 3, 4))


def test_one_literal_partition_key_is_the_courses_hot_shard() -> None:
    assert {e.partition_key for e in Ecommerce(partition_key="filter").events(50)} == {"filter"}


def test_more_sessions_than_the_shop_has_visitors_for_are_refused() -> None:
    with pytest.raises(ValueError, match="sessions_per_minute is 601"):
        Ecommerce(sessions_per_minute=601)
