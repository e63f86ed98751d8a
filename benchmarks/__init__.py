"""Ratios measured within one run against a named floor. Never timed tests."""
