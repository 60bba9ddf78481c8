"""Registries, schemas and versions, as AWS's API shows them."""

from __future__ import annotations

import difflib
import uuid
from datetime import UTC, datetime
from typing import Any

from services.glue.catalog import Answer, Catalog, Operations, Request, without_none
from services.glue.errors import already_exists, invalid_input, not_found
from services.glue.paging import paged_answer
from services.glue.schemas.avro_schema import SchemaRefused
from services.glue.schemas.compatibility import (
    UNCHECKED,
    check_definition,
    may_follow,
    same_definition,
)
from services.glue.store import path
from services.glue.tags import put_tags

DEFAULT_REGISTRY = "default-registry"
VERSIONS_DELETED_AT_ONCE = 25
REGISTRY_SHOWN = ("RegistryName", "RegistryArn")
SCHEMA_SHOWN = ("RegistryName", "SchemaName", "SchemaArn")


def create_registry(catalog: Catalog, request: Request) -> Answer:
    name = request["RegistryName"]
    if catalog.get("registry", "", name) is not None:
        raise already_exists(f"Registry already exists. RegistryName: {name}")
    body = _new_registry(catalog, name, request.get("Description"))
    tags = request.get("Tags") or {}
    put_tags(catalog, body["RegistryArn"], tags)
    return {key: body[key] for key in REGISTRY_SHOWN} | without_none(
        {"Description": request.get("Description"), "Tags": tags}
    )


def get_registry(catalog: Catalog, request: Request) -> Answer:
    return _registry(catalog, request["RegistryId"])


def list_registries(catalog: Catalog, request: Request) -> Answer:
    return paged_answer("Registries", catalog.items("registry"), request, 25)


def update_registry(catalog: Catalog, request: Request) -> Answer:
    body = _registry(catalog, request["RegistryId"])
    body |= {"Description": request["Description"], "UpdatedTime": _time(catalog)}
    catalog.put("registry", "", body["RegistryName"], body)
    return {key: body[key] for key in REGISTRY_SHOWN}


def delete_registry(catalog: Catalog, request: Request) -> Answer:
    """With everything in it."""
    body = _registry(catalog, request["RegistryId"])
    name = body["RegistryName"]
    for _, schema in catalog.items("schema", path(name)):
        _remove_schema(catalog, schema)
    catalog.delete("registry", "", name)
    put_tags(catalog, body["RegistryArn"], {})
    return {key: body[key] for key in REGISTRY_SHOWN} | {"Status": "DELETING"}


def create_schema(catalog: Catalog, request: Request) -> Answer:
    registry = _registry(catalog, request.get("RegistryId") or {}, creates_default=True)
    name, data_format = request["SchemaName"], request["DataFormat"]
    compatibility = request.get("Compatibility", "NONE")
    if catalog.get("schema", path(registry["RegistryName"]), name) is not None:
        raise already_exists(f"Schema already exists. SchemaName: {name}")
    if data_format == "PROTOBUF" and compatibility not in UNCHECKED:
        raise invalid_input(
            f"Compatibility {compatibility} of PROTOBUF is not checked by this engine: use NONE."
        )
    schema = without_none(
        {
            "RegistryName": registry["RegistryName"],
            "RegistryArn": registry["RegistryArn"],
            "SchemaName": name,
            "SchemaArn": catalog.arn(f"schema/{registry['RegistryName']}/{name}"),
            "Description": request.get("Description"),
            "DataFormat": data_format,
            "Compatibility": compatibility,
            "SchemaCheckpoint": 1,
            "LatestSchemaVersion": 0,
            "NextSchemaVersion": 1,
            "SchemaStatus": "AVAILABLE",
            "CreatedTime": _time(catalog),
            "UpdatedTime": _time(catalog),
        }
    )
    _save_schema(catalog, schema)
    put_tags(catalog, schema["SchemaArn"], request.get("Tags") or {})
    answer = schema | {"Tags": request.get("Tags") or {}}
    if request.get("SchemaDefinition"):
        version = _add_version(catalog, schema, request["SchemaDefinition"])
        answer |= {
            "LatestSchemaVersion": schema["LatestSchemaVersion"],
            "NextSchemaVersion": schema["NextSchemaVersion"],
            "SchemaVersionId": version["SchemaVersionId"],
            "SchemaVersionStatus": version["Status"],
        }
    return {key: value for key, value in answer.items() if not key.endswith("Time")}


