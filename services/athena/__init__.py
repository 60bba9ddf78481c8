"""Athena behind AWS's API: Hive DDL and Trino SQL over tables in S3, executed by DuckDB."""
