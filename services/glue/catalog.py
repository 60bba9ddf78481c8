"""One account's catalog in one region, as an operation sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.glue.errors import GlueError, database_not_found, table_not_found
from services.glue.store import Store, path

Request = dict[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Catalog:
    """What every operation gets: the things of one account and region, and the time.

    Names of databases, tables and functions are folded to lower case, as Glue does for Hive.
    """

    store: Store
    account_id: str
    region: str
    now: float

    @property
    def scope(self) -> str:
        return scope_of(self.account_id, self.region)

    def arn(self, resource: str) -> str:
        return f"arn:aws:glue:{self.region}:{self.account_id}:{resource}"

    def get(self, kind: str, parent: str, name: str) -> Any | None:
        return self.store.get(self.scope, kind, parent, name)

    def put(self, kind: str, parent: str, name: str, body: Any) -> None:
        self.store.put(self.scope, kind, parent, name, body)

    def delete(self, kind: str, parent: str, name: str) -> bool:
        return self.store.delete(self.scope, kind, parent, name)

    def items(
        self, kind: str, parent: str = "", after: str | None = None, limit: int = -1
    ) -> list[tuple[str, Any]]:
        return self.store.items(self.scope, kind, parent, after, limit)

    def database(self, name: str) -> dict[str, Any]:
        """The database, or EntityNotFoundException."""
        found: dict[str, Any] | None = self.get("database", "", name.lower())
        if found is None:
            raise database_not_found(name)
        return found

    def table(self, database_name: str, name: str) -> dict[str, Any]:
        """The table, or EntityNotFoundException for the database or the table."""
        found: dict[str, Any] | None = self.get("table", path(database_name.lower()), name.lower())
        if found is None:
            self.database(database_name)
            raise table_not_found(name)
        return found

    def table_of(self, request: Request) -> dict[str, Any]:
        """The table a request names by DatabaseName and TableName."""
        return self.table(request["DatabaseName"], request["TableName"])


Operation = Callable[[Catalog, Request], Answer]
Operations = Mapping[str, Operation]


def place_of(table: Answer) -> str:
    """Where a table's partitions, versions and indexes are in the store."""
    return path(table["DatabaseName"], table["Name"])


def scope_of(account_id: str, region: str) -> str:
    """What separates accounts and regions in the store."""
    return f"{account_id}/{region}"


def check_catalog_id(catalog: Catalog, request: Request) -> None:
    """Another account's catalog is out of reach, as on AWS without a grant."""
    catalog_id = request.get("CatalogId")
    if catalog_id and catalog_id != catalog.account_id:
        raise GlueError(
            "AccessDeniedException",
            f"User: arn:aws:iam::{catalog.account_id}:root is not authorized to perform this on "
            f"resource: arn:aws:glue:{catalog.region}:{catalog_id}:catalog",
        )


def without_none(body: Mapping[str, Any]) -> dict[str, Any]:
    """Only what has a value: Glue leaves absent members out of its answers."""
    return {name: value for name, value in body.items() if value is not None}
