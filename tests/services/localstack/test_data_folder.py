"""A data folder says which format it has; another one's is refused before anything is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.localstack.data_folder import FORMAT, take_data_folder
from services.localstack.errors import DataFolderRefused


def test_a_folder_notes_its_format_and_is_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        os.close(take_data_folder(tmp_path))
        assert (tmp_path / "format").read_text() == f"{FORMAT}\n"


def test_a_folder_of_another_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "format").write_text("0\n")
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "kept").touch()
    with pytest.raises(DataFolderRefused, match=r"has format 0, .* docker compose down --volumes"):
        take_data_folder(tmp_path)
    assert (tmp_path / "tmp" / "kept").exists()
    (tmp_path / "format").write_text(f"{FORMAT}\n")
    os.close(take_data_folder(tmp_path))  # the refusal let go of its lock
