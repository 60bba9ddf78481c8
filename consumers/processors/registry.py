"""All processors by name, and how a command line names them, or a class of one's own."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from opensearchpy import OpenSearch
from opensearchpy.exceptions import OpenSearchException

from consumers.kcl.dead_letters import KinesisDeadLetters
from consumers.kcl.record_processor import ProcessorFactory, ShardRecordProcessor
from consumers.processors.destination import Destination, RejectedRecords
from consumers.processors.object_store import S3ObjectStore
from consumers.processors.raw_zone_chain import CutLimits
from consumers.processors.storing import StoringProcessor
from consumers.processors.to_dead_letter import DeadLetterStream
from consumers.processors.to_dynamodb import DynamoDBTable, key_types
from consumers.processors.to_opensearch import OpenSearchIndex
from consumers.processors.to_raw_zone import RawZone
from consumers.processors.to_rejected import RejectedZone

#: Gives the boto3 client of a service by its name.
Clients = Callable[[str], Any]
Options = Mapping[str, str]


class UnknownProcessor(ValueError):
    """A processor's name, option or class does not exist; the message lists what does."""


@dataclass(frozen=True, slots=True)
class ProcessorKind:
    """One entry of the registry. `options`: name → meaning; `required` ones have no default."""

    help: str
    required: tuple[str, ...]
    options: Mapping[str, str]
    make: Callable[[Options, Clients], Destination]
    #: Raises when what the options name does not exist: told at the start, not shard by shard.
    check: Callable[[Options, Clients], object]


def _number[N: (int, float)](options: Options, name: str, default: N) -> N:
    """An option that is a number above 0, whole where its default is."""
    text = options.get(name)
    if text is None:
        return default
    kind = type(default)
    try:
        number = kind(text)
    except ValueError:
        number = kind(0)
    if not 0 < number < float("inf"):
        whole = "whole " if kind is int else ""
        raise ValueError(f"{name} is {text!r}; it must be a {whole}number above 0.")
    return number


def _to_dynamodb(options: Options, clients: Clients) -> Destination:
    parallel = _number(options, "parallel_batches", 4)
    return DynamoDBTable(clients("dynamodb"), options["table"], parallel_batches=parallel)


def _check_table(options: Options, clients: Clients) -> object:
    return key_types(clients("dynamodb"), options["table"])


def _check_bucket(options: Options, clients: Clients) -> object:
    s3 = clients("s3")
    try:
        return s3.head_bucket(Bucket=options["bucket"])
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        there = ", ".join(b["Name"] for b in s3.list_buckets()["Buckets"]) or "none"
        raise UnknownProcessor(
            f"There is no bucket {options['bucket']!r}; there are: {there}."
        ) from None


def _to_raw_zone(options: Options, clients: Clients) -> Destination:
    default = CutLimits()
    limits = CutLimits(
        max_records=_number(options, "max_records", default.max_records),
        max_bytes=_number(options, "max_bytes", default.max_bytes),
        max_age_seconds=_number(options, "max_age_seconds", default.max_age_seconds),
    )
    store = S3ObjectStore(clients("s3"), options["bucket"])
    return RawZone(store, options.get("prefix", "raw/"), limits)


def _to_opensearch(options: Options, clients: Clients) -> Destination:
    return OpenSearchIndex(
        OpenSearch(options["endpoint"]),
        options["index"],
        id_attribute=options.get("id"),
        rotation=options.get("rotation", "NoRotation"),
    )


def _check_cluster(options: Options, clients: Clients) -> object:
    endpoint = options["endpoint"]
    try:
        return OpenSearch(endpoint).info()
    except OpenSearchException as error:
        raise UnknownProcessor(f"No OpenSearch answers at {endpoint!r}: {error}") from None


PROCESSORS: dict[str, ProcessorKind] = {
    "to_dynamodb": ProcessorKind(
        "One item a row in a DynamoDB table, keyed by the table's own key.",
        ("table",),
        {"table": "the table's name", "parallel_batches": "BatchWriteItem calls at a time (4)"},
        _to_dynamodb,
        _check_table,
    ),
    "to_raw_zone": ProcessorKind(
        "Gzip JSON lines in S3 by hour of arrival, each row in exactly one object.",
        ("bucket",),
        {
            "bucket": "the bucket's name",
            "prefix": "what the keys begin with (raw/)",
            "max_records": "rows in one object (25000)",
            "max_bytes": "bytes in one object before compression (16777216)",
            "max_age_seconds": "how long the first row of an object waits (60)",
        },
        _to_raw_zone,
        _check_bucket,
    ),
    "to_opensearch": ProcessorKind(
        "One document a row in an OpenSearch index, by its bulk API.",
        ("endpoint", "index"),
        {
            "endpoint": "the cluster, such as http://127.0.0.1:9200",
            "index": "the index's name",
            "id": "the attribute that is a row's id (its place in the stream)",
            "rotation": "NoRotation, OneHour, OneDay or OneMonth after the name (NoRotation)",
        },
        _to_opensearch,
        _check_cluster,
    ),
}

#: How `rejected` names a dead-letter stream.
_DEAD_LETTER = "to_dead_letter"


