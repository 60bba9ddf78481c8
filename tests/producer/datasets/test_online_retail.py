from __future__ import annotations

import gzip
import hashlib
import itertools
import lzma
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from producer.datasets import Event, OnlineRetail, RejectedRow, UnknownDataSet, dataset
from producer.datasets.online_retail import PACKED, csv_line, parse_row

FIRST = (
    "536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,12/1/2010 8:26,2.55,17850,United Kingdom"
)

SHA256 = "bd0d4272d8a786b116889e902b7b163db299b1e49a9b9ad40ab22a8f6a812440"


def test_the_packed_copy_is_the_whole_file_in_the_courses_form() -> None:
    content = lzma.decompress(PACKED.read_bytes())
    assert content.count(b"\r\n") == content.count(b"\n") == 541_909 + 1
    assert PACKED.stat().st_size < 8_000_000
    assert hashlib.sha256(content).hexdigest() == SHA256


@pytest.mark.slow
def test_every_row_is_one_and_their_revenue_is_that_of_the_shop() -> None:
    revenue, events = Decimal(0), 0
    for event in OnlineRetail().events():
        assert isinstance(event, Event)
        events += 1
        revenue += sum(event.amounts.values())
    assert (events, revenue) == (541_909, Decimal("9747747.934"))


def test_the_first_line_is_in_the_courses_form() -> None:
    assert next(OnlineRetail().csv_lines(1)) == FIRST.encode() + b"\r\n"


def test_an_event_is_json_with_an_id_of_its_row() -> None:
    (event,) = OnlineRetail().events(1)
    assert isinstance(event, Event)
    assert orjson.loads(event.data) == {
        "event_id": "online_retail-000001",
        "InvoiceNo": "536365",
        "StockCode": "85123A",
        "Description": "WHITE HANGING HEART T-LIGHT HOLDER",
        "Quantity": 6,
        "InvoiceDate": "12/1/2010 8:26",
        "UnitPrice": 2.55,
        "CustomerID": 17850,
        "Country": "United Kingdom",
    }
    assert event.timestamp == datetime(2010, 12, 1, 8, 26)
    assert event.amounts == {"United Kingdom": Decimal("15.30")}
    assert (event.event_id, event.partition_key) == ("online_retail-000001", "17850")


def test_a_guests_purchase_goes_by_its_invoice() -> None:
    rows = (event for event in OnlineRetail().events(2_000) if isinstance(event, Event))
    guest = next(event for event in rows if orjson.loads(event.data)["CustomerID"] is None)
    assert guest.partition_key == orjson.loads(guest.data)["InvoiceNo"]


def test_quotes_and_the_form_that_pandas_writes_are_understood() -> None:
    row = parse_row('C1,2,"A ""B"", C",-3,2011-02-03 04:05:00,1.0,17850.0,EIRE\n')
    assert csv_line(row) == b'C1,2,"A ""B"", C",-3,2/3/2011 4:05,1,17850,EIRE\r\n'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "1 fields instead of 8"),
        ("1,2,3", "3 fields instead of 8"),
        (FIRST + ",more", "9 fields instead of 8"),
        (FIRST.replace(",6,", ",six,"), "Quantity is 'six', not a whole number"),
        (FIRST.replace(",6,", ",1_0,"), "Quantity is '1_0', not a whole number"),
        (FIRST.replace("2.55", "NaN"), "UnitPrice is 'NaN', not a number"),
        (FIRST.replace("17850", "who"), "CustomerID is 'who', not a whole number"),
        (FIRST.replace("12/1/2010 8:26", "yesterday"), "InvoiceDate is 'yesterday'"),
        (FIRST.replace("WHITE", '"WHITE'), "not CSV"),
        (FIRST.replace("WHITE", '"a"b'), "not CSV"),
    ],
)
def test_a_row_that_is_none_is_rejected_with_its_line_and_reason(
    tmp_path: Path, line: str, reason: str
) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(f"InvoiceNo,x\r\n{FIRST}\r\n{line}\r\n{FIRST}\r\n".encode())
    first, rejected, last = OnlineRetail(path).events()
    assert isinstance(rejected, RejectedRow)
    assert (rejected.source, rejected.line_number, rejected.raw) == ("shop.csv", 3, line)
    assert reason in rejected.reason
    assert [e.event_id for e in (first, last) if isinstance(e, Event)] == [
        "shop-000001",
        "shop-000003",
    ]


def test_bytes_of_another_encoding_are_rejected_until_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv.gz"
    path.write_bytes(gzip.compress(FIRST.replace("WHITE", "£40").encode("latin-1")))
    (rejected,) = OnlineRetail(path).events()
    assert isinstance(rejected, RejectedRow)
    assert rejected.reason == "byte 15 is not utf-8: name the file's encoding"
    assert "\\xa340" in rejected.raw
    assert isinstance(next(OnlineRetail(path, encoding="latin-1").events()), Event)


def test_an_unknown_data_set_lists_those_that_exist() -> None:
    with pytest.raises(UnknownDataSet, match="'orders'; choose one of: ecommerce, online_retail"):
        dataset("orders")


def test_a_data_set_is_found_by_either_spelling() -> None:
    events = dataset("online-retail").events()
    assert len(list(itertools.islice(events, 3))) == 3
