"""The targets by name: what is fed, and what it is fed with first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fuzz import hostile_card, hostile_documents, hostile_tariffs, hostile_terminal, hostile_texts

FOUND: Final = Path(__file__).parent / "found"
"""Inputs that once broke a rule, named TARGET-…; every test run plays them again."""


@dataclass(frozen=True, slots=True)
class Target:
    """`check` raises for an input that breaks a rule."""

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    most_bytes: int

    def found(self) -> list[bytes]:
        """The inputs that once broke a rule."""
        return [path.read_bytes() for path in sorted(FOUND.glob(f"{self.name}-*"))]


TARGETS: Final = (
    Target("card", hostile_card.check, hostile_card.seeds, 256),
    Target("emulator", hostile_terminal.check, hostile_terminal.seeds, 512),
    Target("documents", hostile_documents.check, hostile_documents.seeds, 512),
    Target("texts", hostile_texts.check, hostile_texts.seeds, 512),
    Target("tariffs", hostile_tariffs.check, hostile_tariffs.seeds, 256),
)


def target(name: str) -> Target | None:
    """The target of that name."""
    return next((one for one in TARGETS if one.name == name), None)
