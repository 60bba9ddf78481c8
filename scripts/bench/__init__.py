"""Measurements: how fast, and how faithful, beside other engines."""
