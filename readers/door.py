"""What taps of cards and of phones share on one bus: what is known at this moment, whose turn the journal is,
the common fields of a tap and of an answer. It speaks to no card and decides nothing about a medium.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from fare.core.boarding import Boarding
from fare.core.decision import Reason
from fare.core.proof.issued import TEXT_MAX_CHARS
from fare.core.proof.refusal import TicketRefusal
from fare.core.tap import ClockQuality, Outcome, Tap
from fare.core.tariff.context import TapKind
from fare.core.tariff.model import OutOfService, Tariff
from readers.bundles import Bundles, LoadedBundle
from readers.journal import RESERVE_BYTES, Journal
from readers.ports import Clock, Storage
from readers.shown import Lamp, Shown, ShownMedium
from readers.torn_taps import TornTaps


@dataclass(frozen=True, slots=True)
class Moment:
    """What the validator knows when a medium is presented; all of one tap is decided by it."""

    wall_ms: int
    mono_ns: int
    quality: ClockQuality
    loaded: LoadedBundle

    @property
    def synchronised(self) -> bool:
        """Whether `wall_ms` may be trusted: freshness is judged, and what has expired is forgotten."""
        return self.quality is ClockQuality.SYNCHRONISED

    @property
    def tariff(self) -> Tariff:
        """The tariff in force: at its start a bus without a line changes over by itself."""
        return self.loaded.bundle.tariff_at(self.wall_ms // 1000)

    def boarding(self, journal: Journal) -> Boarding | None:
        """Where this tap is, and whether riders board or leave here; None where the bundle knows no place."""
        here = self.loaded.here
        if here is None:
            return None
        kind = TapKind.OFF if here.exit else TapKind.ON
        at_s = self.wall_ms // 1000
        return Boarding(journal.device, journal.next_seq, at_s, here.line, here.area, here.vehicle, kind)

    @property
    def line_name(self) -> str:
        """The line as riders know it; empty where the bundle names none."""
        return "" if self.loaded.here is None else self.loaded.here.line_name


def trimmed(text: str) -> str:
    """A scanned text without spaces around it; one that is too long in any case is not copied first."""
    return text.strip() if len(text) <= 2 * TEXT_MAX_CHARS else text


class Door:
    """The journal's turn and the present moment. `settled` guards the order of taps, in any thread."""

    def __init__(self, *, journal: Journal, bundles: Bundles, clock: Clock, storage: Storage) -> None:
        self.journal = journal
        self.clock = clock
        self._bundles = bundles
        self._storage = storage
        self.one_card = threading.Lock()
        """Held for a whole card tap, so that cards come one at a time."""
        self.settled = threading.Condition(threading.RLock())
        """Waited on by tickets while a card's outcome is open. Never held over an APDU."""
        self.torn = TornTaps(journal, clock)

    def moment(self) -> Moment | None:
        """What is known now; None while the validator may not sell: no bundle, no place in it, no disk."""
        loaded = self._bundles.current
        if loaded is None or loaded.here is None:
            return None
        try:
            if self._storage.free_bytes() < RESERVE_BYTES:
                return None
        except OSError:
            return None
        return self._now(loaded)

    def moment_to_look(self) -> Moment | None:
        """What is known now, to look at a medium and write nothing; None before the first bundle."""
        loaded = self._bundles.current
        return None if loaded is None else self._now(loaded)

    def _now(self, loaded: LoadedBundle) -> Moment:
        return Moment(self.clock.wall_ms(), self.clock.mono_ns(), self.clock.quality(), loaded)

    def tap(self, moment: Moment, outcome: Outcome, reason: Reason | TicketRefusal, fare_rial: int) -> Tap:
        """The next tap of the journal, without what its medium adds. Call it while holding `settled`."""
        here = moment.loaded.here
        return Tap(
            device=self.journal.device,
            journal_id=self.journal.journal_id,
            boot_id=self.journal.boot_id,
            seq=self.journal.next_seq,
            mono_ns=moment.mono_ns,
            wall_ms=moment.wall_ms,
            clock_quality=moment.quality,
            bundle_version=moment.loaded.bundle.version,
            outcome=outcome,
            reason=str(reason),
            fare_rial=fare_rial,
            line=0 if here is None else here.line,
            area=0 if here is None else here.area,
            tariff_version=moment.tariff.version,
        )

    def shown(
        self, moment: Moment, lamp: Lamp, reason: str, medium: ShownMedium, seq: int | None = None
    ) -> Shown:
        """An answer, without the figures that a ride adds."""
        return Shown(lamp, str(reason), medium, moment.wall_ms, line_name=moment.line_name, seq=seq)

    def out_of_service(self, medium: ShownMedium) -> Shown:
        """The answer while nothing may be sold: pay at another door, or ride free where the tariff says so.

        Only this validator's own faults lead here, never what a card says of itself: a forged card that names
        keys nobody has must not ride free.
        """
        now_ms = self.clock.wall_ms()
        loaded = self._bundles.current
        tariff = None if loaded is None else loaded.bundle.tariff_at(now_ms // 1000)
        if tariff is not None and tariff.out_of_service is OutOfService.RIDE_FREE:
            return Shown(Lamp.GREEN, Reason.RIDE_FREE, medium, now_ms)
        return Shown(Lamp.RED, Reason.OUT_OF_SERVICE, medium, now_ms)
