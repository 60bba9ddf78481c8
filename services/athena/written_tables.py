"""Statements that write: CREATE TABLE AS, INSERT INTO, UNLOAD, CREATE VIEW."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlglot import exp

from services.athena import (
    duckdb_errors,
    object_store,
    partition_values,
    table_files,
    table_format,
    trino_types,
    written_files,
)
from services.athena.dialect.coercion import accepts
from services.athena.dialect.parsing import parse, position
from services.athena.dialect.typed import Query
from services.athena.errors import QueryFailed, SqlRefused
from services.athena.execution_engine import Answer, Column, QueryContext
from services.athena.translation import Translator, unique_names
from services.athena.trino_types import Type

_MOST_PARTITIONS = 100
_UNLOAD = re.compile(
    r"UNLOAD\s*\((?P<query>.*)\)\s*TO\s*'(?P<to>[^']*)'\s*(?:WITH\s*\((?P<with>.*)\))?\s*$",
    re.IGNORECASE | re.DOTALL,
)


def unload_of(sql: str) -> re.Match[str] | None:
    return _UNLOAD.match(sql)


def inner_query(sql: str) -> str | None:
    """The query inside UNLOAD (…) or behind EXPLAIN: what a syntax check can read."""
    if found := _UNLOAD.match(sql):
        return found["query"]
    if re.match(r"EXPLAIN\b", sql, re.IGNORECASE):
        return re.sub(
            r"^EXPLAIN\s+(ANALYZE\s+)?(VERBOSE\s+)?(\([^)]*\)\s*)?", "", sql, flags=re.IGNORECASE
        )
    return None


def properties_of(text: str) -> dict[str, Any]:
    """`format = 'JSON', partitioned_by = ARRAY['a']` as Python values."""
    if not text.strip():
        return {}
    found: dict[str, Any] = {}
    pattern = re.compile(
        r"\s*(\w+)\s*=\s*(ARRAY\s*\[(?P<array>[^\]]*)\]|'(?P<text>(?:[^']|'')*)'|(?P<bare>[\w.]+))\s*(,|$)",
        re.IGNORECASE,
    )
    at = 0
    while at < len(text.rstrip()):
        one = pattern.match(text, at)
        if not one:
            raise SqlRefused(
                f"mismatched input near '{text[at : at + 20].strip()}' in properties", 1, 1
            )
        if one["array"] is not None:
            found[one[1].lower()] = re.findall(r"'((?:[^']|'')*)'", one["array"])
        else:
            found[one[1].lower()] = (
                one["text"].replace("''", "'") if one["text"] is not None else one["bare"]
            )
        at = one.end()
    return found


def _with_clause(sql: str) -> str:
    """The text between the parentheses of CREATE TABLE … WITH (…) AS."""
    found = re.match(
        r"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:\"[^\"]+\"|`[^`]+`|[\w$.\-])+\s+(?:COMMENT\s+'[^']*'\s+)?WITH\s*\(",
        sql,
        re.IGNORECASE,
    )
    if not found:
        return ""
    depth, at, quoted = 1, found.end(), False
    while depth and at < len(sql):
        c = sql[at]
        quoted ^= c == "'"
        depth += 0 if quoted else (c == "(") - (c == ")")
        at += 1
    return sql[found.end() : at - 1]


def _split_columns(query: Query, partitioned_by: Sequence[str]) -> None:
    """Partition columns must come last, in order."""
    names = [c.name.lower() for c in query.columns]
    tail = names[len(names) - len(partitioned_by) :] if partitioned_by else []
    missing = [p for p in partitioned_by if p not in names]
    if missing:
        raise SqlRefused(
            f"Partition columns {missing} not present in schema", 1, 1, "INVALID_TABLE_PROPERTY"
        )
    if tail != list(partitioned_by):
        raise QueryFailed(
            f"HIVE_COLUMN_ORDER_MISMATCH: Partition keys must be the last columns in the table and in the same order as the table properties: {list(partitioned_by)}"
        )


def create_table(engine: Any, tree: exp.Create, sql: str, context: QueryContext) -> Answer:
    """CREATE TABLE AS SELECT"""
    name_node = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    database, name = (name_node.db or context.database).lower(), name_node.name.lower()
    if context.catalog.database(database) is None:
        line, column = position(name_node)
        raise SqlRefused(f"Schema '{database}' does not exist", line, column, "SCHEMA_NOT_FOUND")
    if context.catalog.table(database, name) is not None:
        if tree.args.get("exists"):
            return Answer([Column("rows", trino_types.BIGINT)], update_count=0, manifest=[])
        line, column = position(name_node)
        raise SqlRefused(
            f"Destination table 'awsdatacatalog.{database}.{name}' already exists",
            line,
            column,
            "TABLE_ALREADY_EXISTS",
        )
    options = properties_of(_with_clause(sql))
    if options.get("table_type", "").upper() == "ICEBERG":
        from services.athena.iceberg import statements  # PyIceberg takes a second to load

        return statements.create_as(engine, tree, (database, name), options, context)
    partitioned = [p.lower() for p in options.get("partitioned_by", [])]
    external = options.get("external_location")
    if not external and not context.location:
        raise QueryFailed(
            "INVALID_TABLE_PROPERTY: Query results of this workgroup are managed by Athena: name the "
            "table's folder with external_location = 's3://bucket/folder/'"
        )
    location = external or f"{context.location}/tables/{context.query_execution_id}"
    _empty_target(engine, location)
    connection = engine.begin(context)
    translated, text = engine.translated(tree.expression, context, connection)
    unique_names(translated.query)
    _split_columns(translated.query, partitioned)
    how = written_files.Format.of(options)
    with_data = tree.find(exp.WithDataProperty)
    no_data = with_data is not None and bool(with_data.args.get("no"))
    count = 0
    files: list[tuple[str, tuple[str, ...]]] = []
    if not no_data:
        count, files = write(
            engine, connection, text, translated.query, how, location, partitioned, context
        )
    columns = [(c.name.lower(), c.type) for c in translated.query.columns]
    table = _table(name, columns, partitioned, location, how, options, context.now)
    context.catalog.call("CreateTable", DatabaseName=database, TableInput=table)
    _add_partitions(context, database, name, table, partitioned, files)
    return Answer([Column("rows", trino_types.BIGINT)], update_count=count, manifest=[f for f, _ in files],
                  substatement_type="CREATE_TABLE_AS_SELECT")  # fmt: skip


def _empty_target(engine: Any, location: str) -> None:
    bucket, prefix = object_store.folder(location)
    if any(entry.size for entry in engine.store.list(bucket, prefix)):
        raise QueryFailed(
            f"HIVE_PATH_ALREADY_EXISTS: Target directory for table '{location}' already exists: {location}. You may need to manually clean the data at location '{location}' before retrying. Athena will not delete data in your account.",
            error_type=1003,
        )


def _table(
    name: str,
    columns: list[tuple[str, Type]],
    partitioned: list[str],
    location: str,
    how: Any,
    options: dict[str, Any],
    now: float,
) -> dict[str, Any]:
    plain = [
        {"Name": n, "Type": trino_types.to_hive(k)} for n, k in columns if n not in partitioned
    ]
    keys = [{"Name": n, "Type": trino_types.to_hive(k)} for n, k in columns if n in partitioned]
    serde, *formats = table_format.STORED_AS[how.stored_as]
    if how.stored_as == "JSON":
        serde = table_format.OPENX_JSON
    properties = {"serialization.format": "1"}
    if how.delimiter is not None:
        properties = {"field.delim": how.delimiter, "serialization.format": how.delimiter}
    descriptor = table_format.descriptor(
        plain, location.rstrip("/"), serde, (formats[0], formats[1]), properties
    )
    if options.get("bucketed_by"):
        descriptor |= {
            "BucketColumns": options["bucketed_by"],
            "NumberOfBuckets": int(options.get("bucket_count", 1)),
        }
    parameters = {
        "EXTERNAL": "TRUE",
        "has_encrypted_data": "false",
        "transient_lastDdlTime": str(int(now)),
    }
    if how.stored_as == "PARQUET" and how.compression:
        parameters["parquet.compression"] = how.compression
    return {"Name": name, "Owner": "hadoop", "Retention": 0, "TableType": "EXTERNAL_TABLE", "StorageDescriptor": descriptor,
            "PartitionKeys": keys, "Parameters": parameters}  # fmt: skip


def write(
    engine: Any, connection: Any, sql: str, query: Query, how: Any, location: str,
    partitioned: Sequence[str], context: QueryContext,
    projection: dict[str, str] | None = None,
) -> tuple[int, list[tuple[str, tuple[str, ...]]]]:  # fmt: skip
    """Write the rows as files below a location: (rows, [(uri, partition values)]).

    `projection`: a projected table's parameters, which say where its partitions lie.
    """
    folder: Path = engine.spool / uuid.uuid4().hex
    folder.mkdir()
    try:
        with duckdb_errors.translated(engine.cache.folder, context):
            count = written_files.write(connection, sql, query, how, folder, partitioned)
        found = []
        paths = sorted(p for p in folder.rglob("*") if p.is_file())
        values = {tuple(written_files.values_of(p, folder)) for p in paths}
        if partitioned and len(values) > _MOST_PARTITIONS:
            raise QueryFailed(
                f"HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of {_MOST_PARTITIONS} open writers for partitions/buckets"
            )
        for path in paths:
            context.check()
            own = tuple(written_files.values_of(path, folder))
            bucket, prefix = object_store.folder(
                _where(location, partitioned, own, projection) if partitioned else location
            )
            key = f"{prefix}{context.query_execution_id.replace('-', '_') or 'part'}_{uuid.uuid4()}{written_files.suffix(path)}"
            engine.store.write(bucket, key, written_files.body(path, how))
            found.append((f"s3://{bucket}/{key}", own))
        return count, found
    finally:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def _where(
    location: str,
    partitioned: Sequence[str],
    values: tuple[str, ...],
    projection: dict[str, str] | None,
) -> str:
    """The folder of a partition."""
    if projection is not None:
        return partition_values.places(projection, location, partitioned, values)[-1]
    return location.rstrip("/") + "/" + partition_values.path_of(list(partitioned), values)


def _add_partitions(
    context: QueryContext,
    database: str,
    name: str,
    table: dict[str, Any],
    partitioned: Sequence[str],
    files: Sequence[tuple[str, tuple[str, ...]]],
) -> None:
    if not partitioned:
        return
    descriptor = table["StorageDescriptor"]
    inputs = []
    for values in dict.fromkeys(v for _, v in files):
        if context.catalog.partition(database, name, list(values)) is None:
            where = _where(descriptor["Location"], partitioned, values, None)
            inputs.append(
                {"Values": list(values), "StorageDescriptor": {**descriptor, "Location": where}}
            )
    if inputs:
        context.catalog.add_partitions(database, name, inputs)


def insert(engine: Any, tree: exp.Insert, context: QueryContext) -> Answer:
    """INSERT INTO t [(columns)] SELECT … | VALUES …"""
    target = tree.this
    given = [c.name.lower() for c in target.expressions] if isinstance(target, exp.Schema) else []
    node = target.this if isinstance(target, exp.Schema) else target
    database, name = (node.db or context.database).lower(), node.name.lower()
    translator = Translator(context.catalog, context.database, context.now)
    table = translator.find(node, database, name)
    if table.get("TableType") == "VIRTUAL_VIEW":
        raise SqlRefused("Inserting into views is not supported", 1, 1, "NOT_SUPPORTED")
    is_iceberg = table_files.is_iceberg(table)
    columns = _columns_of(engine, table, context)
    wanted = given or list(columns)
    connection = engine.begin(context)
    translated, sql = engine.translated(tree.expression, context, connection)
    _check_insert(node, name, wanted, columns, translated.query)
    sql, query = _fitted(sql, translated.query, wanted, columns)
    if is_iceberg:
        from services.athena.iceberg import statements

        return statements.append(engine, connection, table, sql, query, context)
    partitioned = [k["Name"].lower() for k in table.get("PartitionKeys") or []]
    how = written_files.Format.of_table(table)
    location = table["StorageDescriptor"]["Location"]
    parameters = table.get("Parameters") or {}
    projection = parameters if partition_values.is_projected(parameters) else None
    count, files = write(
        engine, connection, sql, query, how, location, partitioned, context, projection
    )
    if projection is None:  # the catalog's partitions of a projected table mean nothing
        _add_partitions(context, database, name, table, partitioned, files)
    return Answer(
        [Column("rows", trino_types.BIGINT)],
        update_count=count,
        manifest=[f for f, _ in files],
        substatement_type="INSERT",
    )


def _columns_of(engine: Any, table: dict[str, Any], context: QueryContext) -> dict[str, Type]:
    """All columns of a table that takes rows, partition columns last."""
    if table_files.is_iceberg(table):
        from services.athena.iceberg import statements

        return statements.columns_of(table, context, engine.store)
    return {
        **table_files.column_types(table["StorageDescriptor"]["Columns"]),
        **table_files.column_types(table.get("PartitionKeys") or []),
    }


def _check_insert(
    node: Any, name: str, wanted: list[str], columns: dict[str, Type], query: Query
) -> None:
    unknown = [w for w in wanted if w not in columns]
    line, column = position(node)
    if unknown:
        raise SqlRefused(
            f"Insert column name does not exist in target table: {unknown[0]}",
            line,
            column,
            "COLUMN_NOT_FOUND",
        )
    types = [c.type for c in query.columns]
    if len(types) != len(wanted) or not all(
        accepts(k, columns[w]) or columns[w].name == k.name
        for k, w in zip(types, wanted, strict=True)
    ):
        table = ", ".join(str(columns[w]) for w in wanted)
        raise SqlRefused(
            f"Insert query has mismatched column types: Table: [{table}], Query: [{', '.join(map(str, types))}]",
            line,
            column,
            "TYPE_MISMATCH",
        )


def _fitted(
    sql: str, query: Query, wanted: list[str], columns: dict[str, Type]
) -> tuple[str, Query]:
    """The rows in the table's column order, with its types; columns not named are NULL."""
    from services.athena.dialect.casts import cast
    from services.athena.dialect.typed import OutputColumn, Typed

    names = [f"i{n}" for n in range(len(query.columns))]
    given = dict(zip(wanted, zip(names, query.columns, strict=True), strict=True))
    items = []
    for column, kind in columns.items():
        if column in given:
            name, output = given[column]
            items.append(cast(Typed(name, output.type), kind).sql)
        else:
            items.append(f"CAST(NULL AS {trino_types.duck_type(kind)})")
    text = f"SELECT {', '.join(items)} FROM ({sql}) AS i({', '.join(names)})"
    return text, Query(text, [OutputColumn(n, k) for n, k in columns.items()])


