"""Why there is no engine.

EngineFailed
├── NotInstalled
├── PortTaken
├── DataFolderInUse
└── DataFolderRefused
"""

from __future__ import annotations


class EngineFailed(RuntimeError):
    """The engine did not start or was lost; the message says why and what to do."""


class PortTaken(EngineFailed):
    """Somebody else listens on the wanted port."""


class DataFolderInUse(EngineFailed):
    """Another engine works on this data folder."""


class DataFolderRefused(EngineFailed):
    """The data folder cannot be written, or its disk is full."""


class NotInstalled(EngineFailed):
    """There is no engine's environment in this clone."""
