"""Which channel keys there are and the state of each. No private key is in here and no file is read.

    standby   made and published in advance; signs nothing yet
    active    signs phone and paper tickets: exactly one
    retiring  signs nothing more; its tickets are good until they expire
    revoked   believed no more, and its private half is destroyed

A bus that has not synced since a revocation takes the new tickets too, for it knows the standby already. The
public half of a revoked key stays here, since taps of its genuine tickets still come in. A key id is given
once, and a ticket names its key in one byte: the ids end at 255.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from fare.core.errors import OperatorError

FIRST_KID: Final = 2
SECOND_KID: Final = 5
"""1, 3 and 4 are the ids of the ledger's other keys, and each id has one purpose."""
LAST_KID: Final = 255
PUBLIC_SIZE: Final = 32
MAX_NAME_BYTES: Final = 64
"""With it, the list of all the ids there can be still fits a key file."""
_FORMAT: Final = 1


class ChannelState(StrEnum):
    """What a channel key is used for."""

    STANDBY = "standby"
    ACTIVE = "active"
    RETIRING = "retiring"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Change:
    """A key came into this state at that moment (whole seconds, UTC); `by` is who asked for it."""

    state: ChannelState
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class ChannelKey:
    """One key by its public half (32 bytes), and all that was ever done with it, oldest first."""

    kid: int
    public: bytes
    changes: tuple[Change, ...]

    def __post_init__(self) -> None:
        if not (self.kid == FIRST_KID or SECOND_KID <= self.kid <= LAST_KID):
            raise ValueError(f"a channel key has the id 2 or 5 to 255, not {self.kid}")
        if len(self.public) != PUBLIC_SIZE or not self.changes:
            raise ValueError("a channel key has 32 public bytes and a state")

    @property
    def state(self) -> ChannelState:
        """What it is now."""
        return self.changes[-1].state

    def now(self, state: ChannelState, at: datetime, by: str) -> ChannelKey:
        """The same key in another state from now on."""
        return replace(self, changes=(*self.changes, _change(state, at, by)))


