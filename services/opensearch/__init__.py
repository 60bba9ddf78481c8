"""OpenSearch beside the engine: the server itself, its index templates, and its dashboards."""
