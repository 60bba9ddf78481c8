"""The schema registry: registries, schemas, versions, and which may follow which."""
