"""The channel keys, which sign phone and paper tickets: in files or in a token, in one ring with its list.

    keys/channel.pem, channel-5.pem …   Ed25519, one file a key (kid 2, 5 …); in a token, keys of those names
    keys/channels.json                  the list: public halves, states, who changed what and when

The list is what counts: a private key is made before the list names it and destroyed after it no longer holds
it, so a leftover key was never used or is believed no more. A process that runs on sees a change made by
another one: it looks at the list whenever a key is asked for. It prints no key and judges no ticket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fare.core.errors import OperatorError
from fare.keys import private_files, signing
from fare.keys.channel_roster import FIRST_KID, SECOND_KID, ChannelKey, ChannelRoster, ChannelState, decode
from fare.keys.signing import PrivateKey, SigningKey

CHANNELS_FILE: Final = "channels.json"
_MADE_BY: Final = "this ledger"


def name_of(kid: int) -> str:
    """What the private key of this id is called, in the folder (with .pem) and in a token."""
    return "channel" if kid == FIRST_KID else f"channel-{kid}"


class ChannelPlace(Protocol):
    """Where the private halves are."""

    def holds(self, kid: int) -> bool:
        """Whether there is a key of this id."""
        ...

    def make(self, kid: int) -> PrivateKey:
        """Draw a key, over one that was left there unused. Raises OperatorError."""
        ...

    def open(self, kid: int) -> PrivateKey:
        """The key of this id. Raises OperatorError."""
        ...

    def destroy(self, kid: int) -> None:
        """Destroy a revoked key; one that is not there is no error. Raises OperatorError."""
        ...


class ChannelFiles:
    """Private halves in files of the key folder, mode 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def holds(self, kid: int) -> bool:
        """See ChannelPlace."""
        return self.file(kid).exists()

    def make(self, kid: int) -> Ed25519PrivateKey:
        """See ChannelPlace."""
        private_files.replace(self.file(kid), signing.draw())
        return self.open(kid)

    def open(self, kid: int) -> Ed25519PrivateKey:
        """See ChannelPlace."""
        return private_files.read(self.file(kid), signing.parse)

    def destroy(self, kid: int) -> None:
        """See ChannelPlace."""
        file = self.file(kid)
        try:
            file.unlink(missing_ok=True)
        except OSError as fault:
            raise OperatorError(
                f"Channel key {kid} is revoked, but its file {file} is still there ({fault.strerror}):"
                " delete it."
            ) from None

    def file(self, kid: int) -> Path:
        """The file of the key of this id."""
        return self._folder / f"{name_of(kid)}.pem"


@dataclass(frozen=True, slots=True)
class Succession:
    """What a change did: the key it ended, the kid that signs now, and the standby's if one is left."""

    ended: ChannelKey
    signs_now: int
    stands_by: int | None


@dataclass(frozen=True, slots=True)
class _Ring:
    """The list as it was read, and what is asked of it often."""

    roster: ChannelRoster
    trusted: Mapping[int, bytes]
    known: Mapping[bytes, Ed25519PublicKey]
    revoked: frozenset[int]


