"""The pages' fixtures, for every test in this folder."""

from __future__ import annotations

from tests.web.client import app, browser, clock

__all__ = ["app", "browser", "clock"]
