"""Databases of the catalog, and the catalog itself."""

from __future__ import annotations

from services.glue.catalog import Answer, Catalog, Operations, Request, without_none
from services.glue.errors import already_exists, not_found
from services.glue.paging import paged_answer
from services.glue.store import path
from services.glue.tags import put_tags

#: What a database is open for when nothing else is said: Lake Formation is not consulted.
EVERYONE = [
    {
        "Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"},
        "Permissions": ["ALL"],
    }
]


def create_database(catalog: Catalog, request: Request) -> Answer:
    wanted = request["DatabaseInput"]
    name = wanted["Name"].lower()
    if catalog.get("database", "", name) is not None:
        raise already_exists("Database already exists.")
    catalog.put("database", "", name, _database(catalog, wanted, catalog.now))
    put_tags(catalog, catalog.arn(f"database/{name}"), request.get("Tags") or {})
    return {}


def get_database(catalog: Catalog, request: Request) -> Answer:
    return {"Database": catalog.database(request["Name"])}


def get_databases(catalog: Catalog, request: Request) -> Answer:
    only = request.get("AttributesToGet") or []
    names = ("Name", "CatalogId") if only == ["NAME"] else None
    return paged_answer(
        "DatabaseList",
        catalog.items("database"),
        request,
        100,
        lambda body: {k: v for k, v in body.items() if names is None or k in names},
    )


def update_database(catalog: Catalog, request: Request) -> Answer:
    old = catalog.database(request["Name"])
    wanted = request["DatabaseInput"]
    old_name, name = old["Name"], wanted["Name"].lower()
    if name != old_name:
        _rename(catalog, old_name, name)
    catalog.put("database", "", name, _database(catalog, wanted, old["CreateTime"]))
    return {}


def delete_database(catalog: Catalog, request: Request) -> Answer:
    """The database with all its tables, partitions and functions, as AWS does."""
    name = catalog.database(request["Name"])["Name"]
    catalog.delete("database", "", name)
    catalog.store.delete_below(catalog.scope, path(name))
    put_tags(catalog, catalog.arn(f"database/{name}"), {})
    return {}


def get_catalog(catalog: Catalog, request: Request) -> Answer:
    if request["CatalogId"] not in (catalog.account_id, "AwsDataCatalog"):
        raise not_found(f"Catalog {request['CatalogId']} not found.")
    return {"Catalog": _root(catalog)}


def get_catalogs(catalog: Catalog, request: Request) -> Answer:
    return {"CatalogList": [_root(catalog)] if request.get("IncludeRoot") else []}


def get_catalog_import_status(catalog: Catalog, request: Request) -> Answer:
    """The move from Athena's own catalog, over since 2017: done."""
    return {"ImportStatus": {"ImportCompleted": True}}


def _root(catalog: Catalog) -> Answer:
    return {
        "CatalogId": catalog.account_id,
        "Name": catalog.account_id,
        "ResourceArn": catalog.arn("catalog"),
        "Parameters": {},
        "CreateDatabaseDefaultPermissions": EVERYONE,
        "CreateTableDefaultPermissions": EVERYONE,
    }


def _database(catalog: Catalog, wanted: Request, created: float) -> Answer:
    return without_none(
        {
            "Name": wanted["Name"].lower(),
            "Description": wanted.get("Description"),
            "LocationUri": wanted.get("LocationUri"),
            "Parameters": wanted.get("Parameters"),
            "CreateTime": created,
            "CreateTableDefaultPermissions": wanted.get("CreateTableDefaultPermissions", EVERYONE),
            "TargetDatabase": wanted.get("TargetDatabase"),
            "FederatedDatabase": wanted.get("FederatedDatabase"),
            "CatalogId": catalog.account_id,
        }
    )


def _rename(catalog: Catalog, old_name: str, name: str) -> None:
    if catalog.get("database", "", name) is not None:
        raise already_exists("Database already exists.")
    catalog.delete("database", "", old_name)
    catalog.store.move_below(catalog.scope, path(old_name), path(name))
    for key, body in catalog.items("table", path(name)):
        catalog.put("table", path(name), key, body | {"DatabaseName": name})


OPERATIONS: Operations = {
    "CreateDatabase": create_database,
    "GetDatabase": get_database,
    "GetDatabases": get_databases,
    "UpdateDatabase": update_database,
    "DeleteDatabase": delete_database,
    "GetCatalog": get_catalog,
    "GetCatalogs": get_catalogs,
    "GetCatalogImportStatus": get_catalog_import_status,
}
