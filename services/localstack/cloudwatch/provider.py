"""LocalStack's CloudWatch, whose metrics are asked for by exactly their dimensions.

The stock one looks for text that is like the dimensions: a stream's sums hold those of its shards,
and those of each stream whose name begins as its own.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from localstack.services.plugins import Service, aws_provider

from services.localstack.cloudwatch.metric_query import Series, has_all, read, statement


@aws_provider(api="cloudwatch", name="riacho")
def cloudwatch() -> Service:
    """CloudWatch."""
    from localstack.services.cloudwatch import cloudwatch_database_helper as stock
    from localstack.services.cloudwatch import provider_v2

    class Database(stock.CloudwatchDatabase):
        """The same tables."""

        def get_metric_data_stat(
            self,
            account_id: str,
            region: str,
            query: Any,
            start_time: datetime,
            end_time: datetime,
            scan_by: str | None,
        ) -> dict[str, list[Any]]:
            asked = query["MetricStat"]
            start, end = (int(time.timestamp()) for time in (start_time, end_time))
            series = Series(
                account_id,
                region,
                asked["Metric"],
                asked.get("Unit"),
                start,
                end,
                asked["Period"],
            )
            stat = asked["Stat"]
            sql, values = statement(
                series,
                stock.STAT_TO_SQLITE_AGGREGATION_FUNC[stat],
                stock.STAT_TO_SQLITE_COL_NAME_HELPER[stat],
            )
            with (
                self.DATABASE_LOCK,
                sqlite3.connect(self.METRICS_DB_READ_ONLY, uri=True) as database,
            ):
                points = [
                    (start + number * series.period, value / count if stat == "Average" else value)
                    for number, value, count in database.execute(sql, values)
                    if count
                ]
            if scan_by != "TimestampAscending":
                points.reverse()
            return {"timestamps": [t for t, _ in points], "values": [v for _, v in points]}

        def list_metrics(
            self,
            account_id: str,
            region: str,
            namespace: str,
            metric_name: str,
            dimensions: list[dict[str, str]],
        ) -> dict[str, Any]:
            found = super().list_metrics(account_id, region, namespace, metric_name, dimensions)
            told = [each for each in found["metrics"] if has_all(each["dimensions"], dimensions)]
            return {"metrics": told}

        def _restore_dimensions_from_string(self, dimensions: str) -> list[dict[str, str]]:
            return read(dimensions)

    provider: Any = provider_v2
    provider.CloudwatchDatabase = Database
    return Service.for_provider(provider_v2.CloudwatchProvider())
