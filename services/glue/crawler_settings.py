"""A crawler's settings, from AWS's shapes to what a crawl works with. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from services.glue.crawling.catalog_changes import Policy
from services.glue.crawling.crawl import Target
from services.glue.crawling.object_paths import parse_s3_path
from services.glue.crawling.table_layout import Grouping
from services.glue.errors import invalid_input

Crawler = Mapping[str, Any]


def configuration_of(crawler: Crawler) -> dict[str, Any]:
    """The configuration JSON, or InvalidInputException.

    https://docs.aws.amazon.com/glue/latest/dg/crawler-configuration.html"""
    text = crawler.get("Configuration")
    if not text:
        return {}
    try:
        content = json.loads(text)
    except ValueError:
        raise invalid_input("Crawler configuration is not valid JSON.") from None
    if not isinstance(content, dict) or content.get("Version") not in (1, 1.0, "1.0"):
        raise invalid_input("Crawler configuration must be an object with Version 1.0.")
    return content


def grouping_of(crawler: Crawler) -> Grouping:
    rules = configuration_of(crawler).get("Grouping") or {}
    level = rules.get("TableLevelConfiguration")
    if level is not None and (not isinstance(level, int) or level < 1):
        raise invalid_input("TableLevelConfiguration must be a whole number from 1.")
    policy = rules.get("TableGroupingPolicy")
    return Grouping(policy == "CombineCompatibleSchemas", level)


def policy_of(crawler: Crawler) -> Policy:
    output = configuration_of(crawler).get("CrawlerOutput") or {}
    of_tables = (output.get("Tables") or {}).get("AddOrUpdateBehavior")
    of_partitions = (output.get("Partitions") or {}).get("AddOrUpdateBehavior")
    schema_policy = crawler.get("SchemaChangePolicy") or {}
    recrawl = (crawler.get("RecrawlPolicy") or {}).get("RecrawlBehavior")
    return Policy(
        crawler_name=crawler["Name"],
        table_prefix=crawler.get("TablePrefix") or "",
        updates=schema_policy.get("UpdateBehavior", "UPDATE_IN_DATABASE") != "LOG",
        delete_behavior=schema_policy.get("DeleteBehavior", "DEPRECATE_IN_DATABASE"),
        merges_new_columns=of_tables == "MergeNewColumns",
        partitions_inherit=of_partitions == "InheritFromTable",
        new_folders_only=recrawl == "CRAWL_NEW_FOLDERS_ONLY",
    )


def targets_of(crawler: Crawler, table_of: Callable[[str, str], Mapping[str, Any]]) -> list[Target]:
    """S3 paths, and the places of catalog tables (`table_of` database and name)."""
    targets = []
    for wanted in crawler["Targets"].get("S3Targets") or []:
        path = parse_s3_path(wanted.get("Path") or "")
        if path is None:
            raise invalid_input(f"Include path {wanted.get('Path')} is not a valid S3 path.")
        targets.append(Target(path, wanted.get("Exclusions") or (), wanted.get("SampleSize")))
    for wanted in crawler["Targets"].get("CatalogTargets") or []:
        for name in wanted["Tables"]:
            table = table_of(wanted["DatabaseName"], name)
            path = parse_s3_path(table.get("StorageDescriptor", {}).get("Location", ""))
            if path is None:
                raise invalid_input(f"Table {name} does not lie in S3.")
            targets.append(Target(path, is_table=True))
    return targets