@dataclass(frozen=True, slots=True)
class ChannelRoster:
    """All channel keys, oldest first. Every change gives a new roster; ValueError for a contradiction."""

    keys: tuple[ChannelKey, ...]

    def __post_init__(self) -> None:
        kids = [key.kid for key in self.keys]
        if kids != sorted(set(kids)):
            raise ValueError("each channel key stands once, oldest first")
        if len(list(self._in(ChannelState.ACTIVE))) != 1 or len(list(self._in(ChannelState.STANDBY))) > 1:
            raise ValueError("one channel key is active and at most one stands by")

    @classmethod
    def first(cls, public: bytes, at: datetime, by: str) -> ChannelRoster:
        """The first key, active at once; it lacks its standby yet."""
        return cls((ChannelKey(FIRST_KID, public, (_change(ChannelState.ACTIVE, at, by),)),))

    @property
    def active(self) -> ChannelKey:
        """The key that signs."""
        return next(self._in(ChannelState.ACTIVE))

    @property
    def standby(self) -> ChannelKey | None:
        """The key that signs next. None only when every id was used."""
        return next(self._in(ChannelState.STANDBY), None)

    @property
    def next_kid(self) -> int | None:
        """The id of the next key, or None when every id was used."""
        following = max(SECOND_KID, self.keys[-1].kid + 1)
        return following if following <= LAST_KID else None

    @property
    def wants_standby(self) -> bool:
        """Whether a key can and must be made in advance."""
        return self.standby is None and self.next_kid is not None

    def key(self, kid: int) -> ChannelKey:
        """The key of this id. Raises OperatorError."""
        for key in self.keys:
            if key.kid == kid:
                return key
        raise OperatorError(f"There is no channel key {kid}: 'mancard keys channels' shows them.")

    def held(self) -> tuple[ChannelKey, ...]:
        """Those whose private half is there."""
        return tuple(key for key in self.keys if key.state is not ChannelState.REVOKED)

    def with_standby(self, kid: int, public: bytes, at: datetime, by: str) -> ChannelRoster:
        """With the next key, `kid`, standing by."""
        if not self.wants_standby or kid != self.next_kid:
            raise ValueError(f"{kid} is not the next channel key")
        return ChannelRoster((*self.keys, ChannelKey(kid, public, (_change(ChannelState.STANDBY, at, by),))))

    def with_rolled(self, at: datetime, by: str) -> ChannelRoster:
        """With the standby active and the active key retiring. Raises OperatorError without a standby."""
        return self._succeeded(ChannelState.RETIRING, at, by)

    def with_revoked(self, kid: int, at: datetime, by: str) -> ChannelRoster:
        """With a key revoked, and the standby active if it was the active one. Raises OperatorError."""
        key = self.key(kid)
        if key.state is ChannelState.REVOKED:
            last = key.changes[-1]
            raise OperatorError(
                f"Channel key {kid} is revoked already, since {last.at:%Y-%m-%d %H:%M} UTC by {last.by}."
            )
        if key.state is ChannelState.ACTIVE:
            return self._succeeded(ChannelState.REVOKED, at, by)
        return self._with({kid: key.now(ChannelState.REVOKED, at, by)})

    def _succeeded(self, old: ChannelState, at: datetime, by: str) -> ChannelRoster:
        active, standby = self.active, self.standby
        if standby is None:
            raise OperatorError(
                f"Channel key {active.kid} is the last one: all ids up to {LAST_KID} were used, and a ticket"
                " can name no other. To end it all the same, stop the ledger; tickets then need a new ledger."
            )
        return self._with(
            {active.kid: active.now(old, at, by), standby.kid: standby.now(ChannelState.ACTIVE, at, by)}
        )

    def _with(self, changed: dict[int, ChannelKey]) -> ChannelRoster:
        return ChannelRoster(tuple(changed.get(key.kid, key) for key in self.keys))

    def _in(self, state: ChannelState) -> Iterator[ChannelKey]:
        return (key for key in self.keys if key.state is state)

    # --- the file's content ---

    def encode(self) -> bytes:
        """JSON with one key a line: {"kid", "public": hex, "changes": [[state, unix seconds, by] …]}."""
        lines = ",\n".join(
            "  "
            + json.dumps(
                {
                    "kid": key.kid,
                    "public": key.public.hex(),
                    "changes": [[c.state.value, int(c.at.timestamp()), c.by] for c in key.changes],
                },
                ensure_ascii=False,
            )
            for key in self.keys
        )
        return f'{{"format": {_FORMAT}, "keys": [\n{lines}\n]}}\n'.encode()


def _change(state: ChannelState, at: datetime, by: str) -> Change:
    printable = "".join(character for character in by if character.isprintable()).strip()
    name = printable.encode(errors="replace")[:MAX_NAME_BYTES].decode(errors="ignore")
    return Change(state, at.astimezone(UTC).replace(microsecond=0), name or "unknown")


def _moment(at_s: int) -> datetime:
    if not 0 <= at_s < 1 << 35:
        raise ValueError("no moment of this millennium")
    return datetime.fromtimestamp(at_s, UTC)


def decode(content: bytes) -> ChannelRoster:
    """Read `encode`'s bytes. Raises ValueError, KeyError or TypeError."""
    document: dict[str, Any] = json.loads(content)
    if document["format"] != _FORMAT:
        raise ValueError("another format")
    return ChannelRoster(
        tuple(
            ChannelKey(
                int(entry["kid"]),
                bytes.fromhex(entry["public"]),
                tuple(
                    Change(ChannelState(state), _moment(at_s), str(by))
                    for state, at_s, by in entry["changes"]
                ),
            )
            for entry in document["keys"]
        )
    )
