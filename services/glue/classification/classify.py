"""Ask the classifiers in a crawler's order: the user's first, then the built-in ones."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import IO, Any

from services.glue.classification.columnar import classify_columnar
from services.glue.classification.compression import Plain, plain_beginning
from services.glue.classification.csv_text import CsvRules, classify_csv
from services.glue.classification.found import LAZY_SIMPLE, OPEN_CSV, Found, unknown
from services.glue.classification.json_text import classify_json
from services.glue.classification.log_text import classify_grok, classify_logs
from services.glue.classification.xml_text import classify_xml

SERDES = {"OpenCSVSerDe": OPEN_CSV, "LazySimpleSerDe": LAZY_SIMPLE, "None": LAZY_SIMPLE}

#: A user's classifier as GetClassifier shows it: {"GrokClassifier": {…}} and the like.
Classifier = Mapping[str, Mapping[str, Any]]


def classify(
    beginning: bytes,
    is_cut: bool,
    key: str,
    custom: Sequence[Classifier] = (),
    file: IO[bytes] | None = None,
) -> Found:
    """What the object is. `beginning` is its first bytes, `is_cut` says that more follow.

    `file` is the whole object, seekable, read only where a format needs its end."""
    plain = plain_beginning(beginning, is_cut, key)
    text = _text(plain)
    if text is not None:
        for classifier in custom:
            if found := _custom(classifier, text, plain):
                return replace(found, compression=plain.compression)
    if found := classify_columnar(plain.content, _seekable(plain, file)):
        return found
    if text is None or not text.strip():
        return unknown(plain.compression)
    built_in = _built_in(text, plain)
    return replace(built_in or unknown(), compression=plain.compression)


def _built_in(text: str, plain: Plain) -> Found | None:
    return (
        classify_json(text, plain.is_cut)
        or classify_xml(text, plain.is_cut)
        or classify_logs(text.splitlines())
        or classify_csv(text)
    )


def _seekable(plain: Plain, file: IO[bytes] | None) -> IO[bytes]:
    whole = plain.compression != "none" or file is None
    return io.BytesIO(plain.content) if whole or file is None else file


def _text(plain: Plain) -> str | None:
    """UTF-8 text up to the last whole line; None for anything else."""
    content = plain.content
    if plain.is_cut and b"\n" in content:
        content = content[: content.rfind(b"\n") + 1]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        if not plain.is_cut or wrong.start < len(content) - 4:
            return None
        text = content[: wrong.start].decode("utf-8-sig")
    return None if "\x00" in text else text


def _custom(classifier: Classifier, text: str, plain: Plain) -> Found | None:
    ((kind, rules),) = classifier.items()
    if kind == "GrokClassifier":
        lines = text.splitlines()
        custom_patterns = rules.get("CustomPatterns") or ""
        return classify_grok(lines, rules["Classification"], rules["GrokPattern"], custom_patterns)
    if kind == "XMLClassifier":
        found = classify_xml(text, plain.is_cut, rules.get("RowTag"))
        return replace(found, classification=rules["Classification"]) if found else None
    if kind == "JsonClassifier":
        return classify_json(text, plain.is_cut, rules["JsonPath"])
    return classify_csv(text, csv_rules(rules))


def csv_rules(rules: Mapping[str, Any]) -> CsvRules:
    """A user's CSV classifier as rules."""
    types = rules.get("CustomDatatypes") if rules.get("CustomDatatypeConfigured") else None
    return CsvRules(
        delimiter=rules.get("Delimiter") or ",",
        quote=rules.get("QuoteSymbol") or '"',
        header=rules.get("ContainsHeader") or "UNKNOWN",
        names=[name.strip() for name in rules.get("Header") or []],
        types=types or [],
        allow_single_column=bool(rules.get("AllowSingleColumn")),
        trims_values=not rules.get("DisableValueTrimming"),
        serde=SERDES.get(rules.get("Serde") or "None", LAZY_SIMPLE),
    )
