"""The labs' tables and questions for `scripts.bench.athena`: files, DDL, SQL for Athena and for DuckDB.

Online Retail is the public data set, whole (`docs/datasets.md`). REES46 and the clickstream are
generated in the shape of the public data: columns, proportions, sizes of files.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from producer.datasets.ecommerce import Ecommerce
from producer.datasets.online_retail import OnlineRetail

OPENX = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
OPEN_CSV = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'"
EVENTS_PER_OBJECT = 1_000
ROWS_PER_CSV = 100_000


@dataclass(frozen=True)
class Question:
    """`sql` for Athena and `plain` for DuckDB; `{}` is the table. Rows in one order only."""

    name: str
    sql: str
    plain: str = ""


@dataclass(frozen=True)
class Table:
    """Files below `folder` (their S3 keys are their paths in it) and what is asked of them.

    `source` is the same table in plain DuckDB, over the same files.
    """

    name: str
    note: str
    folder: Path
    columns: str
    format: str
    source: str
    questions: tuple[Question, ...]
    partitions: str = ""

    def files(self) -> list[tuple[str, Path]]:
        found = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return [(f"{self.name}/{path.relative_to(self.folder)}", path) for path in found]

    def ddl(self, bucket: str) -> list[str]:
        """What a student types: the table, and its partitions."""
        parts = f"PARTITIONED BY ({self.partitions}) " if self.partitions else ""
        kind, word, properties = self.format.partition(" TBLPROPERTIES ")
        create = (
            f"CREATE EXTERNAL TABLE {self.name} ({self.columns}) {parts}{kind} "
            f"LOCATION 's3://{bucket}/{self.name}/'{word}{properties}"
        )
        return [create, *([f"MSCK REPAIR TABLE {self.name}"] if parts else [])]


def _chunks(lines: Iterator[bytes], size: int) -> Iterator[bytes]:
    chunk: list[bytes] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == size:
            yield b"".join(chunk)
            chunk = []
    if chunk:
        yield b"".join(chunk)


# --- lab 3: Online Retail as the agent and Firehose leave it: quoted CSV, no header


def online_retail(folder: Path) -> Table:
    folder.mkdir(parents=True)
    for number, body in enumerate(_chunks(OnlineRetail().csv_lines(), ROWS_PER_CSV)):
        (folder / f"{number:04d}.csv.gz").write_bytes(gzip.compress(body, 6))
    names = ("invoiceno", "stockcode", "description", "quantity", "invoicedate", "unitprice",
             "customerid", "country")  # fmt: skip
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    amount = "CAST(quantity AS integer) * CAST(unitprice AS double)"
    return Table(
        "online_retail",
        "the public data, 541,909 rows, quoted CSV, gzip",
        folder,
        ", ".join(f"{name} string" for name in names),
        OPEN_CSV,
        f"read_csv('{folder}/*.csv.gz', header=false, quote='\"', escape='\"', columns={{{columns}}})",
        (
            Question(
                "sales by country",
                "SELECT country, count(*) AS n, round(sum(" + amount + "), 2) AS sold "
                "FROM {} GROUP BY country ORDER BY country",
            ),
            Question(
                "ten best products",
                "SELECT stockcode, sum(CAST(quantity AS integer)) AS n FROM {} "
                "WHERE invoiceno NOT LIKE 'C%' GROUP BY stockcode ORDER BY 2 DESC, 1 LIMIT 10",
            ),
            Question(
                "orders and customers a month",
                "SELECT date_format(date_parse(invoicedate, '%c/%e/%Y %k:%i'), '%Y-%m') AS month, "
                "count(DISTINCT invoiceno) AS orders, count(DISTINCT nullif(customerid, '')) AS customers "
                "FROM {} GROUP BY 1 ORDER BY 1",
                "SELECT strftime(strptime(invoicedate, '%-m/%-d/%Y %-H:%M'), '%Y-%m') AS month, "
                "count(DISTINCT invoiceno), count(DISTINCT customerid) FROM {} GROUP BY 1 ORDER BY 1",
            ),
        ),
    )


# --- lab 5: REES46 shop behaviour


_REES46 = """
SELECT strftime(TIMESTAMP '2019-10-01' + to_seconds(CAST(i * 2678400 // {rows} AS BIGINT)),
                '%Y-%m-%d %H:%M:%S UTC') AS event_time,
  CASE WHEN h % 1000 < 961 THEN 'view' WHEN h % 1000 < 983 THEN 'cart' ELSE 'purchase' END AS event_type,
  1000000 + (h // 7) % 150000 AS product_id, 2053013550000000000 + (h // 7) % 600 AS category_id,
  CASE WHEN (h // 11) % 100 >= 32 THEN ['electronics.smartphone', 'electronics.audio.headphone',
    'appliances.kitchen.washer', 'computers.notebook', 'apparel.shoes', 'electronics.clocks',
    'furniture.living_room.sofa', 'auto.accessories.player'][1 + (h // 13) % 8] END AS category_code,
  CASE WHEN (h // 17) % 100 >= 14 THEN ['samsung', 'apple', 'xiaomi', 'huawei', 'lg', 'sony', 'bosch',
    'artel', 'lenovo', 'lucente'][1 + (h // 19) % 10] END AS brand,
  printf('%.2f', ((h // 23) % 250000) / 100.0) AS price, 500000000 + (h // 29) % {users} AS user_id,
  md5(CAST((h // 29) % {users} * 7 + (h // 31) % 3 AS VARCHAR)) AS user_session
FROM (SELECT i, CAST(hash(i) >> 2 AS BIGINT) AS h FROM range({rows}) AS t(i))
"""
_REES46_HIVE = (
    "event_time string, event_type string, product_id bigint, category_id bigint, "
    "category_code string, brand string, price double, user_id bigint, user_session string"
)
_REES46_QUESTIONS = (
    Question(
        "unique visitors a day",
        "SELECT substr(event_time, 1, 10) AS day, count(DISTINCT user_id) AS visitors FROM {} "
        "GROUP BY 1 ORDER BY 1",
    ),
    Question(
        "carts abandoned",
        "SELECT count(*) AS carts, sum(CASE WHEN bought = 0 THEN 1 ELSE 0 END) AS abandoned FROM ("
        "SELECT user_session, sum(CASE WHEN event_type = 'cart' THEN 1 ELSE 0 END) AS carted, "
        "sum(CASE WHEN event_type = 'purchase' THEN 1 ELSE 0 END) AS bought FROM {} "
        "GROUP BY user_session) AS sessions WHERE carted > 0",
    ),
    Question(
        "categories by hour and weekday",
        "SELECT category_code, hour(t) AS h, day_of_week(t) AS d, count(*) AS n FROM (SELECT category_code, "
        "date_parse(substr(event_time, 1, 19), '%Y-%m-%d %H:%i:%s') AS t FROM {} "
        "WHERE category_code <> '') AS x GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT 20",
        "SELECT category_code, hour(t), isodow(t), count(*) FROM (SELECT category_code, "
        "strptime(substr(event_time, 1, 19), '%Y-%m-%d %H:%M:%S') AS t FROM {} "
        "WHERE category_code <> '') AS x GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT 20",
    ),
    Question(
        "brands looked at, not bought",
        "SELECT brand, sum(CASE WHEN event_type = 'view' THEN 1 ELSE 0 END) AS views, "
        "sum(CASE WHEN event_type = 'purchase' THEN 1 ELSE 0 END) AS purchases, round(sum(price), 2) AS worth "
        "FROM {} WHERE brand <> '' GROUP BY brand ORDER BY brand",
    ),
)


def rees46(folder: Path, rows: int) -> Table:
    """CSV with a header, as the public file is; the table is the one a crawler makes."""
    folder.mkdir(parents=True)
    database = _duckdb()
    for part, first in enumerate(range(0, rows, ROWS_PER_CSV)):
        sql = _REES46.format(rows=rows, users=rows // 12)
        sql += f" WHERE i >= {first} AND i < {first + ROWS_PER_CSV}"
        target = f"'{folder}/{part:04d}.csv.gz' (FORMAT csv, HEADER, COMPRESSION gzip)"
        database.execute(f"COPY ({sql}) TO {target}")
    return Table(
        "rees46",
        f"generated, {rows:,} rows, CSV, gzip",
        folder,
        _REES46_HIVE,
        "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS TEXTFILE "
        "TBLPROPERTIES ('skip.header.line.count'='1')",
        f"read_csv('{folder}/*.csv.gz', header=true, columns={{{_duck_columns(_REES46_HIVE)}}})",
        _REES46_QUESTIONS,
    )


def rees46_parquet(folder: Path, rows: int) -> Table:
    folder.mkdir(parents=True)
    sql = _REES46.format(rows=rows, users=rows // 12).replace(
        "printf('%.2f', ((h // 23) % 250000) / 100.0)", "((h // 23) % 250000) / 100.0"
    )
    for part in range(4):
        first, last = rows * part // 4, rows * (part + 1) // 4
        _duckdb().execute(
            f"COPY ({sql} WHERE i >= {first} AND i < {last}) TO '{folder}/{part}.snappy.parquet'"
        )
    return Table(
        "rees46_parquet",
        f"generated, {rows:,} rows, Parquet",
        folder,
        _REES46_HIVE,
        "STORED AS PARQUET",
        f"read_parquet('{folder}/*.parquet')",
        _REES46_QUESTIONS,
    )


# --- lab 1: the clickstream as Firehose leaves it: JSON lines in hours


def clickstream(folder: Path, events: int) -> Table:
    by_hour: dict[str, list[bytes]] = {}
    for event in Ecommerce(sessions_per_minute=300).events(events):
        by_hour.setdefault(f"{event.timestamp:%Y/%m/%d/%H}", []).append(event.data + b"\n")
    for hour, lines in by_hour.items():
        names = ("year", "month", "day", "hour")
        place = folder.joinpath(
            *(f"{name}={value}" for name, value in zip(names, hour.split("/"), strict=True))
        )
        place.mkdir(parents=True)
        for part, body in enumerate(_chunks(iter(lines), EVENTS_PER_OBJECT)):
            (place / f"{part:04d}.json.gz").write_bytes(gzip.compress(body, 6))
    columns = (
        "custid int, trafficfrom string, url string, device string, touchproduct int, "
        "trans_timestamp string, event_id string"
    )
    when = "from_iso8601_timestamp(trans_timestamp)"
    return Table(
        "clickstream",
        f"generated, {events:,} events, JSON lines, gzip, {EVENTS_PER_OBJECT:,} to an object, hours as partitions",
        folder,
        columns,
        OPENX,
        f"read_json('{folder}/*/*/*/*/*.json.gz', format='newline_delimited', hive_partitioning=true, "
        f"hive_types_autocast=false, columns={{{_duck_columns(columns)}}})",
        (
            Question(
                "unique users a minute",
                "SELECT substr(trans_timestamp, 1, 16) AS minute, count(DISTINCT custid) AS users "
                "FROM {} GROUP BY 1 ORDER BY 1",
            ),
            Question(
                "unique users in 15 s",
                "SELECT CAST(to_unixtime(date_trunc('minute', " + when + ")) AS bigint) + "
                "second(" + when + ") / 15 * 15 AS at, count(DISTINCT custid) AS users "
                "FROM {} GROUP BY 1 ORDER BY 1",
                "SELECT CAST(epoch(t) AS BIGINT) // 15 * 15 AS at, count(DISTINCT custid) FROM (SELECT custid, "
                "date_trunc('second', CAST(trans_timestamp AS TIMESTAMP)) AS t FROM {}) AS x GROUP BY 1 ORDER BY 1",
            ),
            Question(
                "best source a minute",
                "SELECT minute, trafficfrom, n FROM (SELECT substr(trans_timestamp, 1, 16) AS minute, trafficfrom, "
                "count(*) AS n, row_number() OVER (PARTITION BY substr(trans_timestamp, 1, 16) "
                "ORDER BY count(*) DESC, trafficfrom) AS place FROM {} GROUP BY 1, 2) AS x "
                "WHERE place = 1 ORDER BY minute",
            ),
            Question(
                "source and page of one hour",
                "SELECT trafficfrom, url, count(*) AS n FROM {} WHERE hour = '10' "
                "GROUP BY 1, 2 ORDER BY 1, 2",
            ),
        ),
        "year string, month string, day string, hour string",
    )


# --- many small objects


_SMALL = "event_id string, country string, quantity int, price double, note string"
_BODIES = 200


def small_objects(folder: Path, count: int, size: int) -> tuple[Table, Path]:
    """`count` gzip objects of about `size` bytes, and one gzip file of the same bytes in a row.

    Two hundred different bodies stand again and again; each object has a key of its own.
    """
    (folder / "small").mkdir(parents=True)
    rows = max(1, size // 31)  # one takes so many bytes, compressed
    database = _duckdb()
    bodies = []
    for seed in range(_BODIES):
        lines = database.execute(
            "SELECT to_json({'event_id': printf('%08x%08x', ?::INTEGER, i::INTEGER), 'country': ['Brazil', 'Chile', "
            "'Peru', 'Colombia', 'Mexico', 'Spain', 'Portugal'][1 + CAST(hash(i + ? * 1000) % 7 AS INTEGER)], "
            "'quantity': CAST(1 + hash(i, ?) % 50 AS INTEGER), 'price': CAST(hash(i, ?, 1) % 10000 AS INTEGER) / 100.0, "
            "'note': left(md5(CAST(hash(i, ?, 2) AS VARCHAR)), 40)}) FROM range(?) AS t(i)",
            [seed] * 5 + [rows],
        ).fetchall()
        bodies.append(gzip.compress("".join(f"{line}\n" for (line,) in lines).encode(), 6, mtime=0))
    whole = folder / "whole.json.gz"
    with whole.open("wb") as everything:
        for number in range(count):
            body = bodies[number % _BODIES]
            (folder / "small" / f"{number:06d}.json.gz").write_bytes(body)
            everything.write(body)
    question = Question(
        "sums by country",
        "SELECT country, sum(quantity) AS sold, count(*) AS n FROM {} GROUP BY country ORDER BY 1",
    )
    table = Table(
        "small", f"{count:,} gzip objects of {sum(map(len, bodies)) // _BODIES / 1000:.1f} KB", folder / "small",
        _SMALL, OPENX,
        f"read_json('{whole}', format='newline_delimited', columns={{{_duck_columns(_SMALL)}}})",
        (question,),
    )  # fmt: skip
    return table, whole


_DUCK = {"string": "VARCHAR", "int": "INTEGER", "bigint": "BIGINT", "double": "DOUBLE"}


def _duck_columns(hive: str) -> str:
    pairs = [column.split() for column in hive.split(", ")]
    return ", ".join(f"'{name}': '{_DUCK[kind]}'" for name, kind in pairs)


def _duckdb() -> Any:
    import duckdb

    return duckdb.connect()
