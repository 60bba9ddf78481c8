"""Glue's resource types for CloudFormation."""
