"""The picture of the data flow: what exists, how it is joined, what is stuck."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboards.aws import Aws, listed
from dashboards.facts.lake import read_tables
from dashboards.facts.messages import read_alarms
from dashboards.facts.metrics import (
    Metric,
    Point,
    firehose_metric,
    kinesis_metric,
    lambda_metric,
    latest,
    rate_per_second,
    read_metrics,
)
from dashboards.facts.readers import Reader, readers
from dashboards.facts.streams import read_leases, read_shards, stream_names

#: A source read more than a minute late is stuck: buffers wait less than that on most settings.
STUCK_AGE_SECONDS = 300.0
READY_STATES = frozenset({"ACTIVE", "Active", "Enabled", "OK", "", "READY", "INSUFFICIENT_DATA"})


@dataclass(frozen=True)
class Node:
    """One thing. `kind` is the service's word: stream, delivery stream, function, bucket, …"""

    key: str
    kind: str
    name: str
    state: str = ""
    detail: str = ""

    @property
    def is_ready(self) -> bool:
        return self.state in READY_STATES


@dataclass(frozen=True)
class Edge:
    """From one node to another. Records per second, None when nothing measures it; lag in
    seconds behind the source."""

    source: str
    target: str
    rate: float | None = None
    lag_seconds: float | None = None

    @property
    def is_stuck(self) -> bool:
        return self.lag_seconds is not None and self.lag_seconds > STUCK_AGE_SECONDS


