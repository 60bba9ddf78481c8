"""A user's own classifiers: grok, XML, JSON path, CSV."""

from __future__ import annotations

from typing import Any

from services.glue.catalog import Answer, Catalog, Operations, Request, without_none
from services.glue.errors import already_exists, invalid_input, not_found
from services.glue.paging import paged_answer

KINDS = ("GrokClassifier", "XMLClassifier", "JsonClassifier", "CsvClassifier")


def create_classifier(catalog: Catalog, request: Request) -> Answer:
    kind, wanted = _one_kind(request)
    if catalog.get("classifier", "", wanted["Name"]) is not None:
        raise already_exists(f"Classifier with name {wanted['Name']} already exists")
    _check(kind, wanted)
    body = wanted | {"CreationTime": catalog.now, "LastUpdated": catalog.now, "Version": 1}
    catalog.put("classifier", "", wanted["Name"], {kind: without_none(body)})
    return {}


def get_classifier(catalog: Catalog, request: Request) -> Answer:
    return {"Classifier": existing_classifier(catalog, request["Name"])}


def get_classifiers(catalog: Catalog, request: Request) -> Answer:
    return paged_answer("Classifiers", catalog.items("classifier"), request, 100)


def update_classifier(catalog: Catalog, request: Request) -> Answer:
    kind, wanted = _one_kind(request)
    old = existing_classifier(catalog, wanted["Name"]).get(kind)
    if old is None:
        raise invalid_input(f"Classifier {wanted['Name']} is of another type.")
    body = old | without_none(wanted)
    _check(kind, body)
    body |= {"LastUpdated": catalog.now, "Version": old["Version"] + 1}
    catalog.put("classifier", "", wanted["Name"], {kind: body})
    return {}


def delete_classifier(catalog: Catalog, request: Request) -> Answer:
    existing_classifier(catalog, request["Name"])
    catalog.delete("classifier", "", request["Name"])
    return {}


def existing_classifier(catalog: Catalog, name: str) -> Answer:
    found: Answer | None = catalog.get("classifier", "", name)
    if found is None:
        raise not_found(f"Classifier entry with name {name} does not exist")
    return found


def _one_kind(request: Request) -> tuple[str, dict[str, Any]]:
    given = [(kind, request[kind]) for kind in KINDS if request.get(kind)]
    if len(given) != 1:
        raise invalid_input("Exactly one classifier must be specified.")
    return given[0]


def _check(kind: str, wanted: dict[str, Any]) -> None:
    # Glue's regular expressions and Arrow are loaded when somebody needs them.
    from services.glue.classification.grok import GrokRefused, compile_grok

    if kind == "GrokClassifier":
        try:
            compile_grok(wanted["GrokPattern"], wanted.get("CustomPatterns") or "")
        except GrokRefused as wrong:
            raise invalid_input(str(wrong)) from None
    header = wanted.get("Header") or []
    if kind == "CsvClassifier":
        if len({name.lower() for name in header}) < len(header):
            raise invalid_input("Header must not contain duplicate column names.")
        if wanted.get("QuoteSymbol") and wanted.get("QuoteSymbol") == wanted.get("Delimiter"):
            raise invalid_input("Delimiter and QuoteSymbol must be different.")


OPERATIONS: Operations = {
    "CreateClassifier": create_classifier,
    "GetClassifier": get_classifier,
    "GetClassifiers": get_classifiers,
    "UpdateClassifier": update_classifier,
    "DeleteClassifier": delete_classifier,
}
