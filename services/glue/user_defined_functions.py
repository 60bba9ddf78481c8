"""Names of user-defined functions, kept for Hive's sake."""

from __future__ import annotations

from services.glue.catalog import Answer, Catalog, Operations, Request, without_none
from services.glue.errors import already_exists, not_found
from services.glue.paging import paged_answer
from services.glue.store import path
from services.glue.table_search import name_pattern


def create_function(catalog: Catalog, request: Request) -> Answer:
    database = catalog.database(request["DatabaseName"])["Name"]
    wanted = request["FunctionInput"]
    name = wanted["FunctionName"].lower()
    if catalog.get("function", path(database), name) is not None:
        raise already_exists("Function already exists.")
    catalog.put("function", path(database), name, _function(catalog, database, wanted))
    return {}


def get_function(catalog: Catalog, request: Request) -> Answer:
    return {"UserDefinedFunction": _existing(catalog, request)}


def get_functions(catalog: Catalog, request: Request) -> Answer:
    matches = name_pattern(request["Pattern"]).fullmatch
    databases = (
        [catalog.database(request["DatabaseName"])["Name"]]
        if request.get("DatabaseName")
        else [name for name, _ in catalog.items("database")]
    )
    kind = request.get("FunctionType")
    functions = [
        (path(database, name), body)
        for database in databases
        for name, body in catalog.items("function", path(database))
        if matches(name) and kind in (None, body.get("FunctionType"))
    ]
    return paged_answer("UserDefinedFunctions", functions, request, 100)


def update_function(catalog: Catalog, request: Request) -> Answer:
    old = _existing(catalog, request)
    database, name = old["DatabaseName"], old["FunctionName"]
    wanted = request["FunctionInput"] | {"FunctionName": name}
    body = _function(catalog, database, wanted) | {"CreateTime": old["CreateTime"]}
    catalog.put("function", path(database), name, body)
    return {}


def delete_function(catalog: Catalog, request: Request) -> Answer:
    found = _existing(catalog, request)
    catalog.delete("function", path(found["DatabaseName"]), found["FunctionName"])
    return {}


def _existing(catalog: Catalog, request: Request) -> Answer:
    database = catalog.database(request["DatabaseName"])["Name"]
    found: Answer | None = catalog.get("function", path(database), request["FunctionName"].lower())
    if found is None:
        raise not_found(f"Function {request['FunctionName']} not found.")
    return found


def _function(catalog: Catalog, database: str, wanted: Request) -> Answer:
    return without_none(
        wanted
        | {
            "FunctionName": wanted["FunctionName"].lower(),
            "DatabaseName": database,
            "CreateTime": catalog.now,
            "CatalogId": catalog.account_id,
        }
    )


OPERATIONS: Operations = {
    "CreateUserDefinedFunction": create_function,
    "GetUserDefinedFunction": get_function,
    "GetUserDefinedFunctions": get_functions,
    "UpdateUserDefinedFunction": update_function,
    "DeleteUserDefinedFunction": delete_function,
}
