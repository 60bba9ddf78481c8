"""What is printed from the settings is up to date."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.command_line.settings import ROOT, generated_files
from services.settings import Settings


@pytest.mark.parametrize("file", generated_files())
def test_a_printed_file_is_up_to_date(file: str) -> None:
    assert (ROOT / file).read_text() == generated_files()[file], "run: riacho settings --write"


def test_every_setting_has_one_sentence_of_help() -> None:
    for field in dataclasses.fields(Settings):
        assert field.metadata["help"].endswith(".")
