"""Tags of databases, crawlers, registries and schemas, by ARN."""

from __future__ import annotations

from services.glue.catalog import Answer, Catalog, Operations, Request
from services.glue.errors import GlueError, invalid_input, not_found
from services.glue.store import path

#: Of what an ARN's resource names: the kind of thing it is in the store.
TAGGED_KINDS = {
    "database": "database",
    "crawler": "crawler",
    "registry": "registry",
    "schema": "schema",
    "userDefinedFunction": "function",
}
TAGS_ALLOWED = 50


def put_tags(catalog: Catalog, arn: str, tags: dict[str, str]) -> None:
    """These tags and no others; a thing that is gone has none."""
    if tags:
        catalog.put("tags", "", arn, tags)
    else:
        catalog.delete("tags", "", arn)


def tags_of(catalog: Catalog, arn: str) -> dict[str, str]:
    return catalog.get("tags", "", arn) or {}


def tag_resource(catalog: Catalog, request: Request) -> Answer:
    arn = _existing(catalog, request["ResourceArn"])
    tags = tags_of(catalog, arn) | request["TagsToAdd"]
    if len(tags) > TAGS_ALLOWED:
        raise invalid_input(f"The number of tags exceeds the limit of {TAGS_ALLOWED}.")
    if any(key.lower().startswith("aws:") for key in request["TagsToAdd"]):
        raise invalid_input("Tag keys may not start with aws:.")
    put_tags(catalog, arn, tags)
    return {}


def untag_resource(catalog: Catalog, request: Request) -> Answer:
    arn = _existing(catalog, request["ResourceArn"])
    gone = set(request["TagsToRemove"])
    kept = {key: value for key, value in tags_of(catalog, arn).items() if key not in gone}
    put_tags(catalog, arn, kept)
    return {}


def get_tags(catalog: Catalog, request: Request) -> Answer:
    return {"Tags": tags_of(catalog, _existing(catalog, request["ResourceArn"]))}


def _existing(catalog: Catalog, arn: str) -> str:
    parts = arn.split(":", 5)
    if len(parts) < 6 or "/" not in parts[5]:
        raise invalid_input(f"Invalid ARN: {arn}")
    if parts[3:5] != [catalog.region, catalog.account_id]:
        raise GlueError("AccessDeniedException", f"The resource {arn} is not in this account.")
    word, *names = parts[5].split("/")
    kind = TAGGED_KINDS.get(word)
    if kind is None or catalog.get(kind, path(*names[:-1]), names[-1]) is None:
        raise not_found(f"Resource {arn} not found.")
    return arn


OPERATIONS: Operations = {
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "GetTags": get_tags,
}
