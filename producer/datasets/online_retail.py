"""Online Retail: 541,909 purchase lines of a British shop, 1 December 2010 to 9 December 2011.

The packed copy holds the rows as the courses' files do: CustomerID `17850`, InvoiceDate
`12/1/2010 8:26`, lines ending in CRLF. Any other CSV file of that form can be played too.
"""

from __future__ import annotations

import csv
import gzip
import lzma
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple, cast

import orjson

from producer.datasets.event import Event, RejectedRow

PACKED = Path(__file__).with_name("online-retail.csv.xz")
COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)

# Not int() and Decimal(): they take `1_000`, ` 7 ` and `NaN` too.
_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII).fullmatch
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII).fullmatch


class NotARow(ValueError):
    """A line that does not hold the eight columns; the message says what is wrong with it."""


class Purchase(NamedTuple):
    """One line of an invoice. Texts are the courses' form; `customer_id` is None for a guest."""

    invoice_no: str
    stock_code: str
    description: str
    quantity: int
    invoice_date: str
    unit_price: str
    customer_id: int | None
    country: str
    timestamp: datetime


class OnlineRetail:
    """The data set; `path` names another file (`.csv`, `.csv.gz`, `.csv.xz`) of the same form."""

    name = "online_retail"
    description = "541,909 purchase lines of a British online shop, 2010-12-01 to 2011-12-09."
    citation = (
        "Online Retail, UCI Machine Learning Repository. D. Chen, S. L. Sain and K. Guo, "
        "Data mining for the online retail industry: A case study of RFM model-based customer "
        "segmentation using data mining, Journal of Database Marketing and Customer Strategy "
        "Management 19(3), 2012, DOI 10.1057/dbm.2012.17. Licence: CC BY 4.0."
    )

    def __init__(self, path: Path | str | None = None, encoding: str = "utf-8") -> None:
        self._path = PACKED if path is None else Path(path)
        self._encoding = encoding
        # Stable whatever is played: the file's own name and the number of the row in it.
        self._id_prefix = self.name if path is None else self._path.name.split(".")[0]

    def rows(self) -> Iterator[tuple[int, Purchase | RejectedRow]]:
        """Every row with its number, the first being 1; a header is no row."""
        number = 0
        with _open(self._path) as lines:
            for line_number, line in enumerate(lines, start=1):
                if line_number == 1 and _is_header(line):
                    continue
                number += 1
                try:
                    yield number, parse_row(line.decode(self._encoding))
                except (NotARow, UnicodeDecodeError) as error:
                    yield number, self._reject(line_number, line, error)

    def events(self, count: int | None = None) -> Iterator[Event | RejectedRow]:
        """JSON events whose amount is Quantity x UnitPrice under the country's name."""
        for number, row in self.rows():
            if count is not None and number > count:
                return
            if isinstance(row, RejectedRow):
                yield row
            else:
                yield to_event(f"{self._id_prefix}-{number:06d}", row)

    def csv_lines(self, count: int | None = None) -> Iterator[bytes]:
        """The rows as the courses' log generator writes them: no header, CRLF, csv.writer's quotes.

        A rejected row is written as it was.
        """
        for number, row in self.rows():
            if count is not None and number > count:
                return
            if isinstance(row, RejectedRow):
                yield row.raw.encode() + b"\r\n"
            else:
                yield csv_line(row)

    def _reject(self, line_number: int, line: bytes, error: ValueError) -> RejectedRow:
        reason = str(error)
        if isinstance(error, UnicodeDecodeError):
            reason = f"byte {error.start + 1} is not {self._encoding}: name the file's encoding"
        raw = line.rstrip(b"\r\n").decode(self._encoding, "backslashreplace")
        return RejectedRow(self._path.name, line_number, reason, raw)


def parse_row(line: str) -> Purchase:
    """The purchase in one line of text. Raises NotARow; a row never goes over two lines."""
    fields = _fields(line.rstrip("\r\n"))
    if len(fields) != len(COLUMNS):
        raise NotARow(f"{len(fields)} fields instead of {len(COLUMNS)}")
    invoice_no, stock_code, description, quantity, date, price, customer, country = fields
    timestamp, invoice_date = _date(date)
    return Purchase(
        invoice_no,
        stock_code,
        description,
        _integer("Quantity", quantity),
        invoice_date,
        _price(price),
        # pandas writes whole numbers of a column with gaps as 17850.0
        _integer("CustomerID", customer.removesuffix(".0")) if customer else None,
        country,
        timestamp,
    )


def csv_line(row: Purchase) -> bytes:
    """The row as Python's csv.writer writes it, CRLF included."""
    customer = "" if row.customer_id is None else str(row.customer_id)
    texts = (
        row.invoice_no,
        row.stock_code,
        row.description,
        str(row.quantity),
        row.invoice_date,
        row.unit_price,
        customer,
        row.country,
    )
    return (",".join(map(_quoted, texts)) + "\r\n").encode()


def to_event(event_id: str, row: Purchase) -> Event:
    """The row as a JSON event; a customer's purchases share a partition key, a guest's invoice."""
    data = orjson.dumps(
        {
            "event_id": event_id,
            "InvoiceNo": row.invoice_no,
            "StockCode": row.stock_code,
            "Description": row.description,
            "Quantity": row.quantity,
            "InvoiceDate": row.invoice_date,
            "UnitPrice": float(row.unit_price),
            "CustomerID": row.customer_id,
            "Country": row.country,
        }
    )
    key = row.invoice_no if row.customer_id is None else str(row.customer_id)
    amount = row.quantity * Decimal(row.unit_price)
    return Event(event_id, key or event_id, data, row.timestamp, {row.country: amount})


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    return lzma.open(path) if path.suffix == ".xz" else open(path, "rb")


def _is_header(line: bytes) -> bool:
    return line.removeprefix(b"\xef\xbb\xbf").startswith(b"InvoiceNo,")


def _fields(line: str) -> list[str]:
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise NotARow(f"not CSV: {error}") from None


def _quoted(text: str) -> str:
    if "," in text or '"' in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _integer(column: str, text: str) -> int:
    if not _INTEGER(text):
        raise NotARow(f"{column} is {text!r}, not a whole number")
    return int(text)


def _price(text: str) -> str:
    if not _DECIMAL(text):
        raise NotARow(f"UnitPrice is {text!r}, not a number")
    return text.removesuffix(".0")


@lru_cache(maxsize=4096)  # the lines of one invoice share their date
def _date(text: str) -> tuple[datetime, str]:
    for form in ("%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M:%S"):
        try:
            moment = datetime.strptime(text, form)
        except ValueError:
            continue
        date = f"{moment.month}/{moment.day}/{moment.year}"
        return moment, f"{date} {moment.hour}:{moment.minute:02d}"
    raise NotARow(f"InvoiceDate is {text!r}, not of the form 12/1/2010 8:26")