def get_schema(catalog: Catalog, request: Request) -> Answer:
    return _schema(catalog, request["SchemaId"])


def list_schemas(catalog: Catalog, request: Request) -> Answer:
    wanted = request.get("RegistryId")
    registries = (
        [_registry(catalog, wanted)["RegistryName"]]
        if wanted
        else [name for name, _ in catalog.items("registry")]
    )
    items = [
        (f"{registry}/{name}", body)
        for registry in registries
        for name, body in catalog.items("schema", path(registry))
    ]
    members = (*SCHEMA_SHOWN, "Description", "SchemaStatus", "CreatedTime", "UpdatedTime")
    return paged_answer("Schemas", items, request, 25, lambda body: _only(body, members))


def update_schema(catalog: Catalog, request: Request) -> Answer:
    schema = _schema(catalog, request["SchemaId"])
    if request.get("SchemaVersionNumber"):
        version = _numbered(catalog, schema, request["SchemaVersionNumber"])
        schema["SchemaCheckpoint"] = version["VersionNumber"]
    elif request.get("Compatibility"):
        raise invalid_input("SchemaVersionNumber is required to update the compatibility.")
    if schema["DataFormat"] == "PROTOBUF" and request.get("Compatibility", "NONE") not in UNCHECKED:
        raise invalid_input("Compatibility of PROTOBUF is not checked by this engine: use NONE.")
    given = {key: request.get(key) for key in ("Compatibility", "Description")}
    schema |= without_none(given) | {"UpdatedTime": _time(catalog)}
    _save_schema(catalog, schema)
    return _only(schema, SCHEMA_SHOWN)


def delete_schema(catalog: Catalog, request: Request) -> Answer:
    schema = _schema(catalog, request["SchemaId"])
    _remove_schema(catalog, schema)
    return _only(schema, ("SchemaArn", "SchemaName")) | {"Status": "DELETING"}


def register_schema_version(catalog: Catalog, request: Request) -> Answer:
    schema = _schema(catalog, request["SchemaId"])
    if schema["Compatibility"] == "DISABLED":
        raise invalid_input(
            "Compatibility DISABLED does not allow versioning. SchemaId: "
            f"SchemaId(schemaArn={schema['SchemaArn']}, schemaName={schema['SchemaName']}, "
            f"registryName={schema['RegistryName']})"
        )
    version = _add_version(catalog, schema, request["SchemaDefinition"])
    return _only(version, ("SchemaVersionId", "VersionNumber", "Status"))


def get_schema_version(catalog: Catalog, request: Request) -> Answer:
    schema, version = _version(catalog, request)
    return version | {"DataFormat": schema["DataFormat"], "SchemaArn": schema["SchemaArn"]}


def get_schema_by_definition(catalog: Catalog, request: Request) -> Answer:
    schema = _schema(catalog, request["SchemaId"])
    _check(schema["DataFormat"], request["SchemaDefinition"])
    version = _same(catalog, schema, request["SchemaDefinition"])
    if version is None:
        raise not_found(f"Schema is not found. {_names(schema)}")
    shown = _only(version, ("SchemaVersionId", "Status", "CreatedTime"))
    return shown | {"SchemaArn": schema["SchemaArn"], "DataFormat": schema["DataFormat"]}


def list_schema_versions(catalog: Catalog, request: Request) -> Answer:
    schema = _schema(catalog, request["SchemaId"])
    members = ("SchemaVersionId", "VersionNumber", "Status", "CreatedTime")
    return paged_answer(
        "Schemas",
        _versions(catalog, schema),
        request,
        25,
        lambda body: _only(body, members) | {"SchemaArn": schema["SchemaArn"]},
    )