class ChannelKeys:
    """The channel keys of one ledger. Any thread may use it."""

    def __init__(self, folder: Path, place: ChannelPlace) -> None:
        """Open the ring, making what it lacks: the first key, a standby. Raises OperatorError."""
        self._file, self._place = folder / CHANNELS_FILE, place
        if not self._file.exists():
            with private_files.locked(folder):
                if not self._file.exists():
                    self._found(datetime.now(UTC))
        self._kept = private_files.Followed(self._file, _ring)
        self._opened: dict[int, SigningKey] = {}
        if self._kept.last.roster.wants_standby:
            self._change(lambda roster: roster, datetime.now(UTC), _MADE_BY)
        for key in self.roster.keys:
            if key.kid not in self.revoked():
                self._open(key)  # a key that is missing is told at the start, not at the revocation
            elif self._place.holds(key.kid):
                self._place.destroy(key.kid)  # a revocation broke off, or a backup brought it back

    # --- what services need ---

    @property
    def active(self) -> SigningKey:
        """The key that signs from now on. Ask once for a signature: the next answer may be another key."""
        key = self.roster.active
        try:
            return self._open(key)
        except OperatorError:
            newer = self.roster.active  # revoked by another process between the two looks
            if newer.kid == key.kid:
                raise
            return self._open(newer)

    def trusted(self) -> Mapping[int, bytes]:
        """Kid to 32 public bytes, of all that are not revoked: what validators accept."""
        return self._now().trusted

    def known(self) -> Mapping[bytes, Ed25519PublicKey]:
        """One-byte kid to key, revoked ones too: a genuine ticket's ride stays payable."""
        return self._now().known

    def revoked(self) -> frozenset[int]:
        """The kids whose tickets are issued anew."""
        return self._now().revoked

    @property
    def roster(self) -> ChannelRoster:
        """The list, as the file has it now."""
        return self._now().roster

    # --- changes ---

    def revoke(self, kid: int, by: str, now: datetime) -> Succession:
        """Believe a key no more and destroy its private half; if it was the active one, the standby signs.

        Raises OperatorError for one that is not there or revoked already, and for the last of all.
        """
        changed = self._change(lambda roster: roster.with_revoked(kid, now, by), now, by)
        self._place.destroy(kid)
        return _succession(changed, kid)

    def roll(self, by: str, now: datetime) -> Succession:
        """Let the standby sign from now on; tickets of the key before stay good until they expire."""
        before: list[int] = []

        def change(roster: ChannelRoster) -> ChannelRoster:
            before.append(roster.active.kid)
            return roster.with_rolled(now, by)

        return _succession(self._change(change, now, by), before[-1])

    def _change(
        self, change: Callable[[ChannelRoster], ChannelRoster], now: datetime, by: str
    ) -> ChannelRoster:
        """Write the changed list, with a new standby in it where one is wanted."""
        with private_files.locked(self._file.parent):
            changed = self._with_standby(change(private_files.read(self._file, decode)), now, by)
            private_files.replace(self._file, changed.encode())
        self._now()
        return changed

    def _found(self, now: datetime) -> None:
        """Write the first list. A ledger from before the list had `channel` alone, and goes on with it."""
        if self._place.holds(SECOND_KID + 1) or (
            self._place.holds(SECOND_KID) and not self._place.holds(FIRST_KID)
        ):
            # Without it, a key that was revoked could be taken for a good one.
            raise OperatorError(
                f"The list of channel keys {self._file} is missing: restore it from a backup."
            )
        first = self._place.open(FIRST_KID) if self._place.holds(FIRST_KID) else self._place.make(FIRST_KID)
        roster = ChannelRoster.first(_public(first), now, _MADE_BY)
        private_files.write_new(self._file, self._with_standby(roster, now, _MADE_BY).encode())

    def _with_standby(self, roster: ChannelRoster, now: datetime, by: str) -> ChannelRoster:
        kid = roster.next_kid
        if kid is None or not roster.wants_standby:
            return roster
        return roster.with_standby(kid, _public(self._place.make(kid)), now, by)

    def _now(self) -> _Ring:
        ring = self._kept.now()
        for kid in ring.revoked & self._opened.keys():
            self._opened.pop(kid, None)  # a private half that signs no more is not kept in memory either
        return ring

    def _open(self, key: ChannelKey) -> SigningKey:
        opened = self._opened.get(key.kid)
        if opened is None:
            opened = SigningKey(key.kid, self._place.open(key.kid))
            if opened.public_bytes != key.public:
                raise OperatorError(
                    f"The channel key {key.kid} is not the one that {self._file} names: restore both from"
                    " one backup."
                )
            self._opened[key.kid] = opened
        return opened


def held_files(folder: Path) -> dict[str, Ed25519PrivateKey]:
    """The private halves in the files of a folder, by name: what moves into a token. Raises OperatorError."""
    files = ChannelFiles(folder)
    return {name_of(key.kid): files.open(key.kid) for key in ChannelKeys(folder, files).roster.held()}


def _ring(content: bytes) -> _Ring:
    roster = decode(content)
    return _Ring(
        roster,
        MappingProxyType({key.kid: key.public for key in roster.held()}),
        MappingProxyType(
            {bytes([key.kid]): Ed25519PublicKey.from_public_bytes(key.public) for key in roster.keys}
        ),
        frozenset(key.kid for key in roster.keys if key.state is ChannelState.REVOKED),
    )


def _public(private: PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()


def _succession(roster: ChannelRoster, ended: int) -> Succession:
    standby = roster.standby
    return Succession(roster.key(ended), roster.active.kid, None if standby is None else standby.kid)