@dataclass(frozen=True)
class Flow:
    """The whole picture, and what could not be read."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    problems: tuple[str, ...] = ()
    rates: dict[str, float] = field(default_factory=dict)


@dataclass
class _Found:
    streams: list[dict[str, Any]]
    delivery_streams: list[dict[str, Any]]
    functions: list[dict[str, Any]]
    mappings: list[dict[str, Any]]
    tables: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    readers: list[Reader] = field(default_factory=list)


def read_flow(aws: Aws, now: float) -> Flow:
    """Ask every service what it has. Raises EndpointConnectionError when none answers."""
    problems: list[str] = []
    found = _Found(
        listed(lambda: _streams(aws.client("kinesis")), problems, "Kinesis"),
        listed(lambda: _delivery_streams(aws.client("firehose")), problems, "Firehose"),
        listed(lambda: _functions(aws.client("lambda")), problems, "Lambda"),
        listed(lambda: _mappings(aws.client("lambda")), problems, "Lambda"),
        listed(lambda: read_tables(aws.client("glue")), problems, "Glue"),
        listed(lambda: read_alarms(aws.client("cloudwatch")), problems, "CloudWatch"),
    )
    found.readers = listed(lambda: _readers(aws, found.streams), problems, "DynamoDB")
    metrics = read_metrics(aws.client("cloudwatch"), _wanted(found), now)
    return draw(found, metrics, now, problems)


def draw(
    found: _Found, metrics: dict[Metric, list[Point]], now: float, problems: Sequence[str] = ()
) -> Flow:
    """Nodes and edges of what was found. Pure."""
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    rates: dict[str, float] = {}
    for stream in found.streams:
        name = stream["StreamName"]
        key = f"stream:{name}"
        rates[key] = rate_per_second(metrics.get(kinesis_metric("IncomingRecords", name), []), now)
        detail = f"{stream['OpenShardCount']} shards · {rates[key]:,.1f}/s"
        nodes[key] = Node(key, "stream", name, stream["StreamStatus"], detail)
    for delivery in found.delivery_streams:
        _draw_delivery(delivery, metrics, now, nodes, edges)
    for function in found.functions:
        name = function["FunctionName"]
        key = f"function:{name}"
        nodes[key] = Node(key, "function", name, function.get("State", ""))
    for mapping in found.mappings:
        _draw_mapping(mapping, metrics, now, nodes, edges)
    for reader in found.readers:
        _draw_reader(reader, nodes, edges)
    for table in found.tables:
        _draw_table(table, nodes, edges)
    for alarm in found.alarms:
        _draw_alarm(alarm, nodes, edges)
    return Flow(tuple(nodes.values()), tuple(edges), tuple(dict.fromkeys(problems)), rates)


def as_dot(flow: Flow) -> str:
    """The picture for Graphviz, from left to right; red is stuck or not ready.

    Colours are filled, so that light and dark pages show the same."""
    lines = [
        "digraph flow {",
        'rankdir=LR; bgcolor="transparent"; nodesep=0.25; ranksep=0.6;',
        'node [shape=box style="filled,rounded" fontname="sans-serif" fontsize=12 penwidth=0];',
        'edge [fontname="sans-serif" fontsize=10 color="#8a8f98" fontcolor="#8a8f98"];',
    ]
    for node in flow.nodes:
        fill, ink = COLOURS.get(node.kind, ("#6b7280", "white"))
        fill = fill if node.is_ready else STUCK_COLOUR
        state = f"\\n{_quoted(node.state)}" if not node.is_ready else ""
        detail = f"\\n{_quoted(node.detail)}" if node.detail else ""
        label = f"{_quoted(node.kind)}\\n{_quoted(node.name)}{detail}{state}"
        lines.append(
            f'"{_quoted(node.key)}" [label="{label}" fillcolor="{fill}" fontcolor="{ink}"];'
        )
    for edge in flow.edges:
        colour = f'color="{STUCK_COLOUR}" fontcolor="{STUCK_COLOUR}" ' if edge.is_stuck else ""
        label = f'{colour}label="{edge_label(edge)}"'
        lines.append(f'"{_quoted(edge.source)}" -> "{_quoted(edge.target)}" [{label}];')
    return "\n".join([*lines, "}"])


STUCK_COLOUR = "#c62828"
COLOURS = {
    "stream": ("#1565c0", "white"),
    "delivery stream": ("#2e7d32", "white"),
    "function": ("#b45309", "white"),
    "consumer": ("#9a3412", "white"),
    "bucket": ("#00695c", "white"),
    "table": ("#4527a0", "white"),
    "alarm": ("#4b5563", "white"),
    "topic": ("#9d174d", "white"),
    "search": ("#0e7490", "white"),
}


def edge_label(edge: Edge) -> str:
    """`12.5/s · 3 s late`, as far as known."""
    rate = [] if edge.rate is None else [f"{edge.rate:,.1f}/s"]
    lag = [] if edge.lag_seconds is None else [f"{edge.lag_seconds:,.0f} s late"]
    return " · ".join(rate + lag)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _name(arn: str) -> str:
    return arn.rpartition(":")[2].rpartition("/")[2]


def _draw_delivery(
    delivery: dict[str, Any],
    metrics: dict[Metric, list[Point]],
    now: float,
    nodes: dict[str, Node],
    edges: list[Edge],
) -> None:
    name = delivery["DeliveryStreamName"]
    key = f"delivery:{name}"
    nodes[key] = Node(key, "delivery stream", name, delivery["DeliveryStreamStatus"])
    source = delivery.get("Source", {}).get("KinesisStreamSourceDescription")
    if source:
        read = metrics.get(firehose_metric("DataReadFromKinesisStream.Records", name), [])
        late = latest(
            metrics.get(firehose_metric("KinesisMillisBehindLatest", name, "Maximum"), [])
        )
        lag = None if late is None else late / 1000
        stream = f"stream:{_name(source['KinesisStreamARN'])}"
        nodes.setdefault(
            stream, Node(stream, "stream", _name(source["KinesisStreamARN"]), "missing")
        )
        edges.append(Edge(stream, key, rate_per_second(read, now), lag))
    delivered = metrics.get(firehose_metric("DeliveryToS3.Records", name), [])
    for destination in delivery.get("Destinations", []):
        for s3 in _s3_destinations(destination):
            bucket = f"bucket:{_name(s3['BucketARN'])}"
            nodes.setdefault(bucket, Node(bucket, "bucket", _name(s3["BucketARN"])))
            edges.append(Edge(key, bucket, rate_per_second(delivered, now)))
        search = destination.get("AmazonopensearchserviceDestinationDescription")
        if search:
            index = f"search:{search.get('IndexName', 'index')}"
            nodes.setdefault(index, Node(index, "search", search.get("IndexName", "index")))
            edges.append(Edge(key, index))


def _s3_destinations(destination: dict[str, Any]) -> Iterable[dict[str, Any]]:
    extended = destination.get("ExtendedS3DestinationDescription")
    plain = destination.get("S3DestinationDescription")
    found = extended or plain
    return [found] if found else []


def _draw_mapping(
    mapping: dict[str, Any],
    metrics: dict[Metric, list[Point]],
    now: float,
    nodes: dict[str, Node],
    edges: list[Edge],
) -> None:
    source, function = mapping.get("EventSourceArn", ""), mapping.get("FunctionArn", "")
    name = function.split(":function:")[-1].split(":")[0]
    kind = source.split(":")[2] if source.count(":") >= 5 else ""
    start = f"stream:{_name(source)}" if kind == "kinesis" else f"{kind}:{_name(source)}"
    if not source or not function:
        return
    nodes.setdefault(start, Node(start, "stream" if kind == "kinesis" else kind, _name(source)))
    key = f"function:{name}"
    nodes.setdefault(key, Node(key, "function", name, mapping.get("State", "")))
    age = latest(metrics.get(lambda_metric("IteratorAge", name, "Maximum"), []))
    invoked = metrics.get(lambda_metric("Invocations", name), [])
    lag = None if age is None else age / 1000
    edges.append(Edge(start, key, rate_per_second(invoked, now) if invoked else None, lag))


def _draw_reader(reader: Reader, nodes: dict[str, Node], edges: list[Edge]) -> None:
    key = f"consumer:{reader.application}"
    detail = f"{reader.workers} workers · {reader.leases} leases"
    nodes[key] = Node(key, "consumer", reader.application, "", detail)
    edges.append(Edge(f"stream:{reader.stream_name}", key))


def _draw_table(table: dict[str, Any], nodes: dict[str, Node], edges: list[Edge]) -> None:
    location = (table.get("StorageDescriptor") or {}).get("Location") or ""
    bucket_name = location.removeprefix("s3://").partition("/")[0]
    key = f"table:{table['DatabaseName']}.{table['Name']}"
    nodes[key] = Node(key, "table", f"{table['DatabaseName']}.{table['Name']}")
    if location.startswith("s3://") and bucket_name:
        bucket = f"bucket:{bucket_name}"
        nodes.setdefault(bucket, Node(bucket, "bucket", bucket_name))
        edges.append(Edge(bucket, key))


def _draw_alarm(alarm: dict[str, Any], nodes: dict[str, Node], edges: list[Edge]) -> None:
    key = f"alarm:{alarm['AlarmName']}"
    nodes[key] = Node(key, "alarm", alarm["AlarmName"], alarm["StateValue"])
    watched = {d["Name"]: d["Value"] for d in alarm.get("Dimensions", [])}
    for dimension, prefix in WATCHED.items():
        if f"{prefix}:{watched.get(dimension)}" in nodes:
            edges.append(Edge(f"{prefix}:{watched[dimension]}", key))
    for arn in alarm.get("AlarmActions", []):
        if ":sns:" in arn:
            topic = f"topic:{_name(arn)}"
            nodes.setdefault(topic, Node(topic, "topic", _name(arn)))
            edges.append(Edge(key, topic))


WATCHED = {"StreamName": "stream", "DeliveryStreamName": "delivery", "FunctionName": "function"}


def _wanted(found: _Found) -> list[Metric]:
    wanted = [kinesis_metric("IncomingRecords", s["StreamName"]) for s in found.streams]
    for delivery in found.delivery_streams:
        name = delivery["DeliveryStreamName"]
        wanted += [
            firehose_metric("DataReadFromKinesisStream.Records", name),
            firehose_metric("KinesisMillisBehindLatest", name, "Maximum"),
            firehose_metric("DeliveryToS3.Records", name),
        ]
    for function in found.functions:
        name = function["FunctionName"]
        wanted += [lambda_metric("Invocations", name)]
        wanted += [lambda_metric("IteratorAge", name, "Maximum")]
    return wanted


def _streams(kinesis: Any) -> list[dict[str, Any]]:
    return [
        kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        for name in stream_names(kinesis)
    ]


def _readers(aws: Aws, streams: list[dict[str, Any]]) -> list[Reader]:
    """KCL applications. Nobody reads where there is no stream: DynamoDB is not even asked then."""
    if not streams:
        return []
    leases = read_leases(aws.client("dynamodb"))
    names = [stream["StreamName"] for stream in streams] if leases else []
    return readers(leases, {name: read_shards(aws.client("kinesis"), name) for name in names})


def _delivery_streams(firehose: Any) -> list[dict[str, Any]]:
    names: list[str] = []
    more = True
    while more:
        start = {"ExclusiveStartDeliveryStreamName": names[-1]} if names else {}
        answer = firehose.list_delivery_streams(Limit=100, **start)
        names += answer["DeliveryStreamNames"]
        more = bool(answer["HasMoreDeliveryStreams"] and answer["DeliveryStreamNames"])
    return [
        firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
        for name in names
    ]


def _functions(awslambda: Any) -> list[dict[str, Any]]:
    pages = awslambda.get_paginator("list_functions").paginate()
    return [function for page in pages for function in page["Functions"]]


def _mappings(awslambda: Any) -> list[dict[str, Any]]:
    pages = awslambda.get_paginator("list_event_source_mappings").paginate()
    return [mapping for page in pages for mapping in page["EventSourceMappings"]]