def delete_schema_versions(catalog: Catalog, request: Request) -> Answer:
    schema = _schema(catalog, request["SchemaId"])
    first, _, last = request["Versions"].partition("-")
    numbers = range(int(first), int(last or first) + 1)
    if not 0 < len(numbers) <= VERSIONS_DELETED_AT_ONCE:
        raise invalid_input(f"At most {VERSIONS_DELETED_AT_ONCE} versions can be deleted at once.")
    there = dict(_versions(catalog, schema))
    errors = []
    for number in numbers:
        version = there.get(_key(number))
        if number == schema["SchemaCheckpoint"]:
            errors.append(_version_error(number, "InvalidInputException", "the checkpoint"))
        elif version is None:
            errors.append(_version_error(number, "EntityNotFoundException", "not found"))
        else:
            _remove_version(catalog, schema, version)
    return {"SchemaVersionErrors": errors}


def check_schema_version_validity(catalog: Catalog, request: Request) -> Answer:
    try:
        check_definition(request["DataFormat"], request["SchemaDefinition"])
    except SchemaRefused as wrong:
        return {"Valid": False, "Error": _invalid(request["DataFormat"], wrong)}
    return {"Valid": True}


def get_schema_versions_diff(catalog: Catalog, request: Request) -> Answer:
    schema = _schema(catalog, request["SchemaId"])
    first = _numbered(catalog, schema, request["FirstSchemaVersionNumber"])
    second = _numbered(catalog, schema, request["SecondSchemaVersionNumber"])
    lines = difflib.unified_diff(
        first["SchemaDefinition"].splitlines(),
        second["SchemaDefinition"].splitlines(),
        f"version {first['VersionNumber']}",
        f"version {second['VersionNumber']}",
        lineterm="",
    )
    return {"Diff": "\n".join(lines) or "No difference."}


def put_metadata(catalog: Catalog, request: Request) -> Answer:
    schema, version = _version(catalog, request)
    pair = request["MetadataKeyValue"]
    key, value = pair["MetadataKey"], pair["MetadataValue"]
    values = version.setdefault("Metadata", {}).setdefault(key, {})
    if value in values:
        raise already_exists(
            "Resource already exist for schema version id: "
            f"{version['SchemaVersionId']}, metadata key: {key}, metadata value: {value}"
        )
    values[value] = _time(catalog)
    _save_version(catalog, schema, version)
    return _metadata_answer(schema, version, key, value)


def query_metadata(catalog: Catalog, request: Request) -> Answer:
    _, version = _version(catalog, request)
    pairs = request.get("MetadataList") or []
    wanted = [(pair.get("MetadataKey"), pair.get("MetadataValue")) for pair in pairs]
    found: dict[str, Any] = {}
    for key, values in version.get("Metadata", {}).items():
        chosen = [
            {"MetadataValue": value, "CreatedTime": created}
            for value, created in reversed(values.items())
            if not wanted or (key, value) in wanted or (key, None) in wanted
        ]
        if chosen:
            found[key] = chosen[0] | {"OtherMetadataValueList": chosen[1:]}
    return {"MetadataInfoMap": found, "SchemaVersionId": version["SchemaVersionId"]}


def remove_metadata(catalog: Catalog, request: Request) -> Answer:
    schema, version = _version(catalog, request)
    pair = request["MetadataKeyValue"]
    key, value = pair["MetadataKey"], pair["MetadataValue"]
    values = version.get("Metadata", {}).get(key, {})
    if value not in values:
        raise not_found(f"Metadata {key}: {value} is not found.")
    del values[value]
    if not values:
        del version["Metadata"][key]
    _save_version(catalog, schema, version)
    return _metadata_answer(schema, version, key, value)


def _new_registry(catalog: Catalog, name: str, description: str | None) -> Answer:
    body = without_none(
        {
            "RegistryName": name,
            "RegistryArn": catalog.arn(f"registry/{name}"),
            "Description": description,
            "Status": "AVAILABLE",
            "CreatedTime": _time(catalog),
            "UpdatedTime": _time(catalog),
        }
    )
    catalog.put("registry", "", name, body)
    return body


def _registry(catalog: Catalog, wanted: Request, creates_default: bool = False) -> Answer:
    """By name or ARN. The default registry comes into being with its first schema."""
    if wanted.get("RegistryName") and wanted.get("RegistryArn"):
        raise invalid_input(
            "One of registryName or registryArn has to be provided, both cannot be provided."
        )
    name = wanted.get("RegistryName") or (wanted.get("RegistryArn") or "").rpartition("/")[2]
    name = name or DEFAULT_REGISTRY
    found: Answer | None = catalog.get("registry", "", name)
    if found is None and creates_default and name == DEFAULT_REGISTRY:
        return _new_registry(catalog, name, None)
    if found is None:
        given = "RegistryArn" if wanted.get("RegistryArn") else "RegistryName"
        raise not_found(f"Registry is not found. {given}: {wanted.get(given, name)}")
    return found


