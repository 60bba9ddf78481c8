"""Logs: Glue's built-in formats, and a user's grok pattern."""

from __future__ import annotations

from services.glue.classification.column_types import Column
from services.glue.classification.found import GROK, Found, TableFormat
from services.glue.classification.grok import compile_grok

#: In Glue's order. https://docs.aws.amazon.com/glue/latest/dg/add-classifier.html
LOG_FORMATS: dict[str, str] = {
    "combined_apache": "%{COMBINEDAPACHELOG}",
    "apache": "%{COMMONAPACHELOG}",
    "linux_kernel": r"%{SYSLOGTIMESTAMP:timestamp} %{SYSLOGHOST:logsource} kernel: "
    r"(?:\[ *%{NUMBER:uptime}\] )?%{GREEDYDATA:message}",
    "microsoft_log": r"%{TIMESTAMP_ISO8601:timestamp} %{IPORHOST:serverip} %{WORD:verb} "
    r"%{NOTSPACE:request} %{NOTSPACE:querystring} %{NUMBER:port} %{NOTSPACE:auth} "
    r"%{IPORHOST:clientip} %{NOTSPACE:agent}(?: %{GREEDYDATA:rest})?",
    "ruby_logger": r"%{WORD:severityid}, \[%{TIMESTAMP_ISO8601:timestamp} ?\#%{POSINT:pid}\] *"
    r"%{LOGLEVEL:loglevel} -- *%{DATA:progname}: %{GREEDYDATA:message}",
    "squid": r"%{NUMBER:timestamp} +%{INT:duration} %{IPORHOST:clientip} "
    r"%{WORD:action}/%{NUMBER:status} %{INT:bytes} %{WORD:method} %{NOTSPACE:url} "
    r"%{NOTSPACE:user} %{NOTSPACE:hierarchy} %{NOTSPACE:contenttype}",
    "redismonlog": r"%{NUMBER:timestamp} \[%{INT:database} %{NOTSPACE:client}\] "
    r"\"%{WORD:command}\" ?%{GREEDYDATA:params}",
    "redislog": r"(?:%{POSINT:pid}:[A-Z]|\[%{POSINT:process}\]) "
    r"%{MONTHDAY:day} %{MONTH:month}(?: %{YEAR:year})? %{TIME:time} [*.#-] %{GREEDYDATA:message}",
}
#: So many lines must match; a log may hold a malformed line.
MATCHING_LINES = 0.9

HIVE_NAMES = {"long": "bigint", "short": "smallint", "byte": "tinyint", "integer": "int"}


def classify_logs(lines: list[str]) -> Found | None:
    """The first built-in log format that most lines have."""
    return next((found for name in LOG_FORMATS if (found := _built_in(lines, name))), None)


def classify_grok(
    lines: list[str], classification: str, pattern: str, custom_patterns: str = ""
) -> Found | None:
    """A pattern's fields as columns, strings unless the pattern names a type; None when less
    than nine lines in ten match. Raises GrokRefused."""
    lines = [line for line in lines if line.strip()]
    grok = compile_grok(pattern, custom_patterns)
    if not lines:
        return None
    matching = sum(grok.match(line) is not None for line in lines)
    if matching < MATCHING_LINES * len(lines):
        return None
    columns = tuple(
        Column(name.lower(), HIVE_NAMES.get(kind := grok.types.get(name, "string"), kind))
        for name in grok.names
    )
    parameters = {"input.format": pattern}
    parameters |= {"input.grokCustomPatterns": custom_patterns} if custom_patterns else {}
    return Found(
        classification,
        columns,
        TableFormat(GROK, parameters=parameters),
        {"grokPattern": pattern},
        records=len(lines),
        record_bytes=sum(len(line) + 1 for line in lines),
    )


def _built_in(lines: list[str], name: str) -> Found | None:
    return classify_grok(lines[:1000], name, LOG_FORMATS[name])
