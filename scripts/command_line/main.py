"""The `riacho` command: one table of commands, one file per family of them."""

from __future__ import annotations

import importlib
from typing import Any

import click

from scripts.command_line.failures import as_sentence

#: Where each command lives. Imported only when called, so that `riacho status` stays quick.
COMMANDS = {
    "up": "scripts.command_line.engine:up",
    "down": "scripts.command_line.engine:down",
    "status": "scripts.command_line.engine:status",
    "state": "scripts.command_line.state:state",
    "env": "scripts.command_line.engine:env",
    "provision": "scripts.command_line.provision:provision",
    "produce": "scripts.command_line.produce:produce",
    "agent": "scripts.command_line.agent:agent",
    "consume": "scripts.command_line.consume:consume",
    "streams": "scripts.command_line.streams:streams",
    "limits": "scripts.command_line.limits:limits",
    "reconcile": "scripts.command_line.reconcile:reconcile",
    "demo": "scripts.command_line.demo:demo",
    "search": "scripts.command_line.search:search",
    "functions": "scripts.command_line.functions:functions",
    "clock": "scripts.command_line.clock:clock",
    "query": "scripts.command_line.query:query",
    "athena": "scripts.command_line.athena:athena",
    "dashboard": "scripts.command_line.dashboard:dashboard",
    "doctor": "scripts.command_line.doctor:doctor",
    "settings": "scripts.command_line.settings:settings",
}


class CommandTable(click.Group):
    """The commands of `COMMANDS`; a mistake of the user's ends in one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:
            sentence = as_sentence(error)
            if sentence is None:
                raise
            raise sentence from None


@click.command(cls=CommandTable, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="riacho")
def main() -> None:
    """Riacho: an AWS streaming data platform on one laptop."""


if __name__ == "__main__":
    main()
