"""The generations of the cards' master keys and the state of each. No key is in here and no file is read.

    staged    made; validators' card keys carry it, and no card has it yet
    current   what new cards get
    older     cards may still have it, and are opened with it
    retired   gone but for the master of the Transaction MAC, which stays with a card for life

A number is given once: the next generation is one above the highest that ever was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from fare.core.desfire.keys import MAX_KEY_VERSION
from fare.core.errors import OperatorError


class GenerationState(StrEnum):
    """What a generation is used for."""

    STAGED = "staged"
    CURRENT = "current"
    OLDER = "older"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation as people see it. `retired`: only proofs are still checked with it."""

    version: int
    state: GenerationState


@dataclass(frozen=True, slots=True)
class Roster:
    """Which generations there are: `held` whole, oldest first; `retired` down to the Transaction MAC's.

    `last` is the highest number ever given. Every change gives a new roster; ValueError for one that
    contradicts itself.
    """

    current: int
    last: int
    held: tuple[int, ...]
    retired: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        every = sorted((*self.held, *self.retired))
        if list(self.held) != sorted(self.held) or len(set(every)) != len(every):
            raise ValueError("each generation stands once, oldest first")
        if self.current not in self.held or not 0 < every[0] <= every[-1] <= self.last <= MAX_KEY_VERSION:
            raise ValueError("the current generation is held, and no number is above the last one given")

    @classmethod
    def first(cls) -> Roster:
        """The first generation, current at once: there is no validator and no card yet."""
        return cls(current=1, last=1, held=(1,))

    @classmethod
    def decode(cls, document: Mapping[str, Any]) -> Roster:
        """Read `encode`'s fields. Raises KeyError, TypeError or ValueError."""
        return cls(
            current=int(document["current"]),
            last=int(document["last"]),
            held=tuple(int(version) for version in document["held"]),
            retired=tuple(int(version) for version in document["retired"]),
        )

    def encode(self) -> dict[str, Any]:
        """The fields of a JSON document."""
        return {
            "current": self.current,
            "last": self.last,
            "held": list(self.held),
            "retired": list(self.retired),
        }

    def listed(self) -> tuple[Generation, ...]:
        """All of them, oldest first."""
        return tuple(
            Generation(version, self._state(version)) for version in sorted((*self.held, *self.retired))
        )

    def with_new(self, version: int) -> Roster:
        """With one more, staged, whose number must be `version`, one above the last. Raises OperatorError.

        The number is said beforehand, so that one approval never makes two generations.
        """
        if self.last == MAX_KEY_VERSION:
            raise OperatorError(
                f"All {MAX_KEY_VERSION} generations of card keys were used: a card can name no other."
            )
        if version != self.last + 1:
            raise OperatorError(
                f"The next generation is {self.last + 1}, not {version}: see 'mancard keys list'."
            )
        return replace(self, last=version, held=(*self.held, version))

    def with_current(self, version: int) -> Roster:
        """With a staged one current. Raises OperatorError for any other: a roll never goes back."""
        if self._state_of(version) is not GenerationState.STAGED:
            raise OperatorError(
                f"Generation {version} is {self._state_of(version)}: only a staged one becomes current."
            )
        return replace(self, current=version)

    def without(self, version: int, *, keep_proofs: bool) -> Roster:
        """Without one that is not current. `keep_proofs`: cards live whose proofs it still checks.

        Raises OperatorError for the current one, for one that is not there, and for a retired one whose
        proofs are still needed.
        """
        state = self._state_of(version)
        if state is GenerationState.CURRENT:
            raise OperatorError(
                f"Generation {version} is what new cards get: activate a newer one before it is retired."
            )
        if state is GenerationState.RETIRED and keep_proofs:
            raise OperatorError(
                f"Generation {version} is retired already; cards whose proofs it checks are still in use."
            )
        others = [other for other in self.retired if other != version]
        return replace(
            self,
            held=tuple(other for other in self.held if other != version),
            retired=tuple(sorted((*others, version) if keep_proofs else others)),
        )

    def _state_of(self, version: int) -> GenerationState:
        if version not in self.held and version not in self.retired:
            raise OperatorError(
                f"There is no generation {version} of card keys: 'mancard keys list' shows them."
            )
        return self._state(version)

    def _state(self, version: int) -> GenerationState:
        if version == self.current:
            return GenerationState.CURRENT
        if version in self.retired:
            return GenerationState.RETIRED
        return GenerationState.STAGED if version > self.current else GenerationState.OLDER
