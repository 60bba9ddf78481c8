"""Delivery streams as resources of a stack."""
