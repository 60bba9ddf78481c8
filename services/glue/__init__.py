"""The Glue Data Catalog: databases, tables, partitions, crawlers, schemas."""
