"""What kind of statement a query is: who runs it, and what Athena calls it."""

from __future__ import annotations

import re
from typing import NamedTuple


class Kind(NamedTuple):
    """`family`: `hive` (catalog statements) or `trino` (the execution engine)."""

    family: str
    statement_type: str
    substatement_type: str


_SPACE = r"(?:\s|--[^\n]*\n|/\*.*?\*/)"
#: First words → family, StatementType, SubstatementType. The first that matches counts.
_KINDS: list[tuple[str, Kind]] = [
    (r"CREATE EXTERNAL TABLE", Kind("hive", "DDL", "CREATE_TABLE")),
    (r"CREATE (?:DATABASE|SCHEMA)", Kind("hive", "DDL", "CREATE_DATABASE")),
    (
        r"CREATE (?:OR REPLACE )?(?:PROTECTED MULTI DIALECT )?VIEW",
        Kind("trino", "DDL", "CREATE_VIEW"),
    ),
    (r"DROP (?:DATABASE|SCHEMA)", Kind("hive", "DDL", "DROP_DATABASE")),
    (r"DROP TABLE", Kind("hive", "DDL", "DROP_TABLE")),
    (r"DROP VIEW", Kind("hive", "DDL", "DROP_VIEW")),
    (r"ALTER (?:DATABASE|SCHEMA)", Kind("hive", "DDL", "ALTER_DATABASE")),
    (r"ALTER TABLE", Kind("hive", "DDL", "ALTER_TABLE")),
    (r"MSCK", Kind("hive", "DDL", "MSCK_REPAIR")),
    (r"SHOW (?:DATABASES|SCHEMAS)", Kind("hive", "UTILITY", "SHOW_DATABASES")),
    (r"SHOW TABLES", Kind("hive", "UTILITY", "SHOW_TABLES")),
    (r"SHOW VIEWS", Kind("hive", "UTILITY", "SHOW_VIEWS")),
    (r"SHOW COLUMNS", Kind("hive", "UTILITY", "SHOW_COLUMNS")),
    (r"SHOW PARTITIONS", Kind("hive", "UTILITY", "SHOW_PARTITIONS")),
    (r"SHOW CREATE TABLE", Kind("hive", "UTILITY", "SHOW_CREATE_TABLE")),
    (r"SHOW CREATE VIEW", Kind("hive", "UTILITY", "SHOW_CREATE_VIEW")),
    (r"SHOW TBLPROPERTIES", Kind("hive", "UTILITY", "SHOW_TBLPROPERTIES")),
    (r"DESC(?:RIBE)? (?:INPUT|OUTPUT)", Kind("trino", "UTILITY", "DESCRIBE")),
    (r"DESC(?:RIBE)?", Kind("hive", "UTILITY", "DESCRIBE_TABLE")),
    (r"EXPLAIN", Kind("trino", "UTILITY", "EXPLAIN")),
    (r"SHOW (?:FUNCTIONS|SESSION|CATALOGS|STATS)", Kind("trino", "UTILITY", "SHOW")),
    (r"INSERT", Kind("trino", "DML", "INSERT")),
    (r"UNLOAD", Kind("trino", "DML", "UNLOAD")),
    (r"UPDATE", Kind("trino", "DML", "UPDATE")),
    (r"DELETE", Kind("trino", "DML", "DELETE")),
    (r"MERGE", Kind("trino", "DML", "MERGE")),
    (r"OPTIMIZE", Kind("trino", "DML", "OPTIMIZE")),
    (r"VACUUM", Kind("trino", "DML", "VACUUM")),
    (r"PREPARE", Kind("trino", "DDL", "PREPARE")),
    (r"DEALLOCATE", Kind("trino", "DDL", "DEALLOCATE_PREPARE")),
    (r"EXECUTE", Kind("trino", "DML", "EXECUTE")),
    (r"(?:SELECT|WITH|VALUES|TABLE|\()", Kind("trino", "DML", "SELECT")),
]
_CTAS = re.compile(
    rf"CREATE{_SPACE}+TABLE\b(?:'[^']*'|\"[^\"]*\"|[^'\"])*?\bAS{_SPACE}*[(\s]{_SPACE}*\(*{_SPACE}*(?:SELECT|WITH|VALUES|TABLE)\b",
    re.IGNORECASE | re.DOTALL,
)
CTAS = Kind("trino", "DML", "CREATE_TABLE_AS_SELECT")
CREATE_TABLE = Kind("hive", "DDL", "CREATE_TABLE")


def _compile(words: str) -> re.Pattern[str]:
    end = r"\b" if words[-1].isalpha() or words.endswith("?") else ""
    return re.compile(words.replace(" ", _SPACE + "+") + end, re.IGNORECASE | re.DOTALL)


_COMPILED = [(_compile(words), kind) for words, kind in _KINDS]


def without_leading_comments(sql: str) -> str:
    return re.sub(rf"^{_SPACE}+", "", sql + "\n", flags=re.DOTALL).rstrip()


def kind_of(sql: str) -> Kind | None:
    """None for a text that begins like no statement."""
    sql = without_leading_comments(sql)
    for pattern, kind in _COMPILED:
        if pattern.match(sql):
            return kind
    if re.match(rf"CREATE{_SPACE}+TABLE\b", sql, re.IGNORECASE | re.DOTALL):
        return CTAS if _CTAS.match(sql) else CREATE_TABLE
    return None


_PREPARE = re.compile(r"PREPARE\s+(?:\"([^\"]+)\"|([^\s\"]+))\s+FROM\s", re.IGNORECASE)


def prepared(sql: str) -> tuple[str, str] | None:
    """(name, statement) of PREPARE name FROM statement."""
    text = without_leading_comments(sql)
    found = _PREPARE.match(text)
    return (found[1] or found[2], text[found.end() :].strip()) if found else None


def prepared_from(sql: str) -> int | None:
    """Where the statement of a PREPARE begins in its text."""
    found = re.search(_PREPARE.pattern + r"\s*", sql, re.IGNORECASE)
    return found.end() if found else None


def names_external_location(sql: str) -> bool:
    """Whether a CREATE TABLE AS has the property `external_location`."""
    head = re.split(r"\bAS\b", sql, maxsplit=1, flags=re.IGNORECASE)[0]
    return bool(re.search(r"\bWITH\s*\([^)]*\bexternal_location\s*=", head, re.IGNORECASE))
