"""The platform, seen live."""
