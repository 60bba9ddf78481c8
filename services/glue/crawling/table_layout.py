"""Which folders are tables and which are their partitions. Pure: files in, tables out.

AWS: "When the majority of schemas at a folder level are similar, the crawler creates
partitions of a table instead of separate tables."
https://docs.aws.amazon.com/glue/latest/dg/crawler-s3-folder-table-partition.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from services.glue.classification.found import Found, can_combine, combine, look_alike
from services.glue.crawling.object_paths import S3Path


@dataclass(frozen=True)
class CrawledFile:
    """An object below the include path. `found` is None when only others were sampled."""

    key: str
    size: int
    found: Found | None


@dataclass(frozen=True)
class Grouping:
    """The crawler's grouping configuration.

    `combines_compatible` is TableGroupingPolicy CombineCompatibleSchemas; `table_level` is
    TableLevelConfiguration: 1 is the bucket, 2 its folders. `tables_there` are the folders of
    tables that earlier crawls made: none of them ever becomes a partition of a table above."""

    combines_compatible: bool = False
    table_level: int | None = None
    tables_there: frozenset[str] = frozenset()


@dataclass(frozen=True)
class FoundPartition:
    """One folder of a table: the values of its keys, its place, its own schema."""

    values: tuple[str, ...]
    location: S3Path
    found: Found
    object_count: int
    size: int


@dataclass(frozen=True)
class FoundTable:
    """A table as the folders suggest it. Without partition keys `partitions` is empty."""

    location: S3Path
    found: Found
    partition_keys: tuple[str, ...]
    partitions: tuple[FoundPartition, ...]
    object_count: int
    size: int


@dataclass
class Folder:
    """A folder in the making."""

    prefix: str
    files: list[CrawledFile] = field(default_factory=list)
    folders: dict[str, Folder] = field(default_factory=dict)


@dataclass(frozen=True)
class _Leaf:
    """A folder that holds files, and the names of the folders that lead to it."""

    steps: tuple[str, ...]
    folder: Folder
    found: Found


def find_tables(
    bucket: str, prefix: str, files: Sequence[CrawledFile], grouping: Grouping
) -> list[FoundTable]:
    """The tables below `prefix`, which ends in `/` or is empty."""
    root = _tree(prefix, files)
    if grouping.table_level is not None:
        roots = list(_at_level(root, grouping.table_level - 1))
        forced = Grouping(combines_compatible=True)
        return [table for folder in roots for table in _tables(bucket, folder, forced)]
    return list(_tables(bucket, root, grouping))


def _tree(prefix: str, files: Sequence[CrawledFile]) -> Folder:
    root = Folder(prefix)
    for file in files:
        folder = root
        *steps, _ = file.key[len(prefix) :].split("/")
        for step in steps:
            folder = folder.folders.setdefault(step, Folder(f"{folder.prefix}{step}/"))
        folder.files.append(file)
    return root


def _at_level(folder: Folder, depth: int) -> Iterator[Folder]:
    """Folders so many steps below the bucket; the include path itself when that is deeper."""
    if folder.prefix.count("/") >= depth or not folder.folders:
        yield folder
        return
    for name in sorted(folder.folders):
        yield from _at_level(folder.folders[name], depth)


def _tables(bucket: str, folder: Folder, grouping: Grouping) -> Iterator[FoundTable]:
    """The folder as one table, or else what is in it: its files, and each folder below."""
    leaves = list(_leaves(folder, (), grouping))
    if _is_one_table(folder, leaves, grouping):
        yield _one_table(bucket, folder, leaves)
        return
    yield from _file_tables(bucket, folder, grouping)
    for name in sorted(folder.folders):
        yield from _tables(bucket, folder.folders[name], grouping)


def _leaves(folder: Folder, steps: tuple[str, ...], grouping: Grouping) -> Iterator[_Leaf | None]:
    """Folders with files; None stands for one whose files do not belong together."""
    if folder.files:
        found = _merged(folder.files, grouping)
        yield None if found is None else _Leaf(steps, folder, found)
    for name in sorted(folder.folders):
        yield from _leaves(folder.folders[name], (*steps, name), grouping)


def _merged(files: Sequence[CrawledFile], grouping: Grouping) -> Found | None:
    """All files of a folder as one, when they are alike; unknown ones follow the others."""
    found = [file.found for file in files if file.found is not None]
    return _combined(found, grouping)


def _combined(found: Sequence[Found], grouping: Grouping) -> Found | None:
    known = [item for item in found if not item.is_unknown]
    if not known:
        return found[0] if found else None
    alike = can_combine if grouping.combines_compatible else look_alike
    merged = known[0]
    for item in known[1:]:
        if not alike(merged, item):
            return None
        merged = combine(merged, item)
    return merged


def _is_one_table(folder: Folder, leaves: Sequence[_Leaf | None], grouping: Grouping) -> bool:
    whole = [leaf for leaf in leaves if leaf is not None]
    if not whole or len(whole) != len(leaves):
        return False
    if len({len(leaf.steps) for leaf in whole}) > 1:
        return False
    if any(_is_strictly_below(place, folder.prefix) for place in grouping.tables_there):
        return False
    # Folders called key=value say themselves that they are partitions of the folder above them.
    depths = range(len(whole[0].steps))
    hive = [_hive_key([leaf.steps[depth] for leaf in whole]) is not None for depth in depths]
    is_hive = bool(hive) and hive[0]
    if any(hive) and not is_hive:
        return False
    combined = Grouping(combines_compatible=grouping.combines_compatible or is_hive)
    return _combined([leaf.found for leaf in whole], combined) is not None


def _is_strictly_below(place: str, prefix: str) -> bool:
    return place != prefix and place.startswith(prefix)


def _one_table(bucket: str, folder: Folder, leaves: Sequence[_Leaf | None]) -> FoundTable:
    whole = [leaf for leaf in leaves if leaf is not None]
    keys = _partition_keys([leaf.steps for leaf in whole])
    found = _combined([leaf.found for leaf in whole], Grouping(combines_compatible=True))
    assert found is not None  # _is_one_table has said so.
    partitions = tuple(_partition(bucket, leaf, found) for leaf in whole) if keys else ()
    files = [file for leaf in whole for file in leaf.folder.files]
    return FoundTable(
        S3Path(bucket, folder.prefix),
        found,
        keys,
        partitions,
        len(files),
        sum(file.size for file in files),
    )


def _partition(bucket: str, leaf: _Leaf, table: Found) -> FoundPartition:
    found = table if leaf.found.is_unknown else leaf.found
    files = leaf.folder.files
    return FoundPartition(
        tuple(_value(step) for step in leaf.steps),
        S3Path(bucket, leaf.folder.prefix),
        found,
        len(files),
        sum(file.size for file in files),
    )


def _partition_keys(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """`key=value` folders give the key; others `partition_0`, `partition_1`, … by depth."""
    keys: list[str] = []
    for depth in range(len(paths[0])):
        key = _hive_key([path[depth] for path in paths])
        keys.append(key if key and key not in keys else f"partition_{depth}")
    return tuple(keys)


def _hive_key(steps: Sequence[str]) -> str | None:
    """The one key of all these folders, or None."""
    keys = {step.partition("=")[0].lower() if "=" in step[1:] else "" for step in steps}
    return keys.pop() or None if len(keys) == 1 else None


def _value(step: str) -> str:
    return unquote(step.partition("=")[2]) if "=" in step[1:] else step


def _file_tables(bucket: str, folder: Folder, grouping: Grouping) -> Iterator[FoundTable]:
    """The files of a folder that is no table with its folders: one table when they are alike
    and alone, else one table a file."""
    files = [file for file in folder.files if file.found is not None]
    if not files:
        return
    together = _merged(files, grouping)
    if together is not None and not folder.folders:
        yield _files_table(S3Path(bucket, folder.prefix), together, folder.files)
        return
    for file in files:
        if file.found is not None and not file.found.is_unknown:
            yield _files_table(S3Path(bucket, file.key), file.found, [file])


def _files_table(location: S3Path, found: Found, files: Sequence[CrawledFile]) -> FoundTable:
    return FoundTable(location, found, (), (), len(files), sum(file.size for file in files))
