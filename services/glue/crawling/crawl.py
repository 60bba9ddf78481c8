"""One crawl: list, sample, classify, lay out, and plan the changes. Reads S3, writes nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from services.glue.classification.classify import Classifier, classify
from services.glue.classification.found import Found
from services.glue.crawling.catalog_changes import Changes, Policy, plan_changes
from services.glue.crawling.object_paths import (
    S3Path,
    exclusion_pattern,
    is_hidden,
    parse_s3_path,
)
from services.glue.crawling.s3_objects import BEGINNING_BYTES, S3Object, S3Objects
from services.glue.crawling.table_layout import (
    CrawledFile,
    FoundTable,
    Grouping,
    find_tables,
)

#: Of a folder with more objects, so many spread over it are read; SampleSize asks for fewer.
OBJECTS_READ_PER_FOLDER = 100
READERS = 8


class CrawlStopped(Exception):
    """StopCrawler was called."""


class CrawlFailed(Exception):
    """The crawl cannot go on; the message is the crawler's ErrorMessage."""


@dataclass(frozen=True)
class Target:
    """An include path. `is_table`: the place of a catalog table, which it stays."""

    path: S3Path
    exclusions: Sequence[str] = ()
    sample_size: int | None = None
    is_table: bool = False


@dataclass(frozen=True)
class CatalogBefore:
    """The crawler's database before the crawl: tables, and partitions by table name."""

    tables: Sequence[Mapping[str, Any]] = ()
    partitions: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


@dataclass
class Crawl:
    """Everything one run needs, passed in."""

    objects: S3Objects
    targets: Sequence[Target]
    classifiers: Sequence[Classifier]
    grouping: Grouping
    policy: Policy
    stop: threading.Event

    def plan(self, before: CatalogBefore, now: float) -> Changes:
        """Crawl all targets and compare. Raises CrawlStopped, CrawlFailed, ClientError."""
        found: list[FoundTable] = []
        for target in self.targets:
            found += self._target_tables(target, before)
        return plan_changes(
            _distinct(found),
            before.tables,
            before.partitions,
            [target.path for target in self.targets],
            self.policy,
            now,
        )

    def _target_tables(self, target: Target, before: CatalogBefore) -> list[FoundTable]:
        bucket, key = target.path
        listed = self._listed(target)
        if len(listed) == 1 and listed[0].key == key:
            return self._single_file(bucket, listed[0])
        prefix = f"{key.rstrip('/')}/" if key.strip("/") else ""
        if self.policy.new_folders_only and before.tables:
            return self._new_folders(bucket, prefix, listed, target, before)
        files = self._classified(bucket, listed, target.sample_size)
        if target.is_table:
            tables = find_tables(bucket, prefix, files, Grouping(table_level=1))
            return [table for table in tables if table.location.key == prefix]
        there = frozenset(_table_folders(bucket, before))
        return find_tables(bucket, prefix, files, replace(self.grouping, tables_there=there))

    def _listed(self, target: Target) -> list[S3Object]:
        """What is below the path, without what is excluded, hidden or empty."""
        bucket, key = target.path
        folder = f"{key.rstrip('/')}/" if key.strip("/") else ""
        excluded = exclusion_pattern(target.exclusions)
        listed = []
        for item in self.objects.under(bucket, folder.rstrip("/")):
            self._check_stop()
            below = item.key[len(folder) :] if item.key.startswith(folder) else None
            if below is None and item.key != key:
                continue
            if below and (is_hidden(below) or (excluded and excluded.fullmatch(below))):
                continue
            if item.size and not item.key.endswith("/"):
                listed.append(item)
        return listed

    def _single_file(self, bucket: str, item: S3Object) -> list[FoundTable]:
        found = self._classify(bucket, item)
        return [FoundTable(S3Path(bucket, item.key), found, (), (), 1, item.size)]

    def _classified(
        self, bucket: str, listed: Sequence[S3Object], sample_size: int | None
    ) -> list[CrawledFile]:
        chosen = {
            item.key for folder in _by_folder(listed) for item in _spread(folder, sample_size)
        }
        with ThreadPoolExecutor(READERS, "glue-crawl") as readers:
            found = readers.map(
                lambda item: self._classify(bucket, item) if item.key in chosen else None, listed
            )
            return [
                CrawledFile(item.key, item.size, kind)
                for item, kind in zip(listed, found, strict=True)
            ]

    def _classify(self, bucket: str, item: S3Object) -> Found:
        self._check_stop()
        beginning = self.objects.beginning(bucket, item.key)
        with self.objects.file(bucket, item) as file:
            is_cut = item.size > BEGINNING_BYTES
            found = classify(beginning, is_cut, item.key, self.classifiers, file)
        knows_all = found.classification in ("parquet", "orc")
        return replace(found, read_bytes=item.size if knows_all else len(beginning))

    def _new_folders(
        self,
        bucket: str,
        prefix: str,
        listed: Sequence[S3Object],
        target: Target,
        before: CatalogBefore,
    ) -> list[FoundTable]:
        """Only folders that no table and no partition has yet: partitions of the tables they
        lie in, or tables of their own."""
        known = _known_folders(before)
        new = [item for item in listed if f"s3://{bucket}/{_folder(item.key)}" not in known]
        files = self._classified(bucket, new, target.sample_size)
        tables: list[FoundTable] = []
        for table in before.tables:
            of_table = [file for file in files if _depth_below(bucket, file, table)]
            tables += _partitions_only(bucket, table, of_table)
            files = [file for file in files if file not in of_table]
        return tables + find_tables(bucket, prefix, files, self.grouping)

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise CrawlStopped


