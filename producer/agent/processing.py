"""`dataProcessingOptions`: what is done to each record before it is sent. Pure.

https://docs.aws.amazon.com/streams/latest/dev/writing-with-agents.html#pre-processing
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from producer.agent.configuration_keys import AgentConfigurationError, flag, nearest
from producer.agent.ec2_metadata import Ec2Metadata
from producer.agent.java_regex import RegexRefused, java_regex, java_split
from producer.agent.log_formats import LOG_FORMATS, LogFormat

#: A record in, a record out; None leaves the record out; an error sends it as it was.
Converter = Callable[[bytes], bytes | None]
Option = Mapping[str, Any]


def unknown_option_keys(where: str, options: Sequence[Option] | None) -> list[str]:
    """Sentences about keys and words that the options do not know and that do nothing."""
    told: list[str] = []
    for number, option in enumerate(options or ()):
        here = f"{where}: dataProcessingOptions[{number}]"
        known = ("optionName", *OPTION_KEYS.get(str(option.get("optionName")), ()))
        told += [
            f"{here}: {name} is no key of {option.get('optionName')} and does nothing"
            f"{nearest(name, known)}"
            for name in sorted(option.keys() - set(known))
        ]
        words = option.get("parseOptions") or ()
        told += [
            f"{here}: parseOptions has {word!r}, which does nothing{nearest(word, PARSE_OPTIONS)}"
            for word in words
            if word not in PARSE_OPTIONS
        ]
    return told


def converter_chain(where: str, options: Sequence[Option] | None) -> Converter | None:
    """One converter that applies the options in their order; None without options.

    Raises AgentConfigurationError.
    """
    if not options:
        return None
    chain = [_converter(f"{where}: dataProcessingOptions[{n}]", o) for n, o in enumerate(options)]

    def convert(record: bytes) -> bytes | None:
        converted: bytes | None = record
        for converter in chain:
            if converted is None:
                return None
            converted = converter(converted)
        return converted

    return convert


def _converter(where: str, option: Option) -> Converter:
    name = option.get("optionName")
    if name not in OPTIONS:
        raise AgentConfigurationError(
            f"{where}: optionName is {name!r}; accepted is one of {', '.join(OPTIONS)}."
        )
    return OPTIONS[name](where, option)


def _single_line(where: str, option: Option) -> Converter:
    """Many lines become one; trimmed, and joined by nothing or by a visible `\\n`."""
    wanted = _strings(where, option, "parseOptions") or []
    joint = "\\n" if "ESCAPE_NEW_LINE" in wanted else ""
    trims = "NO_TRIM" not in wanted

    def convert(record: bytes) -> bytes:
        lines = _text(record).split("\n")
        while len(lines) > 1 and not lines[-1]:
            lines.pop()  # as Java's split: empty ones at the end vanish
        return (joint.join(map(_trim, lines) if trims else lines) + "\n").encode()

    return convert


def _csv_to_json(where: str, option: Option) -> Converter:
    """Names for the columns. The split knows no quotes, as in the original."""
    fields = _strings(where, option, "customFieldNames")
    if not fields:
        raise AgentConfigurationError(f"{where}: customFieldNames is required for CSVTOJSON.")
    try:
        delimiter = java_regex(option.get("delimiter") or ",")
    except (RegexRefused, TypeError) as error:
        raise AgentConfigurationError(f"{where}: delimiter: {error}.") from None
    write = _json_writer(where, option)
    plain = delimiter.pattern if delimiter.pattern in {",", ";", "\t", " ", ":"} else None

    def convert(record: bytes) -> bytes:
        line = _line(record)
        if plain is None:
            columns = java_split(delimiter, line)
        else:
            columns = line.rstrip(plain).split(plain) if line.strip(plain) else [line]
        padded: list[str | None] = [*columns, *[None] * (len(fields) - len(columns))]
        return write(dict(zip(fields, padded, strict=False)))

    return convert


def _log_to_json(where: str, option: Option) -> Converter:
    """Fields of a log line; a line that does not match is left out, as in the original."""
    log_format, write = _log_format(where, option), _json_writer(where, option)

    def convert(record: bytes) -> bytes | None:
        # The original's `.` stops before a carriage return and so loses every CRLF line.
        parsed = log_format.parse(_line(record).removesuffix("\r"))
        return None if parsed is None else write(parsed)

    return convert


def _log_format(where: str, option: Option) -> LogFormat:
    name, pattern = option.get("logFormat"), option.get("matchPattern")
    fields = _strings(where, option, "customFieldNames")
    if name not in LOG_FORMATS:
        raise AgentConfigurationError(
            f"{where}: logFormat is {name!r}; accepted is one of {', '.join(LOG_FORMATS)}."
        )
    known = LOG_FORMATS[name]
    if pattern is None:
        if fields is not None and len(fields) != len(known.fields):
            raise AgentConfigurationError(
                f"{where}: customFieldNames has {len(fields)} names; {name} has "
                f"{len(known.fields)} fields."
            )
        return known._replace(fields=tuple(fields or known.fields))
    if fields is None:
        raise AgentConfigurationError(f"{where}: matchPattern needs customFieldNames.")
    try:
        return known._replace(pattern=java_regex(pattern), fields=tuple(fields))
    except (RegexRefused, TypeError) as error:
        raise AgentConfigurationError(f"{where}: matchPattern: {error}.") from None


def _add_metadata(where: str, option: Option) -> Converter:
    metadata, write = option.get("metadata"), _json_writer(where, option)
    stamps = flag(False).read(where, "timestamp", option.get("timestamp"))

    def convert(record: bytes) -> bytes:
        wrapped: dict[str, Any] = {}
        if stamps:
            now = datetime.now(UTC)
            wrapped["ts"] = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
        return write(wrapped | {"metadata": metadata, "data": _line(record)})

    return convert


def _add_ec2_metadata(where: str, option: Option) -> Converter:
    """The instance's facts in each JSON record; without any, the record stays as it is."""
    seconds = option.get("metadataTTL", 3_600)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        raise AgentConfigurationError(
            f"{where}: metadataTTL is {seconds!r}; accepted is a whole number of seconds."
        )
    source, write = Ec2Metadata(seconds), _json_writer(where, option)

    def convert(record: bytes) -> bytes:
        metadata = source.current()
        return write(orjson.loads(record) | metadata) if metadata else record

    return convert


