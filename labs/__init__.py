"""Courses that check the running pipeline."""