def load_processors(
    specs: Sequence[str], clients: Clients, *, rejected: str | None = None
) -> ProcessorFactory:
    """The processor that `--processor` names, several storing ones side by side.

    A spec is `NAME:option=value,option=value`, or `module:Class` for a ShardRecordProcessor or a
    Destination of one's own (found in the current folder too). `rejected` is where records go that
    a destination cannot take: `s3://bucket/prefix/`, or `to_dead_letter:stream=NAME`; beside
    `to_raw_zone` it defaults to `rejected/` in the same bucket. Raises UnknownProcessor.
    """
    if not specs:
        raise UnknownProcessor(f"Name a processor: {_there_are()}.")
    makers = [_maker(spec, clients) for spec in specs]
    if len(makers) == 1 and not _stores(makers[0]):
        factory: ProcessorFactory = makers[0]
        return factory
    alone = [s for s, make in zip(specs, makers, strict=True) if not _stores(make)]
    if alone:
        raise UnknownProcessor(f"{alone[0]} is a whole processor and cannot stand beside others.")
    if [_name(spec) for spec in specs].count("to_raw_zone") > 1:
        raise UnknownProcessor("A worker has one to_raw_zone at most: it says where objects end.")
    for make in makers:
        if isinstance(make, _Storing):
            make.check()
    place = _rejected(specs, clients, rejected)
    return lambda: StoringProcessor([make() for make in makers], place)


class _Storing:
    """Makes a destination of the registry."""

    def __init__(self, kind: ProcessorKind, options: Options, clients: Clients) -> None:
        self._kind, self._options, self._clients = kind, options, clients

    def __call__(self) -> Destination:
        return self._kind.make(self._options, self._clients)

    def check(self) -> None:
        self._kind.check(self._options, self._clients)


def _maker(spec: str, clients: Clients) -> Callable[[], Any]:
    name, _, rest = spec.partition(":")
    if name in PROCESSORS:
        kind = PROCESSORS[name]
        maker = _Storing(kind, _options(name, kind, rest), clients)
        try:
            maker()  # a value that is no number should be told now, not in each shard
        except ValueError as error:
            raise UnknownProcessor(f"{spec}: {error}") from None
        return maker
    if not rest or "=" in rest:
        raise UnknownProcessor(
            f"There is no processor {name!r}; there are: {_there_are()}, "
            "or module:Class of your own."
        )
    return _own_class(name, rest)


def _own_class(module_name: str, class_name: str) -> Callable[[], Any]:
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except ModuleNotFoundError as error:
        raise UnknownProcessor(
            f"{module_name}:{class_name}: {error}; "
            "the module must lie in this folder or be installed."
        ) from None
    except (ImportError, SyntaxError) as error:  # the student's own slip, told with its place
        raise UnknownProcessor(f"{module_name}:{class_name}: {error}.") from None
    except AttributeError:
        raise UnknownProcessor(f"Module {module_name!r} has no class {class_name!r}.") from None
    missing = [n for n in _METHODS if not callable(getattr(found, n, None))]
    if missing and not _stores(found):
        raise UnknownProcessor(
            f"{module_name}:{class_name} is no ShardRecordProcessor: it lacks {', '.join(missing)}."
        )
    maker: Callable[[], Any] = found
    return maker


_METHODS = tuple(name for name in vars(ShardRecordProcessor) if not name.startswith("_"))


def _stores(maker: Any) -> bool:
    return isinstance(maker, _Storing) or all(
        callable(getattr(maker, name, None)) for name in ("store", "flush", "reason_to_reject")
    )


def _options(name: str, kind: ProcessorKind, text: str) -> Options:
    given = dict(_pair(name, part) for part in text.split(",") if part)
    unknown = [option for option in given if option not in kind.options]
    missing = [option for option in kind.required if option not in given]
    if unknown or missing:
        fault = f"no option {unknown[0]!r}" if unknown else f"no {missing[0]!r} given"
        told = "; ".join(f"{option}: {means}" for option, means in kind.options.items())
        raise UnknownProcessor(f"{name} has {fault}. Its options: {told}.")
    return given


def _pair(name: str, part: str) -> tuple[str, str]:
    option, equals, value = part.partition("=")
    if not equals:
        raise UnknownProcessor(f"{name}: {part!r} must be written option=value.")
    return option, value


def _name(spec: str) -> str:
    return spec.partition(":")[0]


def _rejected(
    specs: Sequence[str], clients: Clients, rejected: str | None
) -> RejectedRecords | None:
    if rejected is not None and _name(rejected) == _DEAD_LETTER:
        _, _, stream = rejected.partition(":stream=")
        if not stream:
            raise UnknownProcessor(
                f"{rejected!r} names no stream; write {_DEAD_LETTER}:stream=NAME."
            )
        return DeadLetterStream(KinesisDeadLetters(clients("kinesis"), stream))
    if rejected is not None:
        scheme, _, rest = rejected.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme != "s3" or not bucket:
            raise UnknownProcessor(
                f"{rejected!r} is no place; write s3://bucket/prefix/ or "
                f"{_DEAD_LETTER}:stream=NAME."
            )
        return RejectedZone(S3ObjectStore(clients("s3"), bucket), prefix or "rejected/")
    for spec in specs:
        if _name(spec) == "to_raw_zone":
            options = _options(_name(spec), PROCESSORS["to_raw_zone"], spec.partition(":")[2])
            return RejectedZone(S3ObjectStore(clients("s3"), options["bucket"]))
    return None


def _there_are() -> str:
    return ", ".join(PROCESSORS)
