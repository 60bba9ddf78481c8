"""Hive DDL: text in, statement out."""

from __future__ import annotations

import pytest

from services.athena import hive_ddl as ddl
from services.athena.hive_ddl import ColumnDefinition, Name


def test_create_table_reads_columns_partitions_serde_and_properties() -> None:
    statement = ddl.parse("""
        CREATE EXTERNAL TABLE IF NOT EXISTS `shop`.`Orders` (
          `id` bigint COMMENT 'the id', items array<struct<sku:string,qty:int>>, price decimal(10, 2))
        COMMENT 'orders' PARTITIONED BY (`year` string, month int)
        ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
        WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')
        LOCATION 's3://lake/orders/' TBLPROPERTIES ('projection.enabled'='false') ;""")
    assert statement == ddl.CreateTable(
        name=Name("orders", "shop"),
        columns=(
            ColumnDefinition("id", "bigint", "the id"),
            ColumnDefinition("items", "array<struct<sku:string,qty:int>>"),
            ColumnDefinition("price", "decimal(10,2)"),
        ),
        if_not_exists=True,
        comment="orders",
        partitioned_by=(ColumnDefinition("year", "string"), ColumnDefinition("month", "int")),
        serde="org.openx.data.jsonserde.JsonSerDe",
        serde_properties={"ignore.malformed.json": "true"},
        location="s3://lake/orders/",
        properties={"projection.enabled": "false"},
    )


def test_delimiters_are_unescaped() -> None:
    statement = ddl.parse(
        r"CREATE EXTERNAL TABLE t (a int) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' "
        r"COLLECTION ITEMS TERMINATED BY '\002' LOCATION 's3://b/'"
    )
    assert isinstance(statement, ddl.CreateTable)
    assert statement.serde_properties == {"field.delim": "\t", "collection.delim": "\x02"}


@pytest.mark.parametrize(
    ("sql", "statement"),
    [
        ("DROP TABLE IF EXISTS a.b", ddl.DropTable(Name("b", "a"), True)),
        ("DROP DATABASE shop CASCADE", ddl.DropDatabase("shop", False, True)),
        ("MSCK REPAIR TABLE t", ddl.RepairTable(Name("t"))),
        ("SHOW TABLES IN shop 'o*'", ddl.ShowTables("shop", "o*")),
        ("SHOW PARTITIONS t", ddl.ShowPartitions(Name("t"))),
        ("DESCRIBE FORMATTED t", ddl.Describe(Name("t"), formatted=True)),
        (
            "ALTER TABLE t ADD IF NOT EXISTS PARTITION (y='1', m=2) LOCATION 's3://b/1/' "
            "PARTITION (y='2', m='3')",
            ddl.AddPartitions(
                Name("t"),
                (({"y": "1", "m": "2"}, "s3://b/1/"), ({"y": "2", "m": "3"}, None)),
                True,
            ),
        ),
        (
            "ALTER TABLE t PARTITION (y='1') RENAME TO PARTITION (y='2')",
            ddl.RenamePartition(Name("t"), {"y": "1"}, {"y": "2"}),
        ),
        (
            "ALTER TABLE t CHANGE COLUMN a b bigint",
            ddl.ChangeColumn(Name("t"), "a", ColumnDefinition("b", "bigint")),
        ),
    ],
)
def test_the_family_of_statements(sql: str, statement: ddl.Statement) -> None:
    assert ddl.parse(sql) == statement


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE EXTERNAL TABLE t (a int) LCATION 's3://b/'", "line 1:32 missing EOF at 'LCATION'"),
        ("DESCRIBE TABLE t", "line 1:9 mismatched input 'TABLE'"),
        ("ALTER TABLE t\nDROP", "line 2:4 mismatched input '<EOF>' expecting PARTITION"),
    ],
)
def test_a_mistake_names_line_and_column(sql: str, message: str) -> None:
    with pytest.raises(ddl.DdlRefused) as refused:
        ddl.parse(sql)
    assert message in refused.value.reason