def _by_folder(listed: Iterable[S3Object]) -> list[list[S3Object]]:
    folders: dict[str, list[S3Object]] = {}
    for item in listed:
        folders.setdefault(_folder(item.key), []).append(item)
    return list(folders.values())


def _spread(items: Sequence[S3Object], sample_size: int | None) -> Sequence[S3Object]:
    """At most so many, evenly from first to last."""
    most = sample_size or OBJECTS_READ_PER_FOLDER
    if len(items) <= most:
        return items
    if most == 1:
        return items[:1]
    return [items[position * (len(items) - 1) // (most - 1)] for position in range(most)]


def _folder(key: str) -> str:
    return key[: key.rfind("/") + 1]


def _distinct(found: Sequence[FoundTable]) -> list[FoundTable]:
    """Two include paths may overlap: each location counts once."""
    return list({table.location: table for table in found}.values())


def _known_folders(before: CatalogBefore) -> set[str]:
    partitioned = {table["Name"] for table in before.tables if table.get("PartitionKeys")}
    places = [
        table.get("StorageDescriptor", {}).get("Location", "")
        for table in before.tables
        if table["Name"] not in partitioned
    ]
    for partitions in before.partitions.values():
        places += [p.get("StorageDescriptor", {}).get("Location", "") for p in partitions]
    return {f"{place.rstrip('/')}/" for place in places}


def _table_folders(bucket: str, before: CatalogBefore) -> Iterator[str]:
    for table in before.tables:
        place = parse_s3_path(table.get("StorageDescriptor", {}).get("Location", ""))
        if place is not None and place.bucket == bucket and place.key:
            yield f"{place.key.rstrip('/')}/"


def _depth_below(bucket: str, file: CrawledFile, table: Mapping[str, Any]) -> bool:
    """Whether the file lies as deep below the table as it has partition keys."""
    place = parse_s3_path(table.get("StorageDescriptor", {}).get("Location", ""))
    if place is None or place.bucket != bucket or not file.key.startswith(place.key):
        return False
    keys = len(table.get("PartitionKeys", []))
    return keys > 0 and file.key[len(place.key) :].strip("/").count("/") == keys


def _partitions_only(
    bucket: str, table: Mapping[str, Any], files: Sequence[CrawledFile]
) -> list[FoundTable]:
    place = parse_s3_path(table.get("StorageDescriptor", {}).get("Location", ""))
    if place is None or not files:
        return []
    prefix = f"{place.key.rstrip('/')}/" if place.key else ""
    tables = find_tables(bucket, prefix, files, Grouping(table_level=1))
    return [
        FoundTable(
            S3Path(bucket, prefix),
            found.found,
            tuple(key["Name"] for key in table["PartitionKeys"]),
            found.partitions,
            found.object_count,
            found.size,
        )
        for found in tables
        if found.location.key == prefix
    ]
