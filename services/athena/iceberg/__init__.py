"""Iceberg tables: kept by PyIceberg in our Glue and S3, read and changed through DuckDB."""
