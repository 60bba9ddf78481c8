"""The `riacho` command: one group, one file per family of commands."""

from __future__ import annotations

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Riacho: an AWS streaming data platform on one laptop."""


if __name__ == "__main__":
    main()
