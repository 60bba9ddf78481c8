"""`riacho athena`: a prompt for SQL through Athena's API, with history and completion."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from scripts.command_line.connection import Connection, with_connection
from scripts.command_line.query import QueryStopped, explained, results_location, run, shown

HISTORY = Path("~/.riacho_athena_history")
KEYWORDS = (
    *("SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "JOIN", "LEFT JOIN"),
    *("WITH", "UNNEST", "CREATE EXTERNAL TABLE", "CREATE TABLE", "CREATE OR REPLACE VIEW"),
    *("INSERT INTO", "UNLOAD", "MSCK REPAIR TABLE", "ALTER TABLE", "ADD PARTITION", "DROP TABLE"),
    *("SHOW TABLES", "SHOW DATABASES", "SHOW PARTITIONS", "SHOW CREATE TABLE", "DESCRIBE"),
    *("EXPLAIN", "PARTITIONED BY", "LOCATION"),
)


class Session:
    """The database in use, and what can be completed: keywords, tables and their columns."""

    def __init__(self, athena: Any, database: str, output_location: str | None) -> None:
        self.athena, self.database, self.output_location = athena, database, output_location
        self._names: list[str] | None = None

    def names(self) -> list[str]:
        """Tables and columns of the database, asked for once."""
        if self._names is None:
            self._names = sorted(self._listed())
        return self._names

    def _listed(self) -> set[str]:
        found: set[str] = set()
        pages = self.athena.get_paginator("list_table_metadata").paginate(
            CatalogName="AwsDataCatalog", DatabaseName=self.database
        )
        for page in pages:
            for table in page["TableMetadataList"]:
                found.add(table["Name"])
                columns = [*table.get("Columns", []), *table.get("PartitionKeys", [])]
                found |= {column["Name"] for column in columns}
        return found

    def completions(self, word: str) -> list[str]:
        """What may stand where `word` is being typed."""
        try:
            names = self.names()
        except (BotoCoreError, ClientError):
            names = []
        wanted = word.lower()
        return [c for c in (*names, *KEYWORDS) if wanted and c.lower().startswith(wanted)]

    def execute(self, sql: str, console: Console) -> bool:
        """One statement, or a command of the prompt: `use DATABASE`. False where it failed."""
        if found := re.fullmatch(r"use\s+[`\"]?(\w+)[`\"]?", sql.strip(), re.IGNORECASE):
            self.database, self._names = found[1].lower(), None
            console.print(f"[dim]database {self.database}[/dim]")
            return True
        try:
            result = run(
                self.athena, sql, database=self.database, output_location=self.output_location,
                most_rows=1000,
            )  # fmt: skip
        except QueryStopped as stopped:
            console.print(explained(sql, str(stopped)), style="red", markup=False, highlight=False)
            return False
        if result.execution["StatementType"] == "DDL":
            self._names = None
        shown(result, console)
        return True


#: A quoted text or name, a remark, or the `;` that ends a statement.
_PIECE = re.compile(
    r"'(?:[^']|'')*(?:'|$)|\"(?:[^\"]|\"\")*(?:\"|$)|`[^`]*(?:`|$)|--[^\n]*|/\*.*?(?:\*/|$)|;",
    re.DOTALL,
)
_REMARK = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?(?:\*/|$))*", re.DOTALL)


def split(text: str) -> tuple[list[str], str]:
    """The statements that end with `;`, and what follows the last one.

    A `;` in quotes or in a remark ends nothing; what holds only remarks is no statement.
    """
    found, begin = [], 0
    for piece in _PIECE.finditer(text):
        if piece[0] == ";":
            found.append(text[begin : piece.start()].strip())
            begin = piece.end()
    return [sql for sql in found if not _is_remark(sql)], text[begin:]


def _is_remark(text: str) -> bool:
    return _REMARK.fullmatch(text) is not None


def statements(text: str) -> list[str]:
    """All statements of a text; the last one needs no `;`."""
    found, rest = split(text)
    return found if _is_remark(rest) else [*found, rest.strip()]


def _prompt(session: Session) -> Callable[[], str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import FileHistory

    class Names(Completer):
        def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
            word = document.get_word_before_cursor(pattern=re.compile(r"[\w$]+"))
            for found in session.completions(word):
                yield Completion(found, start_position=-len(word))

    history = FileHistory(str(HISTORY.expanduser()))
    prompt: PromptSession[str] = PromptSession(history=history, completer=Names())

    def ask() -> str:
        text = prompt.prompt(f"{session.database}> ")
        while not _is_complete(text):
            text += "\n" + prompt.prompt(" " * len(session.database) + "… ")
        return text

    return ask


def _is_complete(text: str) -> bool:
    """Whether Enter sends it: `;` behind the last statement, or a command of the prompt."""
    found, rest = split(text)
    return _is_remark(rest) if found else _is_command(text) or not text.strip()


def _is_command(text: str) -> bool:
    return bool(re.match(r"\s*(exit|quit)\s*$|\s*use\s", text, re.IGNORECASE))


@click.command()
@click.option(
    "--database", "-d", default="default", show_default=True, help="The database to begin with."
)
@click.option("--output-location", help="Where results are written.")
@with_connection
def athena(connection: Connection, database: str, output_location: str | None) -> None:
    """Ask Athena at a prompt; statements end with `;`, `exit` leaves.

    Reads stdin when piped, and exits with 1 when a statement failed.
    """
    console = Console()
    client = connection.client("athena")
    location = results_location(client, connection.client("s3"), output_location)
    session = Session(client, database, location)
    if not sys.stdin.isatty():
        went_well = [session.execute(sql, console) for sql in statements(sys.stdin.read())]
        sys.exit(0 if all(went_well) else 1)
    ask = _prompt(session)
    while True:
        try:
            text = ask()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        for sql in statements(text):
            if sql.lower() in ("exit", "quit"):
                return
            session.execute(sql, console)
