"""What Athena's DDL can say: one frozen class a statement."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Name:
    """`database` is None where the statement leaves it to the query's context."""

    name: str
    database: str | None = None


@dataclass(frozen=True)
class ColumnDefinition:
    name: str
    type: str
    comment: str | None = None


PartitionSpec = dict[str, str]


@dataclass(frozen=True)
class CreateDatabase:
    name: str
    if_not_exists: bool = False
    comment: str | None = None
    location: str | None = None
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DropDatabase:
    name: str
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True)
class AlterDatabase:
    name: str
    properties: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class CreateTable:
    """`row_format`: None, or the SerDe class; `delimited` are its properties when DELIMITED."""

    name: Name
    columns: tuple[ColumnDefinition, ...] = ()
    external: bool = True
    if_not_exists: bool = False
    comment: str | None = None
    partitioned_by: tuple[ColumnDefinition, ...] = ()
    partition_transforms: tuple[str, ...] = ()
    clustered_by: tuple[str, ...] = ()
    buckets: int | None = None
    serde: str | None = None
    serde_properties: dict[str, str] = field(default_factory=dict)
    stored_as: str | None = None
    input_format: str | None = None
    output_format: str | None = None
    location: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    like: Name | None = None


@dataclass(frozen=True)
class DropTable:
    name: Name
    if_exists: bool = False
    view: bool = False


@dataclass(frozen=True)
class AddPartitions:
    name: Name
    partitions: tuple[tuple[PartitionSpec, str | None], ...]
    if_not_exists: bool = False


@dataclass(frozen=True)
class DropPartitions:
    """Each specification is a list of (column, operator, value)."""

    name: Name
    partitions: tuple[tuple[tuple[str, str, str], ...], ...]
    if_exists: bool = False


@dataclass(frozen=True)
class RenamePartition:
    name: Name
    old: PartitionSpec
    new: PartitionSpec


@dataclass(frozen=True)
class SetLocation:
    name: Name
    location: str
    partition: PartitionSpec | None = None


@dataclass(frozen=True)
class AddColumns:
    name: Name
    columns: tuple[ColumnDefinition, ...]
    partition: PartitionSpec | None = None


@dataclass(frozen=True)
class RenameTable:
    """Of Iceberg tables only: Athena renames no other."""

    name: Name
    new: Name


@dataclass(frozen=True)
class ReplaceColumns:
    name: Name
    columns: tuple[ColumnDefinition, ...]
    partition: PartitionSpec | None = None


@dataclass(frozen=True)
class ChangeColumn:
    name: Name
    old: str
    column: ColumnDefinition


@dataclass(frozen=True)
class DropColumn:
    name: Name
    column: str


@dataclass(frozen=True)
class SetProperties:
    name: Name
    properties: dict[str, str]


@dataclass(frozen=True)
class UnsetProperties:
    name: Name
    keys: tuple[str, ...]
    if_exists: bool = False


@dataclass(frozen=True)
class RepairTable:
    name: Name


@dataclass(frozen=True)
class ShowDatabases:
    pattern: str | None = None


@dataclass(frozen=True)
class ShowTables:
    database: str | None = None
    pattern: str | None = None
    views: bool = False


@dataclass(frozen=True)
class ShowColumns:
    name: Name


@dataclass(frozen=True)
class ShowPartitions:
    name: Name
    partition: PartitionSpec | None = None


@dataclass(frozen=True)
class ShowCreate:
    name: Name
    view: bool = False


@dataclass(frozen=True)
class ShowProperties:
    name: Name
    key: str | None = None


@dataclass(frozen=True)
class Describe:
    name: Name
    formatted: bool = False
    extended: bool = False
    partition: PartitionSpec | None = None
    column: tuple[str, ...] = ()


@dataclass(frozen=True)
class DescribeDatabase:
    name: str


Statement = (
    CreateDatabase | DropDatabase | AlterDatabase | CreateTable | DropTable | AddPartitions
    | DropPartitions | RenamePartition | SetLocation | RenameTable | AddColumns | ReplaceColumns | ChangeColumn
    | DropColumn | SetProperties | UnsetProperties | RepairTable | ShowDatabases | ShowTables
    | ShowColumns | ShowPartitions | ShowCreate | ShowProperties | Describe | DescribeDatabase
)  # fmt: skip
