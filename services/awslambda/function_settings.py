"""What is configured of a function's version, as far as its processes are concerned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class FunctionSettings:
    """What an execution environment needs to know of its function's version."""

    runtime: str
    version: str
    memory_size_in_mb: int
    timeout_seconds: float
    code: Path
    layers: Path
    ephemeral_storage_in_mb: int = 512
    #: What a `bootstrap` must be built for; Python and Node run on any machine.
    architecture: str = "x86_64"
    #: `Text` or `JSON`, and from which level on Lambda's own JSON lines are kept.
    log_format: str = "Text"
    system_log_level: str = "INFO"
    variables: Mapping[str, str] = field(default_factory=dict)