def _add_brackets(where: str, option: Option) -> Converter:
    return lambda record: b"{" + record + b"}"


def _using_plugin(where: str, option: Option) -> Converter:
    """A class of the user's own: `module:Class` with `convert(bytes) -> bytes | None`."""
    name = option.get("className", option.get("classname"))
    if not isinstance(name, str) or ":" not in name:
        raise AgentConfigurationError(
            f"{where}: className is {name!r}; accepted is module:Class, a Python class with a "
            "method convert(bytes) -> bytes | None (Java classes cannot be loaded)."
        )
    module, _, class_name = name.partition(":")
    try:
        plugin = getattr(importlib.import_module(module), class_name)()
    except (ImportError, AttributeError, TypeError) as error:
        raise AgentConfigurationError(f"{where}: className {name!r}: {error}.") from None
    convert: Converter = plugin.convert
    return convert


#: What SINGLELINE can be told.
PARSE_OPTIONS = ("NO_TRIM", "ESCAPE_NEW_LINE")

#: The keys of each option beside `optionName`.
OPTION_KEYS: dict[str, tuple[str, ...]] = {
    "SINGLELINE": ("parseOptions",),
    "CSVTOJSON": ("customFieldNames", "delimiter", "jsonFormat"),
    "LOGTOJSON": ("logFormat", "matchPattern", "customFieldNames", "jsonFormat"),
    "ADDMETADATA": ("metadata", "timestamp", "jsonFormat"),
    "ADDEC2METADATA": ("metadataTTL", "logFormat", "jsonFormat"),
    "ADDBRACKETS": (),
    "USINGPLUGGIN": ("className", "classname"),
}

OPTIONS: dict[str, Callable[[str, Option], Converter]] = {
    "SINGLELINE": _single_line,
    "CSVTOJSON": _csv_to_json,
    "LOGTOJSON": _log_to_json,
    "ADDMETADATA": _add_metadata,
    "ADDEC2METADATA": _add_ec2_metadata,
    "ADDBRACKETS": _add_brackets,
    "USINGPLUGGIN": _using_plugin,
}


def _json_writer(where: str, option: Option) -> Callable[[Mapping[str, Any]], bytes]:
    """The record as JSON and a line end; PRETTYPRINT as Java's Jackson prints it."""
    form = option.get("jsonFormat", "COMPACT")
    if form == "COMPACT":
        return lambda record: orjson.dumps(record) + b"\n"
    if form == "PRETTYPRINT":
        return lambda record: (
            json.dumps(record, ensure_ascii=False, indent=2, separators=(",", " : ")) + "\n"
        ).encode()
    raise AgentConfigurationError(
        f"{where}: jsonFormat is {form!r}; accepted is COMPACT or PRETTYPRINT."
    )


def _strings(where: str, option: Option, key: str) -> list[str] | None:
    value = option.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise AgentConfigurationError(
            f"{where}: {key} is {value!r}; accepted is a list of strings."
        )
    return value


def _text(record: bytes) -> str:
    return record.decode("utf-8", "replace")


def _line(record: bytes) -> str:
    return _text(record).removesuffix("\n")


def _trim(line: str) -> str:
    """Java's trim: everything up to the space goes."""
    return line.strip("".join(map(chr, range(0x21))))