def unload(engine: Any, found: re.Match[str], context: QueryContext) -> Answer:
    """UNLOAD (SELECT …) TO 's3://…' WITH (format = …)"""
    options = properties_of(found["with"] or "")
    if "format" not in options:
        raise SqlRefused("Missing required property: format", 1, 1, "INVALID_TABLE_PROPERTY")
    how = dataclasses.replace(written_files.Format.of(options), int96=True)
    _empty_target(engine, found["to"])
    partitioned = [p.lower() for p in options.get("partitioned_by", [])]
    connection = engine.begin(context)
    translated, sql = engine.translated(parse(found["query"]), context, connection)
    _split_columns(translated.query, partitioned)
    count, files = write(
        engine, connection, sql, translated.query, how, found["to"], partitioned, context
    )
    return Answer(
        [Column("rows", trino_types.BIGINT)],
        update_count=count,
        manifest=[f for f, _ in files],
        substatement_type="UNLOAD",
    )


def create_view(engine: Any, tree: exp.Create, sql: str, context: QueryContext) -> Answer:
    """A view is its text and its columns, as Presto keeps them in Glue."""
    database, name = (tree.this.db or context.database).lower(), tree.this.name.lower()
    found = re.search(
        r"\bAS\b\s*(.*)$", sql[sql.upper().index("VIEW") :], re.IGNORECASE | re.DOTALL
    )
    original = found[1].strip().rstrip(";") if found else ""
    query = engine.translator(context).translate(tree.expression).query
    unique_names(query)
    line, column = position(tree.this)
    if context.catalog.database(database) is None:
        raise SqlRefused(f"Schema '{database}' does not exist", line, column, "SCHEMA_NOT_FOUND")
    old = context.catalog.table(database, name)
    if old is not None and old.get("TableType") != "VIRTUAL_VIEW":
        raise SqlRefused(
            f"Table '{database}.{name}' already exists", line, column, "TABLE_ALREADY_EXISTS"
        )
    if old is not None and not tree.args.get("replace"):
        raise SqlRefused(
            f"View already exists: '{database}.{name}'", line, column, "ALREADY_EXISTS"
        )
    columns = [{"name": c.name, "type": str(c.type)} for c in query.columns]
    definition = {
        "originalSql": original,
        "catalog": "awsdatacatalog",
        "schema": context.database,
        "columns": columns,
    }
    text = base64.b64encode(json.dumps(definition).encode()).decode()
    hive = [{"Name": c.name.lower(), "Type": trino_types.to_hive(c.type)} for c in query.columns]
    table = {
        "Name": name, "Owner": "hadoop", "TableType": "VIRTUAL_VIEW", "PartitionKeys": [],
        "StorageDescriptor": {"Columns": hive, "Location": "", "SerdeInfo": {}},
        "ViewOriginalText": f"/* Presto View: {text} */", "ViewExpandedText": "/* Presto View */",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
    }  # fmt: skip
    operation = "UpdateTable" if old is not None else "CreateTable"
    context.catalog.call(operation, DatabaseName=database, TableInput=table)
    return Answer(substatement_type="CREATE_VIEW")
