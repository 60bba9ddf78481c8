"""Moments and texts that DuckDB reads and writes exactly as Trino does, without a call of Python a row.

DuckDB is laxer than MySQL's and Joda's patterns: it skips white space at both ends, takes any run of it
for one space, knows `epoch` and a year 0. A text is read natively only when it passes the pattern's GLOB,
which shuts that out; what does not pass, or is no moment, goes to `python_moments`, which also raises.
The GLOB takes longer than strptime. Where a pattern is DuckDB's own way to write a moment, its cast is asked
first, which is quick both ways: a text that the moment is written as again has no other meaning.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.athena import python_moments
from services.athena.dialect.typed import text


class Token(NamedTuple):
    """A character that stands for itself, or a field, as strftime writes it (`d`, `-d`)."""

    literal: str
    written: str = ""

    @property
    def field(self) -> str:
        return self.written[-1:]


class Reader(NamedTuple):
    """`format` for strptime; texts that pass `glob` mean in it what they mean in Trino."""

    format: str
    glob: str

    def sql(self, v: str) -> str:
        """The moment of a text, or NULL where Python is to be asked. `v` stands in it several times."""
        read = f"WHEN {v} GLOB {text(self.glob)} THEN try_strptime({v}, {text(self.format)}) END"
        if self.format not in OWN_TEXTS:
            return f"CASE {read}"
        # `infinity` and years of five digits are as long as no moment.
        kind, size = OWN_TEXTS[self.format]
        cast = f"TRY_CAST({v} AS {kind})"
        return (
            f"CASE WHEN CAST({cast} AS VARCHAR) = {v} AND strlen({v}) = {size} THEN {cast} {read}"
        )


#: Formats in which DuckDB itself writes a moment or date → its type, bytes of the text.
OWN_TEXTS = {"%Y-%m-%d %H:%M:%S": ("TIMESTAMP", 19), "%Y-%m-%d": ("DATE", 10)}
_DIGITS, _LETTERS = frozenset("YmdHIMSf"), frozenset("BbAap")
_MYSQL = {
    "Y": "Y", "m": "m", "c": "-m", "d": "d", "e": "-d", "H": "H", "k": "-H", "h": "I", "I": "I", "l": "-I",
    "i": "M", "s": "S", "S": "S", "f": "f", "p": "p", "M": "B", "b": "b", "a": "a", "W": "A",
}  # fmt: skip
_MYSQL_RUNS = {"T": "H:M:S", "r": "I:M:S p"}
#: Only written: DuckDB reads two-digit years and days of the year otherwise.
_MYSQL_WRITTEN = {"y": "y", "j": "j", "v": "V", "x": "G"}
_JODA = {
    "yyyy": "Y", "YYYY": "Y", "M": "-m", "MM": "m", "MMM": "b", "MMMM": "B", "d": "-d", "dd": "d", "H": "-H",
    "HH": "H", "h": "-I", "hh": "I", "m": "-M", "mm": "M", "s": "-S", "ss": "S", "E": "a", "EEE": "a",
    "EEEE": "A", "a": "p", "SSSSSS": "f",
}  # fmt: skip
_JODA_WRITTEN = {"yy": "y", "YY": "y", "SSS": "g", "DDD": "j", "ww": "V", "xxxx": "G", "e": "u"}
_JODA_READ = {"S": "f", "SS": "f", "SSS": "f", "SSSS": "f", "SSSSS": "f"}


def mysql_writer(pattern: str) -> str | None:
    """strftime's format that writes what `date_format` writes; None where there is none."""
    return _format(_mysql_tokens(pattern, _MYSQL | _MYSQL_WRITTEN))


def joda_writer(pattern: str) -> str | None:
    """strftime's format that writes what `format_datetime` writes; None where there is none."""
    return _format(_joda_tokens(pattern, _JODA | _JODA_WRITTEN))


def mysql_reader(pattern: str) -> Reader | None:
    """How DuckDB reads texts of a `date_parse` pattern; None where it may read them otherwise."""
    return _reader(_mysql_tokens(pattern, _MYSQL))


