"""Documentation is under test: commands are told of, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.command_line.help_page import page
from scripts.command_line.main import COMMANDS
from services.localstack.environment import ROOT
from tests.scripts.command import riacho

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    pages = "\n".join(page.read_text() for page in PAGES)
    assert re.search(rf"riacho {name}\b", pages), f"no page tells of `riacho {name}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_help_lists_every_command_with_a_sentence() -> None:
    told = riacho("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z]", told, re.MULTILINE), f"{name} has no sentence"


def test_the_readme_is_one_sentence_two_commands_and_the_picture() -> None:
    head = (ROOT / "README.md").read_text().splitlines()[:30]
    text = "\n".join(head)
    assert "$ ./scripts/demo" in text
    assert "$ ./scripts/test" in text
    assert "LocalStack 4.14" in text


def test_the_page_of_commands_is_what_help_prints() -> None:
    written = (ROOT / "docs" / "commands.md").read_text()
    assert written == page(), "python -m scripts.command_line.help_page > docs/commands.md"
