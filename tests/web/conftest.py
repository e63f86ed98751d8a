"""The pages' fixtures, for every test in this folder."""

from __future__ import annotations

from tests.web.client import app, clock, visitor

__all__ = ["app", "clock", "visitor"]
