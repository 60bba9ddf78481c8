"""The engine as a container's first process: the same start as elsewhere, on every address."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from services.localstack.data_folder import take_data_folder
from services.localstack.environment import ENGINE_PYTHON, engine_environment
from services.localstack.errors import EngineFailed
from services.settings import SettingRefused, from_environment

REFUSED = 1


def main() -> int:
    """Become the engine. Comes back only with a sentence, when it cannot start."""
    try:
        settings = from_environment()
        settings = replace(settings, data_dir=settings.data_dir.absolute())
        lock = take_data_folder(settings.data_dir)
    except (EngineFailed, SettingRefused) as refused:
        print(refused, file=sys.stderr)
        return REFUSED
    # The engine holds the folder's lock as long as it lives.
    os.set_inheritable(lock, True)
    os.chdir(settings.data_dir)
    command = [str(ENGINE_PYTHON), "-m", "localstack.runtime.main"]
    os.execve(command[0], command, engine_environment(settings, settings.port))


if __name__ == "__main__":
    sys.exit(main())
