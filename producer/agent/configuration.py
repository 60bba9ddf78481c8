"""`agent.json` and `agent.d`: every key of the Kinesis Agent, checked before anything starts.

https://docs.aws.amazon.com/streams/latest/dev/writing-with-agents.html#agent-config-settings
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from producer.agent.commented_json import parse_commented_json
from producer.agent.configuration_keys import (
    FLOW_KEYS,
    GLOBAL_KEYS,
    AgentConfigurationError,
    Key,
    nearest,
)
from producer.agent.processing import Converter, converter_chain, unknown_option_keys
from producer.agent.splitting import Splitting

KINESIS, FIREHOSE = "kinesis", "firehose"

_MIB, _KIB = 1024 * 1024, 1024
#: Bytes of a call and of a record, partition key included: by destination.
BUFFER_BYTES = {KINESIS: 5 * _MIB, FIREHOSE: 4 * _MIB}
RECORD_BYTES = {KINESIS: 1_024 * _KIB, FIREHOSE: 1_000 * _KIB}


@dataclass(frozen=True)
class Flow:
    """One pair of files and stream. `values` has every flow key, defaults filled in.

    `named_directory` is the folder as the file names it; it is `directory` unless the paths of
    the file are looked for below another root.
    """

    kind: str
    destination: str
    directory: Path
    named_directory: Path
    file_pattern: str
    splitting: Splitting
    converter: Converter | None
    values: Mapping[str, Any]

    @property
    def id(self) -> str:
        """What the checkpoints call it, as in the original."""
        prefix = "kinesis" if self.kind == KINESIS else "fh"
        return f"{prefix}:{self.destination}:{self.named_directory}/{self.file_pattern}"

    @property
    def max_record_bytes(self) -> int:
        return RECORD_BYTES[self.kind]

    @property
    def max_buffer_bytes(self) -> int:
        return int(self.values["maxBufferSizeBytes"] or BUFFER_BYTES[self.kind])


@dataclass(frozen=True)
class AgentConfiguration:
    """The whole configuration; `warnings` are sentences about keys that do nothing."""

    values: Mapping[str, Any]
    flows: tuple[Flow, ...]
    warnings: tuple[str, ...]


def read_configuration(
    path: Path, directory: Path | None = None, root: Path | None = None
) -> AgentConfiguration:
    """`agent.json`, and the flows of every file in `agent.d` (beside it unless named).

    Paths in the files mean places below `root`, as if it were the root of the file system.
    Raises AgentConfigurationError, which names file, key, value and what is accepted.
    """
    document = _read(path)
    warnings: list[str] = []
    found = _flows(path, document, warnings, root)
    directory = path.parent / "agent.d" if directory is None else directory
    for extra in sorted(directory.glob("*.json")) if directory.is_dir() else ():
        found += _flows(extra, _read(extra), warnings, root)
    if not found:
        raise AgentConfigurationError(
            f"{path}: flows has no entry; name at least one file pattern and its stream."
        )
    values = _checked(str(path), document, GLOBAL_KEYS, warnings, ignored={"flows"})
    values["checkpointFile"] = str(_below(root, Path(values["checkpointFile"])))
    return AgentConfiguration(values, tuple(found), tuple(warnings))


def parse_flow(
    where: str, raw: Any, warnings: list[str] | None = None, root: Path | None = None
) -> Flow:
    """One entry of `flows`, its files looked for below `root`. Raises AgentConfigurationError."""
    if not isinstance(raw, dict):
        raise AgentConfigurationError(f"{where} is {raw!r}; it must be an object.")
    warnings = [] if warnings is None else warnings
    values = _checked(where, raw, FLOW_KEYS, warnings)
    warnings += unknown_option_keys(where, values["dataProcessingOptions"])
    # Both may be there: the original takes the delivery stream.
    kind = FIREHOSE if values["deliveryStream"] else KINESIS
    destination = values["deliveryStream"] or values["kinesisStream"]
    if not destination:
        raise AgentConfigurationError(f"{where}: kinesisStream or deliveryStream is required.")
    directory, pattern = _file_pattern(where, values["filePattern"])
    _check_sizes(where, values, kind)
    return Flow(
        kind,
        destination,
        _below(root, directory),
        directory,
        pattern,
        _splitting(values, kind),
        converter_chain(where, values["dataProcessingOptions"]),
        values,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        document = parse_commented_json(path.read_text("utf-8"))
    except OSError as error:
        raise AgentConfigurationError(
            f"{path} cannot be read: {error.strerror}. Name the agent's configuration file."
        ) from None
    except ValueError as error:
        raise AgentConfigurationError(f"{path} is not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise AgentConfigurationError(f"{path} holds {document!r:.40}; it must hold an object.")
    return document


def _flows(
    path: Path, document: dict[str, Any], warnings: list[str], root: Path | None
) -> list[Flow]:
    raw = document.get("flows", [])
    if not isinstance(raw, list):
        raise AgentConfigurationError(f"{path}: flows is {raw!r:.60}; it must be a list of flows.")
    return [parse_flow(f"{path}: flows[{n}]", flow, warnings, root) for n, flow in enumerate(raw)]


def _below(root: Path | None, path: Path) -> Path:
    return path if root is None else root / path.relative_to(path.anchor)


def _checked(
    where: str,
    raw: Mapping[str, Any],
    keys: Mapping[str, Key],
    warnings: list[str],
    ignored: frozenset[str] | set[str] = frozenset(),
) -> dict[str, Any]:
    for name in sorted(raw.keys() - keys.keys() - ignored):
        sentence = f"{where}: {name} is no key of the Kinesis Agent and does nothing"
        warnings.append(sentence + nearest(name, keys))
    return {name: key.read(where, name, raw.get(name)) for name, key in keys.items()}


def _file_pattern(where: str, text: str) -> tuple[Path, str]:
    directory, name = os.path.split(text)
    if not name or not directory:
        missing = "a file name" if not name else "a directory"
        raise AgentConfigurationError(
            f"{where}: filePattern is {text!r}; it lacks {missing}: write /directory/name*.log, "
            "with wildcards in the file name only."
        )
    return Path(directory), name


def _check_sizes(where: str, values: Mapping[str, Any], kind: str) -> None:
    size = values["maxBufferSizeBytes"]
    if size is not None and size > BUFFER_BYTES[kind]:
        raise AgentConfigurationError(
            f"{where}: maxBufferSizeBytes is {size}; accepted is a whole number "
            f"from 1 to {BUFFER_BYTES[kind]} for {kind}."
        )
    if len(values["truncatedRecordTerminator"].encode()) >= RECORD_BYTES[kind]:
        raise AgentConfigurationError(
            f"{where}: truncatedRecordTerminator must be shorter than {RECORD_BYTES[kind]} bytes."
        )


def _splitting(values: Mapping[str, Any], kind: str) -> Splitting:
    together = values["aggregatedRecordSizeBytes"] if kind == FIREHOSE else 0
    return Splitting(values["multiLineStartPattern"], together, values["fileFooterPattern"])
