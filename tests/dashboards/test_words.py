"""Every word is there in every language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dashboards
from dashboards.analyses import ANALYSES
from dashboards.words import LANGUAGES, WORDS, speaker

SOURCES = [path.read_text() for path in Path(dashboards.__file__).parent.rglob("*.py")]


@pytest.mark.parametrize("key", WORDS)
def test_a_sentence_says_the_same_values_in_all_languages(key: str) -> None:
    texts = WORDS[key]
    assert len(texts) == len(LANGUAGES)
    assert all(texts)
    assert len({tuple(sorted(re.findall(r"\{\w+\}", text))) for text in texts}) == 1


def test_every_word_that_a_page_says_exists() -> None:
    said = {key for source in SOURCES for key in re.findall(r'say\("([^"]+)"', source)}
    assert said - set(WORDS) == set()
    assert {analysis.key for analysis in ANALYSES} - set(WORDS) == set()


def test_an_unknown_language_is_english() -> None:
    assert speaker("xx")("overview") == "Overview"
    assert speaker("pt")("overview") == "Visão geral"
