"""LocalStack's SQS, telling CloudWatch once a second what happened instead of twice a message.

Each value in a call of its own takes more of a processor than the message it tells of.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from localstack.aws.connect import connect_to
from localstack.services.plugins import Service, aws_provider

from services.gathering import Gathering
from services.localstack.sqs.queue_metrics import NAMESPACE, Counted, Values, requests

GATHER_SECONDS = 1.0


@aws_provider(api="sqs", name="riacho")
def sqs() -> Service:
    """SQS."""
    from localstack.services.sqs import provider as stock

    class Dispatcher(stock.CloudwatchDispatcher):
        """In the place of a pool of threads that make a call for each value."""

        def __init__(self) -> None:
            self._gathering: Gathering[dict[Counted, Counter[float]]] = Gathering(
                "sqs-metrics", dict, _send, seconds=GATHER_SECONDS
            )

        def dispatch_sqs_metric(
            self,
            account_id: str,
            region: str,
            queue_name: str,
            metric: str,
            value: float = 1,
            unit: str = "Count",
        ) -> None:
            counted = Counted(account_id, region, queue_name, metric, unit, int(time.time()))
            self._gathering.add(lambda values: _add(values, counted, value))

        def shutdown(self) -> None:
            self._gathering.send_now()

    provider: Any = stock
    provider.CloudwatchDispatcher = Dispatcher
    return Service.for_provider(stock.SqsProvider())


def _add(values: dict[Counted, Counter[float]], counted: Counted, value: float) -> None:
    values.setdefault(counted, Counter())[value] += 1


def _send(values: Values) -> None:
    for account_id, region, data in requests(values):
        cloudwatch = connect_to(aws_access_key_id=account_id, region_name=region).cloudwatch
        cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)
