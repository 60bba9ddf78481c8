"""Trino SQL, bound and typed, as DuckDB SQL: what is not known is refused, never guessed."""
