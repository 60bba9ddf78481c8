"""LOGTOJSON's formats: one expression and one list of fields for each."""

from __future__ import annotations

import re
from typing import NamedTuple

from producer.agent.java_regex import java_regex


class LogFormat(NamedTuple):
    """`pattern` matches a whole line; its groups are the `fields`. `-` is null where asked."""

    pattern: re.Pattern[str]
    fields: tuple[str, ...]
    dash_is_null: bool

    def parse(self, line: str) -> dict[str, str | None] | None:
        """The line's fields by name; None for a line of another form."""
        match = self.pattern.fullmatch(line)
        if match is None or len(match.groups()) != len(self.fields):
            return None
        values = match.groups()
        if self.dash_is_null:
            values = tuple(None if value == "-" else value for value in values)
        return dict(zip(self.fields, values, strict=True))


_MONTH = (
    r"\b(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sep(?:tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b"
)
_WEEKDAY = (
    r"(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?"
    r"|Sat(?:urday)?|Sun(?:day)?)"
)
_MONTHDAY = r"(?:0[1-9]|[12][0-9]|3[01]|[1-9])"
_TIME = r"(?:2[0-3]|[01]?[0-9]):[0-5][0-9]:(?:60|[0-5]?[0-9])(?:[:.,][0-9]+)?"
_YEAR = r"[1-9]\d*"
_INTEGER = r"[+-]?[0-9]+"
_HOST = r"[\w-]+(?:\.[\w-]+)*\.?"
_USER = r"[a-zA-Z0-9._-]+"
_RFC3339 = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[-+]\d{2}:\d{2})"

_COMMON = (
    rf"({_HOST}) ({_USER}) ({_USER}) "
    rf"\[({_MONTHDAY}/{_MONTH}/{_YEAR}:{_TIME}\s{_INTEGER})\] "
    rf'"([^"]+)" ({_INTEGER}|-) ({_INTEGER}|-)'
)
_COMBINED = rf'{_COMMON} "([^"]+)" "([^"]+)"'
_ERROR = (
    rf"\[({_WEEKDAY}\s+{_MONTH}\s+{_MONTHDAY}\s+{_TIME}\s+{_YEAR})\] "
    r"\[(?:(\w+):)?(\w+)\] \[pid ([0-9]+)(?::tid ([0-9]+))?\] "
    rf"\[client ({_HOST}(?::[1-9][0-9]*)?)\] (.*)"
)
_SYSLOG_REST = rf"(?:<[0-9]+.[0-9]+> )?({_USER}) ([\w./%-]+)(?:\[([1-9][0-9]*)\])?: (.*)"
_SYSLOG = rf"({_MONTH}\s+{_MONTHDAY}\s+{_TIME}) {_SYSLOG_REST}"
_RFC3339_SYSLOG = rf"({_RFC3339}) {_SYSLOG_REST}"

_COMMON_FIELDS = ("host", "ident", "authuser", "datetime", "request", "response", "bytes")
_ERROR_FIELDS = ("timestamp", "module", "severity", "processid", "threadid", "client", "message")
_SYSLOG_FIELDS = ("timestamp", "hostname", "program", "processid", "message")

#: AWS's names: "referer" has one r in the middle, as in HTTP.
LOG_FORMATS = {
    "COMMONAPACHELOG": LogFormat(java_regex(_COMMON + ".*"), _COMMON_FIELDS, True),
    "COMBINEDAPACHELOG": LogFormat(
        java_regex(_COMBINED + ".*"), (*_COMMON_FIELDS, "referer", "agent"), True
    ),
    "APACHEERRORLOG": LogFormat(java_regex(_ERROR), _ERROR_FIELDS, True),
    "SYSLOG": LogFormat(java_regex(_SYSLOG), _SYSLOG_FIELDS, False),
    "RFC3339SYSLOG": LogFormat(java_regex(_RFC3339_SYSLOG), _SYSLOG_FIELDS, False),
}
