"""Validators of the product on the buses of a small city, each with the city's own bundle and its own clock.

Between two syncs a door is offline: it knows what it was last told and tells nobody anything.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

from fare.database.engine import write
from fare.distribution import current_bundle
from fare.settings import LedgerSettings
from readers.bundles import Bundles
from readers.journal import Journal
from readers.shown import Lamp, Shown
from readers.validation import Validator
from tests.collection.bus import City
from tests.readers.bus import Disk, ManualClock


class FleetDoor:
    """The door of one bus `v-<device>`. `clock` starts at `now`; `sync` needs a ledger, `scan` does not."""

    def __init__(
        self, city: City, settings: LedgerSettings, device: int, owner: str, now: datetime, folder: Path
    ) -> None:
        self._city, self._settings = city, settings
        self._device = city.bus(device, owner)
        self.clock = ManualClock(int(now.timestamp()))
        self._journal = Journal(folder / f"door-{device}", device, secrets.token_bytes)
        trusted = {city.keys.bundle.kid: city.keys.bundle.public}
        self._bundles = Bundles(self._journal, device, trusted)
        self._validator = Validator(
            keys=city.keys.validator_keys,
            journal=self._journal,
            bundles=self._bundles,
            clock=self.clock,
            random_bytes=secrets.token_bytes,
            storage=Disk(),
        )
        self.sync()

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.wall_ms() / 1000, UTC)

    def scan(self, text: str) -> Shown:
        """Hold a code before the scanner."""
        return self._validator.present_ticket(text)

    def lets_on(self, text: str) -> bool:
        """Whether the lamp is green."""
        return self.scan(text).lamp is Lamp.GREEN

    def sync(self) -> None:
        """Upload what was journalled, then ask for the newest bundle, as a bus does at each poll."""
        batch = self._journal.next_batch(500, self.clock.mono_ns(), self.clock.wall_ms())
        if batch is not None:
            envelope = self._device.sign(batch.encode())
            answer = self._city.offer(envelope, self.now)
            assert isinstance(answer, bytes), answer
            self._journal.acknowledge(self._city.open(answer), answer)
        with write(self._city.engine) as session:
            _, bundle = current_bundle(session, self._city.keys, self._settings, self.now)
        self._bundles.offer(bundle)

    def close(self) -> None:
        """Let go of the journal's file."""
        self._journal.close()