def _schema(catalog: Catalog, wanted: Request) -> Answer:
    registry, name = wanted.get("RegistryName"), wanted.get("SchemaName")
    arn = wanted.get("SchemaArn")
    if arn and (registry or name):
        raise invalid_input(
            "One of (registryName and schemaName) or schemaArn has to be provided, "
            "both cannot be provided."
        )
    if arn:
        registry, name = arn.split("/")[-2:]
    if not name:
        raise invalid_input(
            "At least one of (registryName and schemaName) or schemaArn has to be provided."
        )
    found: Answer | None = catalog.get("schema", path(registry or DEFAULT_REGISTRY), name)
    if found is None:
        raise not_found(
            f"Schema is not found. RegistryName: {registry or 'null'}, SchemaName: {name}, "
            f"SchemaArn: {arn or 'null'}"
        )
    return found


def _version(catalog: Catalog, request: Request) -> tuple[Answer, Answer]:
    """The schema and its version, by the version's id, or by schema and number."""
    version_id = request.get("SchemaVersionId")
    if version_id and (request.get("SchemaId") or request.get("SchemaVersionNumber")):
        raise invalid_input(
            "No other input parameters can be specified when fetching by SchemaVersionId."
        )
    if version_id:
        place = catalog.get("schema_version_id", "", version_id)
        if place is None:
            raise not_found(f"Schema version is not found. SchemaVersionId: {version_id}")
        schema = _schema(catalog, place["SchemaId"])
        return schema, _numbered(catalog, schema, place)
    schema = _schema(catalog, request.get("SchemaId") or {})
    if not request.get("SchemaVersionNumber"):
        raise invalid_input("One of version number (or) latest version is required.")
    return schema, _numbered(catalog, schema, request["SchemaVersionNumber"])


def _numbered(catalog: Catalog, schema: Answer, wanted: Request) -> Answer:
    latest, number = wanted.get("LatestVersion"), wanted.get("VersionNumber")
    if latest and number:
        raise invalid_input("Only one of VersionNumber or LatestVersion is required.")
    if not latest and not number:
        raise invalid_input("One of version number (or) latest version is required.")
    versions = dict(_versions(catalog, schema))
    good = (key for key, version in versions.items() if version["Status"] != "FAILURE")
    key = max(good, default="") if latest else _key(number)
    if key not in versions:
        raise not_found(
            f"Schema version is not found. {_names(schema)}, VersionNumber: {number or 'null'}, "
            f"isLatestVersion: {'true' if latest else 'false'}"
        )
    found: Answer = versions[key]
    return found


def _add_version(catalog: Catalog, schema: Answer, definition: str) -> Answer:
    """The version with this definition: one that is there, or a new one. One that breaks the
    promise of compatibility is kept with the status FAILURE, as on AWS."""
    data_format = schema["DataFormat"]
    _check(data_format, definition)
    if there := _same(catalog, schema, definition):
        return there
    earlier = [
        body["SchemaDefinition"]
        for _, body in _versions(catalog, schema)
        if body["Status"] == "AVAILABLE" and body["VersionNumber"] >= schema["SchemaCheckpoint"]
    ]
    fits = may_follow(data_format, schema["Compatibility"], definition, earlier)
    number = schema["NextSchemaVersion"]
    version = {
        "SchemaVersionId": str(uuid.uuid4()),
        "SchemaDefinition": definition,
        "VersionNumber": number,
        "Status": "AVAILABLE" if fits else "FAILURE",
        "CreatedTime": _time(catalog),
    }
    _save_version(catalog, schema, version)
    place = {"SchemaId": {"SchemaArn": schema["SchemaArn"]}, "VersionNumber": number}
    catalog.put("schema_version_id", "", version["SchemaVersionId"], place)
    schema |= {"LatestSchemaVersion": number, "NextSchemaVersion": number + 1}
    schema["UpdatedTime"] = _time(catalog)
    _save_schema(catalog, schema)
    return version


