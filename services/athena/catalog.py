"""The seam to Glue: the calls Athena makes, and a catalog in memory that answers them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

Shape = dict[str, Any]


class GlueCalls(Protocol):
    """Glue as Athena needs it: AWS's operations with AWS's shapes, in process.

    Used: Get/Create/Update/DeleteDatabase, GetDatabases, Get/Create/Update/DeleteTable, GetTables,
    GetPartition(s), BatchCreatePartition, BatchGetPartition, UpdatePartition, DeletePartition.
    Raises an exception with `.code` (EntityNotFoundException, AlreadyExistsException) and `.message`.
    """

    def call(self, operation: str, request: Shape, *, region: str, account_id: str) -> Shape: ...


class CatalogRefused(Exception):
    """What the catalog in memory raises."""

    status = 400

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Catalog:
    """The databases, tables and partitions of one account in one region."""

    def __init__(
        self, glue: GlueCalls, region: str = "us-east-1", account_id: str = "000000000000"
    ):
        self._glue, self._region, self._account_id = glue, region, account_id

    def call(self, operation: str, **request: Any) -> Shape:
        return self._glue.call(operation, request, region=self._region, account_id=self._account_id)

    def database(self, name: str) -> Shape | None:
        if name == "default":
            return self._default_database()
        found: Shape | None = self._or_none("GetDatabase", "Database", Name=name)
        return found

    def _default_database(self) -> Shape:
        """AWS accounts have `default` from the first query on."""
        found = self._or_none("GetDatabase", "Database", Name="default")
        if found is None:
            description = "Default Hive database"
            self.call(
                "CreateDatabase", DatabaseInput={"Name": "default", "Description": description}
            )
            found = self._or_none("GetDatabase", "Database", Name="default")
        return found or {"Name": "default"}

    def databases(self) -> list[Shape]:
        self._default_database()
        return list(self._pages("GetDatabases", "DatabaseList"))

    def table(self, database: str, name: str) -> Shape | None:
        found: Shape | None = self._or_none("GetTable", "Table", DatabaseName=database, Name=name)
        return found

    def tables(self, database: str) -> list[Shape]:
        return list(self._pages("GetTables", "TableList", DatabaseName=database))

    def partitions(self, database: str, table: str) -> list[Shape]:
        where = {"DatabaseName": database, "TableName": table}
        return list(self._pages("GetPartitions", "Partitions", **where))

    def partition(self, database: str, table: str, values: list[str]) -> Shape | None:
        where = {"DatabaseName": database, "TableName": table, "PartitionValues": values}
        found: Shape | None = self._or_none("GetPartition", "Partition", **where)
        return found

    def add_partitions(self, database: str, table: str, inputs: list[Shape]) -> list[Shape]:
        """Create them, 100 a call as Glue allows; returns the refusals."""
        errors: list[Shape] = []
        for start in range(0, len(inputs), 100):
            answer = self.call("BatchCreatePartition", DatabaseName=database, TableName=table,
                               PartitionInputList=inputs[start : start + 100])  # fmt: skip
            errors += answer.get("Errors") or []
        return errors

    def _or_none(self, operation: str, member: str, **request: Any) -> Any:
        try:
            return self.call(operation, **request)[member]
        except Exception as error:
            if getattr(error, "code", "") == "EntityNotFoundException":
                return None
            raise

    def _pages(self, operation: str, member: str, **request: Any) -> Iterator[Shape]:
        token: str | None = None
        while True:
            answer = self.call(operation, **request, **({"NextToken": token} if token else {}))
            yield from answer.get(member) or []
            token = answer.get("NextToken")
            if not token:
                return


def _not_found(what: str) -> CatalogRefused:
    return CatalogRefused("EntityNotFoundException", f"{what} not found.")


class MemoryGlue:
    """The part of Glue that Athena calls, in memory: for tests, and where Glue is not running."""

    def __init__(self) -> None:
        self._databases: dict[str, Shape] = {}
        self._tables: dict[tuple[str, str], Shape] = {}
        self._partitions: dict[tuple[str, str], dict[tuple[str, ...], Shape]] = {}

    def call(self, operation: str, request: Shape, *, region: str, account_id: str) -> Shape:
        answers: dict[str, Callable[[Shape], Shape]] = {
            "CreateDatabase": self._create_database,
            "GetDatabase": lambda r: {"Database": self._database(r["Name"])},
            "GetDatabases": lambda r: {"DatabaseList": [*self._databases.values()]},
            "UpdateDatabase": self._update_database,
            "DeleteDatabase": self._delete_database,
            "CreateTable": self._create_table,
            "GetTable": lambda r: {"Table": self._table(r["DatabaseName"], r["Name"])},
            "GetTables": self._get_tables,
            "UpdateTable": self._update_table,
            "DeleteTable": self._delete_table,
            "BatchCreatePartition": self._create_partitions,
            "GetPartition": self._get_partition,
            "GetPartitions": self._get_partitions,
            "UpdatePartition": self._update_partition,
            "DeletePartition": self._delete_partition,
        }
        return answers[operation](request)

    def _database(self, name: str) -> Shape:
        if name.lower() not in self._databases:
            raise _not_found(f"Database {name.lower()}")
        return self._databases[name.lower()]

    def _create_database(self, request: Shape) -> Shape:
        given = request["DatabaseInput"]
        name = given["Name"].lower()
        if name in self._databases:
            raise CatalogRefused("AlreadyExistsException", "Database already exists.")
        self._databases[name] = {**given, "Name": name, "CreateTime": time.time()}
        return {}

    def _update_database(self, request: Shape) -> Shape:
        self._database(request["Name"]).update(request["DatabaseInput"])
        return {}

    def _delete_database(self, request: Shape) -> Shape:
        name = self._database(request["Name"])["Name"]
        for key in [key for key in self._tables if key[0] == name]:
            del self._tables[key], self._partitions[key]
        del self._databases[name]
        return {}

    def _table(self, database: str, name: str) -> Shape:
        self._database(database)
        if (database.lower(), name.lower()) not in self._tables:
            raise _not_found(f"Table {name.lower()}")
        return self._tables[database.lower(), name.lower()]

    def _create_table(self, request: Shape) -> Shape:
        database = self._database(request["DatabaseName"])["Name"]
        given = request["TableInput"]
        key = (database, given["Name"].lower())
        if key in self._tables:
            raise CatalogRefused("AlreadyExistsException", "Table already exists.")
        now = time.time()
        self._tables[key] = {
            **given, "Name": key[1], "DatabaseName": database, "CreateTime": now, "UpdateTime": now,
            "VersionId": "0",
        }  # fmt: skip
        self._partitions[key] = {}
        return {}

    def _get_tables(self, request: Shape) -> Shape:
        database = self._database(request["DatabaseName"])["Name"]
        return {"TableList": [t for (d, _), t in sorted(self._tables.items()) if d == database]}

    def _update_table(self, request: Shape) -> Shape:
        given = request["TableInput"]
        table = self._table(request["DatabaseName"], given["Name"])
        if request.get("VersionId") not in (None, table["VersionId"]):
            raise CatalogRefused("ConcurrentModificationException", "Another version is current.")
        version = str(int(table["VersionId"]) + 1)
        table.update(
            {**given, "Name": table["Name"], "UpdateTime": time.time(), "VersionId": version}
        )
        return {}

    def _delete_table(self, request: Shape) -> Shape:
        table = self._table(request["DatabaseName"], request["Name"])
        key = (table["DatabaseName"], table["Name"])
        del self._tables[key], self._partitions[key]
        return {}

    def _parts(self, request: Shape) -> dict[tuple[str, ...], Shape]:
        table = self._table(request["DatabaseName"], request["TableName"])
        return self._partitions[table["DatabaseName"], table["Name"]]

    def _create_partitions(self, request: Shape) -> Shape:
        parts, errors = self._parts(request), []
        for given in request["PartitionInputList"]:
            if tuple(given["Values"]) in parts:
                detail = {"ErrorCode": "AlreadyExistsException",
                          "ErrorMessage": "Partition already exists."}  # fmt: skip
                errors.append({"PartitionValues": given["Values"], "ErrorDetail": detail})
            else:
                parts[tuple(given["Values"])] = {**given, "CreationTime": time.time()}
        return {"Errors": errors}

    def _get_partition(self, request: Shape) -> Shape:
        parts = self._parts(request)
        if tuple(request["PartitionValues"]) not in parts:
            raise CatalogRefused("EntityNotFoundException", "Cannot find partition.")
        return {"Partition": parts[tuple(request["PartitionValues"])]}

    def _get_partitions(self, request: Shape) -> Shape:
        return {"Partitions": [part for _, part in sorted(self._parts(request).items())]}

    def _update_partition(self, request: Shape) -> Shape:
        self._delete_partition({**request, "PartitionValues": request["PartitionValueList"]})
        self._create_partitions({**request, "PartitionInputList": [request["PartitionInput"]]})
        return {}

    def _delete_partition(self, request: Shape) -> Shape:
        parts = self._parts(request)
        if tuple(request["PartitionValues"]) not in parts:
            raise CatalogRefused("EntityNotFoundException", "Cannot find partition.")
        del parts[tuple(request["PartitionValues"])]
        return {}
