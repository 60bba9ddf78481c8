"""Every setting once, typed, with its help; docs and `.env.example` are printed from it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class SettingRefused(ValueError):
    """A setting has a value outside its rule; the message names value, rule and way out."""


def setting(default: Any, help_text: str, *, choices: tuple[str, ...] = ()) -> Any:
    """One setting: its default, one sentence of help and, where it has them, its allowed words."""
    return field(default=default, metadata={"help": help_text, "choices": choices})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings. The environment variable of `shard_limits` is `RIACHO_SHARD_LIMITS`."""

    port: int = setting(4566, "The port the engine listens on; 0 takes a free one.")
    host: str = setting("127.0.0.1", "The address the engine binds; 0.0.0.0 only in a container.")
    allowed_hosts: str = setting(
        "", "Further names clients may call the engine by, separated by commas (Compose: `engine`)."
    )
    extra_modules: str = setting(
        "", "Python modules with data calls of your own, separated by commas, imported at start."
    )
    data_dir: Path = setting(Path(".riacho/data"), "The folder where the engine keeps its state.")
    region: str = setting("us-east-1", "The AWS region of clients that name none.")
    account_id: str = setting("000000000000", "The AWS account that resources belong to.")
    shard_limits: str = setting(
        "off",
        "Shard quotas as on AWS (1 MiB/s and 1,000 records/s in, 2 MiB/s and 5 reads/s out).",
        choices=("aws", "off"),
    )
    dynamodb: str = setting(
        "auto",
        "DynamoDB's engine: `local` is DynamoDBLocal, `light` needs no Java and forgets; "
        "`auto` takes `local` where it runs.",
        choices=("auto", "local", "light"),
    )
    object_storage: str = setting(
        "disk",
        "Where S3 keeps objects: `disk` survives kill -9, `memory` is for tests.",
        choices=("disk", "memory"),
    )
    stream_storage: str = setting(
        "disk",
        "Where records and the state of every service but S3 are kept: `disk` survives kill -9, "
        "`memory` is for tests.",
        choices=("disk", "memory"),
    )
    stream_sync: str = setting(
        "os",
        "When a put is answered: `os` after the write (survives kill -9), "
        "`always` after fsync (survives a power cut).",
        choices=("os", "always"),
    )
    search: str = setting(
        "off",
        "Whether the engine runs an OpenSearch of its own (`riacho up --with search`).",
        choices=("on", "off"),
    )
    search_url: str = setting(
        "", "An OpenSearch that runs elsewhere: domains made through AWS's API are that server."
    )
    search_port: int = setting(9200, "The port of that OpenSearch; 0 takes a free one.")
    search_heap: str = setting("512m", "Java's heap of that OpenSearch.")
    search_home: str = setting("", "Where OpenSearch is unpacked; empty takes the user's cache.")
    stream_status_seconds: float = setting(
        0.2, "How long a stream stays CREATING, UPDATING or DELETING."
    )


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"RIACHO_{name.upper()}"


def from_environment(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings from `RIACHO_*` variables; `overrides` (None is ignored) win over them."""
    environment = os.environ if environment is None else environment
    known = {f.name: f for f in dataclasses.fields(Settings)}
    values = {
        name: _parse(f, environment[variable(name)])
        for name, f in known.items()
        if environment.get(variable(name), "") != ""
    }
    values |= {name: value for name, value in overrides.items() if value is not None}
    return Settings(**values)


def _parse(setting_field: dataclasses.Field[Any], text: str) -> Any:
    name, choices = variable(setting_field.name), setting_field.metadata["choices"]
    if choices and text not in choices:
        raise SettingRefused(f"{name} is {text!r}; it must be one of: {', '.join(choices)}.")
    kind: Any = type(setting_field.default)
    try:
        return kind(text)
    except ValueError:
        raise SettingRefused(f"{name} is {text!r}; it must be a {kind.__name__}.") from None