def joda_reader(pattern: str) -> Reader | None:
    """The same for `parse_datetime` and patterns without a zone."""
    return _reader(_joda_tokens(pattern, _JODA | _JODA_READ))


def _mysql_tokens(pattern: str, letters: Mapping[str, str]) -> list[Token] | None:
    found: list[Token] = []
    for literal, letter in python_moments.mysql_parts(pattern):
        if literal or letter == "%":
            found.append(Token(literal or "%"))
        elif letter in _MYSQL_RUNS:
            found += [Token("", c) if c.isalpha() else Token(c) for c in _MYSQL_RUNS[letter]]
        elif letter in letters:
            found.append(Token("", letters[letter]))
        else:
            return None
    return found


def _joda_tokens(pattern: str, letters: Mapping[str, str]) -> list[Token] | None:
    found: list[Token] = []
    try:
        parts = python_moments.joda_parts(pattern)
    except ValueError:  # an error of each row, where there is one
        return None
    for literal, run in parts:
        if run and run not in letters:
            return None
        found += [Token("", letters[run])] if run else [Token(c) for c in literal]
    return found


def _format(tokens: Sequence[Token] | None) -> str | None:
    if not tokens or any(each.literal == "\0" for each in tokens):
        return None
    return "".join(
        f"%{each.written}" if each.field else each.literal.replace("%", "%%") for each in tokens
    )


def _reader(tokens: Sequence[Token] | None) -> Reader | None:
    form = _format(tokens)
    if not tokens or form is None or not _is_read_in_one_way(tokens):
        return None
    around = [Token(""), *tokens, Token("")]
    pieces = [_piece(around[at], each, around[at + 2]) for at, each in enumerate(tokens)]
    return Reader(form, "".join(pieces))


def _is_read_in_one_way(tokens: Sequence[Token]) -> bool:
    """Where one part ends and the next begins is never a matter of taste."""
    fields = [
        each.field.lower() if each.field == "B" else each.field for each in tokens if each.field
    ]
    if "Y" not in fields or len(set(fields)) < len(fields):
        return False
    if ("I" in fields) != ("p" in fields) or {"H", "I"} <= {*fields} or {"m", "b"} <= {*fields}:
        return False
    literals = "".join(each.literal for each in tokens)
    if any(c in "*?[]\\%" or c.isdigit() or (c.isspace() and c != " ") for c in literals):
        return False
    if any(c.isalpha() for c in literals) and _LETTERS & {*fields}:
        return False
    if " " in (tokens[0].literal, tokens[-1].literal):
        return False
    return not any(_run_together(*pair) for pair in itertools.pairwise(tokens))


def _run_together(one: Token, other: Token) -> bool:
    if not one.field or not other.field:
        return one.literal == other.literal == " "
    return one.field == "f" or {one.field, other.field} <= _LETTERS


def _piece(before: Token, token: Token, after: Token) -> str:
    """A token in the GLOB. A letter or digit is beside every space and at both ends."""
    if not token.field:
        return token.literal
    if token.field == "Y":
        return "[1-9][0-9][0-9][0-9]"
    if token.field == "p":
        return "[AaPp][Mm]"
    if token.field in _LETTERS:
        return "[A-Za-z]*[A-Za-z]"
    if token.field != "f" and {before.field, after.field} & _DIGITS:
        return "[0-9][0-9]"
    return "[0-9]*[0-9]" if not after.field and after.literal in ("", " ") else "[0-9]*"


_CLOCK = "[1-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
_FRACTIONS = ("", ".[0-9][0-9][0-9]", ".[0-9][0-9][0-9][0-9][0-9][0-9]")
#: Length → GLOB of the ISO 8601 texts in UTC that machines write.
ISO_IN_UTC = {
    len((_CLOCK + fraction).replace("[0-9]", "0").replace("[1-9]", "1") + zone): _CLOCK
    + fraction
    + zone
    for fraction in _FRACTIONS
    for zone in ("", "Z", "+00:00")
}
