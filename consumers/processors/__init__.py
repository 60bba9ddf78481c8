"""Processors that come with the project: each stores a stream's rows somewhere."""
