"""Crawlers: from objects in S3 to tables, partitions and changes in the catalog."""
