"""The card taps of this validator whose answer to Commit was lost, for as long as they may be completed.

A card that comes back carries the truth: its newest record names the tap that wrote it. It never writes a
tap, and forgets what is older than `RECOVERY_WINDOW_S`: later, the card's evidence settles it.
"""

from __future__ import annotations

from typing import Final

from fare.core.desfire.application import OpenCard
from fare.core.desfire.layout import AID
from fare.core.entitlement import EntitlementFault, VerifiedEntitlement, verify
from fare.core.tap import Outcome, Tap
from readers.bundles import LoadedBundle
from readers.journal import Journal
from readers.ports import Clock

RECOVERY_WINDOW_S: Final = 30


class TornTaps:
    """What is unconfirmed, and until when. Call it while holding the door's `settled`."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        """Take up what the last run left.

        A tap found open was never shown to its rider, so its time begins now. The newest one may have lost
        its lamp to the same power cut, with its outcome already on the disk.
        """
        self._journal = journal
        self._clock = clock
        self._watched: dict[int, tuple[Tap, int]] = {}
        if journal.found_open is not None:
            self.watch(journal.found_open)
        oldest_ms = clock.wall_ms() - RECOVERY_WINDOW_S * 1000
        for tap in journal.open_unconfirmed():
            if tap.wall_ms >= oldest_ms:
                self.watch(tap)
        for tap in journal.recent_taps(1):
            if tap.outcome is Outcome.ACCEPTED and tap.wall_ms >= oldest_ms:
                self._watch(tap)

    def watch(self, tap: Tap) -> None:
        """Remember it from now on, if it may have been a ride: a block of a denied card is not completed."""
        if tap.outcome is Outcome.UNCONFIRMED:
            self._watch(tap)

    def _watch(self, tap: Tap) -> None:
        deadline_ns = self._clock.mono_ns() + RECOVERY_WINDOW_S * 1_000_000_000
        self._watched[tap.seq] = (tap, deadline_ns)

    def settle_left_open(self) -> None:
        """An intent that is open while no card is under way was left by a disk that failed at its outcome."""
        left = self._journal.settle_intent()
        if left is not None:
            self.watch(left)

    def committed_on(self, card: OpenCard, loaded: LoadedBundle) -> tuple[Tap, VerifiedEntitlement] | None:
        """The watched tap that this very card committed last, and its entitlement, while recoverable."""
        now_ns = self._clock.mono_ns()
        for seq, (tap, deadline_ns) in list(self._watched.items()):
            if now_ns > deadline_ns:
                del self._watched[seq]
                continue
            evidence = tap.card
            if (
                evidence is not None
                and evidence.record_written == card.newest_record
                and card.spent == evidence.spent_before + evidence.debit_rial
                and card.previous.tmc == evidence.previous.tmc + 1
            ):
                on_card = verify(card.entitlement, loaded.card_keys, uid=card.uid, aid=AID)
                if not isinstance(on_card, EntitlementFault) and on_card.serial == evidence.serial:
                    return tap, on_card
        return None

    def completed(self, tap: Tap) -> None:
        """It has its proof now and is never completed again."""
        self._watched.pop(tap.seq, None)
