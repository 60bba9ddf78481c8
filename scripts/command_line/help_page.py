"""Print `docs/commands.md`: what every command says about itself.

python -m scripts.command_line.help_page > docs/commands.md
"""

from __future__ import annotations

import click

from scripts.command_line.main import COMMANDS, main

HEAD = """\
# The `riacho` command

`./scripts/riacho COMMAND` in a clone needs no activated environment. A mistake ends in one sentence
and an exit code with a meaning; this page is what `--help` prints.

| exit code | means |
|---|---|
"""


def page() -> str:
    """The whole page, as it should stand in `docs/commands.md`."""
    from scripts.command_line.failures import ExitCode

    codes = "".join(
        f"| {code.value} | {code.name.lower().replace('_', ' ')} |\n" for code in ExitCode
    )
    return HEAD + codes + "".join(section(name) for name in COMMANDS)


def section(name: str) -> str:
    """One command, and below it the commands of a group."""
    context = click.Context(main, info_name="riacho", terminal_width=96, max_content_width=96)
    command = main.get_command(context, name) if isinstance(main, click.Group) else None
    assert command is not None, name
    inner = click.Context(command, context, name, terminal_width=96, max_content_width=96)
    text = f"\n## `riacho {name}`\n\n```text\n{command.get_help(inner)}\n```\n"
    if isinstance(command, click.Group):
        for sub in command.list_commands(inner):
            below = command.get_command(inner, sub)
            assert below is not None, sub
            deepest = click.Context(below, inner, sub, terminal_width=96, max_content_width=96)
            text += f"\n```text\n{below.get_help(deepest)}\n```\n"
    return text


if __name__ == "__main__":
    print(page(), end="")