def _same(catalog: Catalog, schema: Answer, definition: str) -> Answer | None:
    for _, body in _versions(catalog, schema):
        if same_definition(schema["DataFormat"], body["SchemaDefinition"], definition):
            return dict(body)
    return None


def _check(data_format: str, definition: str) -> None:
    try:
        check_definition(data_format, definition)
    except SchemaRefused as wrong:
        raise invalid_input(_invalid(data_format, wrong)) from None


def _invalid(data_format: str, wrong: SchemaRefused) -> str:
    return f"Schema definition of {data_format} data format is invalid: {wrong}"


def _save_schema(catalog: Catalog, schema: Answer) -> None:
    catalog.put("schema", path(schema["RegistryName"]), schema["SchemaName"], schema)


def _save_version(catalog: Catalog, schema: Answer, version: Answer) -> None:
    place = path(schema["RegistryName"], schema["SchemaName"])
    catalog.put("schema_version", place, _key(version["VersionNumber"]), version)


def _versions(catalog: Catalog, schema: Answer) -> list[tuple[str, Answer]]:
    """Oldest first."""
    place = path(schema["RegistryName"], schema["SchemaName"])
    return catalog.items("schema_version", place)


def _remove_schema(catalog: Catalog, schema: Answer) -> None:
    for _, version in _versions(catalog, schema):
        _remove_version(catalog, schema, version)
    catalog.delete("schema", path(schema["RegistryName"]), schema["SchemaName"])
    put_tags(catalog, schema["SchemaArn"], {})


def _remove_version(catalog: Catalog, schema: Answer, version: Answer) -> None:
    place = path(schema["RegistryName"], schema["SchemaName"])
    catalog.delete("schema_version", place, _key(version["VersionNumber"]))
    catalog.delete("schema_version_id", "", version["SchemaVersionId"])


def _metadata_answer(schema: Answer, version: Answer, key: str, value: str) -> Answer:
    return _only(schema, SCHEMA_SHOWN) | {
        "LatestVersion": version["VersionNumber"] == schema["LatestSchemaVersion"],
        "VersionNumber": version["VersionNumber"],
        "SchemaVersionId": version["SchemaVersionId"],
        "MetadataKey": key,
        "MetadataValue": value,
    }


def _version_error(number: int, code: str, message: str) -> Answer:
    details = {"ErrorCode": code, "ErrorMessage": f"Schema version {number} is {message}."}
    return {"VersionNumber": number, "ErrorDetails": details}


def _names(schema: Answer) -> str:
    return (
        f"RegistryName: {schema['RegistryName']}, SchemaName: {schema['SchemaName']}, "
        f"SchemaArn: {schema['SchemaArn']}"
    )


def _only(body: Answer, members: tuple[str, ...]) -> Answer:
    return {key: body[key] for key in members if key in body}


def _key(number: int | None) -> str:
    return f"{number or 0:010d}"


def _time(catalog: Catalog) -> str:
    """The registry writes its times as text: 2024-01-31T05:06:07.123Z."""
    moment = datetime.fromtimestamp(catalog.now, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


OPERATIONS: Operations = {
    "CreateRegistry": create_registry,
    "GetRegistry": get_registry,
    "ListRegistries": list_registries,
    "UpdateRegistry": update_registry,
    "DeleteRegistry": delete_registry,
    "CreateSchema": create_schema,
    "GetSchema": get_schema,
    "ListSchemas": list_schemas,
    "UpdateSchema": update_schema,
    "DeleteSchema": delete_schema,
    "RegisterSchemaVersion": register_schema_version,
    "GetSchemaVersion": get_schema_version,
    "GetSchemaByDefinition": get_schema_by_definition,
    "ListSchemaVersions": list_schema_versions,
    "DeleteSchemaVersions": delete_schema_versions,
    "CheckSchemaVersionValidity": check_schema_version_validity,
    "GetSchemaVersionsDiff": get_schema_versions_diff,
    "PutSchemaVersionMetadata": put_metadata,
    "QuerySchemaVersionMetadata": query_metadata,
    "RemoveSchemaVersionMetadata": remove_metadata,
}
