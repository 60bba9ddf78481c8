"""Firehose: buffers, prefixes, partitions, transforms, formats, and nothing lost."""
