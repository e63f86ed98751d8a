"""The bundle in force on this bus: the newest verified one, kept in the journal's file. It accepts no
rollback.

A bundle never expires here: with an old one buses run on, and its age is shown.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.bundle import Bundle, DeviceConfiguration, open_bundle, supersedes
from fare.core.errors import MalformedDocument
from readers.journal import Journal


class BundleRefused(ValueError):
    """A bundle that verifies but may not be used; the message says why."""


@dataclass(frozen=True, slots=True)
class LoadedBundle:
    """A bundle with its keys ready for use. Card keys by kid, channel keys by their one byte."""

    bundle: Bundle
    here: DeviceConfiguration | None
    card_keys: Mapping[int, Ed25519PublicKey]
    channel_keys: Mapping[bytes, Ed25519PublicKey]
    acknowledgement_keys: Mapping[int, Ed25519PublicKey]


class Bundles:
    """Holds the current bundle; the validator reads `current`, the synchroniser offers newer ones."""

    def __init__(self, journal: Journal, device: int, trusted: Mapping[int, Ed25519PublicKey]) -> None:
        """Load what the journal kept; a stored bundle that no longer verifies is left out, not deleted."""
        self._journal = journal
        self._device = device
        self._trusted = trusted
        self._lock = threading.Lock()
        self._current = self._load_stored()

    @property
    def trusted(self) -> Mapping[int, Ed25519PublicKey]:
        """The keys of the kit: what the ledger signs bundles and answers to claims with."""
        return self._trusted

    @property
    def current(self) -> LoadedBundle | None:
        """The bundle to decide by; None before the first one arrived."""
        return self._current

    def offer(self, envelope: bytes) -> LoadedBundle:
        """Verify, store and use a bundle. Raises BadSignature, MalformedDocument, BundleRefused or
        JournalFault.

        When any is raised, nothing was persisted and the current bundle stays.
        """
        bundle = open_bundle(envelope, self._trusted)
        loaded = self._ready(bundle)
        with self._lock:
            current = None if self._current is None else self._current.bundle
            if current is not None and bundle.version == current.version:
                return self._current or loaded  # the same version again is no news
            if not supersedes(bundle, current):
                raise BundleRefused(
                    f"bundle {bundle.version.n} is older than the one in force and was not taken: "
                    "check which ledger this bus speaks to"
                )
            self._journal.store_bundle(envelope)
            self._current = loaded
        return loaded

    def _load_stored(self) -> LoadedBundle | None:
        envelope = self._journal.stored_bundle()
        if envelope is None:
            return None
        try:
            return self._ready(open_bundle(envelope, self._trusted))
        except ValueError:  # bad signature or form: a kit with other keys, or an older format
            return None

    def _ready(self, bundle: Bundle) -> LoadedBundle:
        return LoadedBundle(
            bundle=bundle,
            here=bundle.devices.get(self._device),
            card_keys=_public_keys(bundle.card_keys),
            channel_keys={bytes([kid]): key for kid, key in _public_keys(bundle.channel_keys).items()},
            acknowledgement_keys=_public_keys(bundle.acknowledgement_keys),
        )


def _public_keys(raw: Mapping[int, bytes]) -> dict[int, Ed25519PublicKey]:
    if not all(0 <= kid <= 255 for kid in raw):
        raise MalformedDocument("bundle: a key id has one byte")
    return {kid: Ed25519PublicKey.from_public_bytes(key) for kid, key in raw.items()}
