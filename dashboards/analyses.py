"""The labs' charts: which columns each needs, its SQL, and how it is drawn. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.chart_choice import Choice


@dataclass(frozen=True)
class Analysis:
    """One chart. `key` is its title in `words`; `needs` are the columns a table must have."""

    key: str
    needs: frozenset[str]
    sql: str
    choice: Choice


def _of(key: str, needs: str, sql: str, choice: Choice) -> Analysis:
    return Analysis(key, frozenset(needs.split()), " ".join(sql.split()), choice)


ANALYSES = (
    _of(
        "by_device",
        "device",
        "SELECT device, COUNT(*) AS events FROM {table} GROUP BY device ORDER BY events DESC",
        Choice("pie", "device", "events"),
    ),
    _of(
        "traffic_by_page",
        "trafficfrom url",
        """SELECT trafficfrom, url, COUNT(*) AS events FROM {table}
        GROUP BY trafficfrom, url ORDER BY trafficfrom, url""",
        Choice("heat map", "trafficfrom", "url", "events"),
    ),
    _of(
        "users_per_minute",
        "custid trans_timestamp",
        """SELECT date_trunc('minute', CAST(replace(trans_timestamp, 'T', ' ') AS timestamp))
        AS minute, COUNT(DISTINCT custid) AS users FROM {table} GROUP BY 1 ORDER BY 1""",
        Choice("line", "minute", "users"),
    ),
    _of(
        "errors_over_time",
        "error_code timestamp",
        """SELECT date_trunc('minute', from_iso8601_timestamp("timestamp")) AS minute,
        error_code, COUNT(*) AS errors FROM {table} WHERE error_code IS NOT NULL
        GROUP BY 1, 2 ORDER BY 1""",
        Choice("line", "minute", "errors", "error_code"),
    ),
    _of(
        "errors_by_region",
        "error_code region",
        """SELECT region, error_code, COUNT(*) AS errors FROM {table}
        WHERE error_code IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2""",
        Choice("heat map", "region", "error_code", "errors"),
    ),
    _of(
        "abandoned_carts",
        "event_type user_session",
        """SELECT CASE WHEN bought > 0 THEN 'bought' ELSE 'abandoned' END AS cart,
        COUNT(*) AS sessions FROM (SELECT user_session,
        SUM(CASE WHEN event_type = 'purchase' THEN 1 ELSE 0 END) AS bought,
        SUM(CASE WHEN event_type = 'cart' THEN 1 ELSE 0 END) AS carted
        FROM {table} GROUP BY user_session) AS s WHERE carted > 0 GROUP BY 1""",
        Choice("pie", "cart", "sessions"),
    ),
    _of(
        "categories_by_hour",
        "event_time category_code",
        """SELECT CAST(hour(t) AS varchar) AS hour, CAST(day_of_week(t) AS varchar) AS weekday,
        COUNT(*) AS events FROM (SELECT CAST(substr(event_time, 1, 19) AS timestamp) AS t
        FROM {table}) AS e GROUP BY 1, 2 ORDER BY 1, 2""",
        Choice("heat map", "hour", "weekday", "events"),
    ),
    _of(
        "brands",
        "brand event_type",
        """SELECT brand, SUM(CASE WHEN event_type = 'view' THEN 1 ELSE 0 END) AS views,
        SUM(CASE WHEN event_type = 'purchase' THEN 1 ELSE 0 END) AS purchases FROM {table}
        WHERE brand <> '' GROUP BY brand ORDER BY purchases, views DESC LIMIT 20""",
        Choice("bar", "brand", "views"),
    ),
    _of(
        "by_country",
        "country quantity unitprice",
        """SELECT country, SUM(quantity * unitprice) AS revenue FROM {table}
        GROUP BY country ORDER BY revenue DESC LIMIT 20""",
        Choice("bar", "country", "revenue"),
    ),
)


def analyses_of(columns: set[str]) -> list[Analysis]:
    """What a table with these columns can show."""
    lower = {column.lower() for column in columns}
    return [analysis for analysis in ANALYSES if analysis.needs <= lower]


def sql_of(analysis: Analysis, database: str, table: str) -> str:
    """Its statement for a table; names are quoted, whatever they hold."""
    quoted = ".".join('"' + name.replace('"', '""') + '"' for name in (database, table))
    return analysis.sql.replace("{table}", quoted)
