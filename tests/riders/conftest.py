"""The commands' fixture, for every test in this folder."""

from __future__ import annotations

from tests.staff.commands import commands

__all__ = ["commands"]
