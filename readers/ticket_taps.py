"""A ticket, from text to lamp:   decide · claim on this vehicle · tap with its claim in the journal · lamp

A paper ticket that names no vehicle is redeemed by the ledger before it is claimed. A ticket never waits
long for a card: one whose reader hangs inside an APDU is settled as unconfirmed after `HUNG_CARD_S`, and
should its proof come after all, that is journalled as a recovery. No rule of who may ride stands here.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Final

from fare.core.decision import Reason
from fare.core.proof.issued import TEXT_MAX_CHARS
from fare.core.proof.mp1 import PaperTicket
from fare.core.proof.refusal import TicketRefusal
from fare.core.proof.tickets import AnyVerifiedTicket, rides_of
from fare.core.replay import RideClaim
from fare.core.tap import Outcome, Tap
from fare.core.tariff.context import Rule
from fare.core.ticket_decision import TicketRide, decide_ticket
from readers.door import Door, Moment, trimmed
from readers.journal import Journal, JournalFault
from readers.ports import Clock, Redeem
from readers.shown import Lamp, Shown, ShownMedium
from readers.torn_taps import RECOVERY_WINDOW_S
from readers.vehicle_memory.door import VehicleMemory
from readers.vehicle_memory.port import ClaimAnswer, KeptRide

HUNG_CARD_S: Final = 2.0
REPEATED_SCAN_NS: Final = 5_000_000_000
REPLAY_NOT_SHARED: Final = "replay_not_shared"
"""Flag of a tap that not all doors of the vehicle could be asked about."""


class LostLamp:
    """The ticket whose green lamp a power cut may have swallowed: the newest tap of the run before.

    Its rider shows it again and is let on by the same tap. Once, at this door, within 30 seconds.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._clock = clock
        self._watched: tuple[Tap, RideClaim] | None = None
        self._deadline_ns = clock.mono_ns() + RECOVERY_WINDOW_S * 1_000_000_000
        for tap in journal.recent_taps(1):
            claim = journal.claimed_by(tap.seq)
            recent = tap.wall_ms >= clock.wall_ms() - RECOVERY_WINDOW_S * 1000
            if tap.outcome is Outcome.ACCEPTED and claim is not None and recent:
                self._watched = (tap, claim)

    def taken_back(self, claim: RideClaim) -> Tap | None:
        """The tap that took exactly these rides, if its lamp may be lost; it is then no longer watched."""
        watched, late = self._watched, self._clock.mono_ns() > self._deadline_ns
        if watched is None or late or watched[1] != claim:
            return None
        self._watched = None
        return watched[0]


class TicketTaps:
    """Decides about tickets, one at a time."""

    def __init__(self, door: Door, memory: VehicleMemory, redeem: Redeem) -> None:
        self._door = door
        self._memory = memory
        self._redeem = redeem
        self._one_ticket = threading.Lock()
        """Held from the decision to the lamp; a card's turn is taken only for the journal's row."""
        self._lost_lamp = LostLamp(door.journal, door.clock)
        self._last_scan: tuple[tuple[int, str], int] | None = None

    def present(self, text: str) -> Shown:
        """Decide on a scanned text. Raises nothing that a text, a disk or a gateway may cause."""
        text = trimmed(text)
        with self._one_ticket:
            moment = self._door.moment()
            if moment is None:
                return self._door.out_of_service(ShownMedium.PHONE)
            decided = self._decide(moment, text)
            try:
                if isinstance(decided, TicketRide):
                    return self._ride(moment, text, decided)
                return self._refuse(moment, text, decided)
            except JournalFault:
                return self._door.out_of_service(ShownMedium.PHONE)

    def _decide(self, moment: Moment, text: str) -> TicketRide | TicketRefusal | Reason:
        boarding = moment.boarding(self._door.journal)
        if boarding is None or boarding.vehicle is None:  # checked by the door
            return Reason.OUT_OF_SERVICE
        bundle, keys = moment.loaded.bundle, moment.loaded.channel_keys
        return decide_ticket(
            text, boarding, boarding.vehicle, bundle, keys, boarding.at_s, moment.synchronised
        )

    def _ride(self, moment: Moment, text: str, decided: TicketRide) -> Shown:
        ticket = decided.ticket
        claim = rides_of(ticket)
        lost = self._lost_lamp.taken_back(claim)
        if lost is not None:
            return replace(self._green(moment, lost, ticket), recovered=True)
        refusal = self._not_redeemed(ticket, claim)
        if refusal is not None:
            return self._refuse(moment, text, refusal)
        at_s = moment.wall_ms // 1000
        # A vehicle's doors answer within a moment or not at all: the cards go on meanwhile.
        answer = self._memory.claim(claim, ticket.expires_at_s, at_s, one_per_ticket=not moment.synchronised)
        if answer is ClaimAnswer.ALREADY_PAID:
            return self._refuse(moment, text, TicketRefusal.ALREADY_PAID)
        not_shared = (REPLAY_NOT_SHARED,) if answer is ClaimAnswer.NOT_REACHED else ()
        kept = KeptRide(claim, ticket.expires_at_s, at_s)
        with self._door.settled:
            self._wait_for_the_card()
            tap = self._door.tap(moment, Outcome.ACCEPTED, Reason.OK, decided.price.amount)
            tap = replace(tap, ticket=text, flags=(*decided.flags, *not_shared))
            self._door.journal.write_tap(tap, kept)
        self._memory.keep(kept, answer)
        if moment.synchronised:
            self._memory.forget_expired(at_s)
        self._last_scan = (_screen(text), moment.mono_ns)
        return self._green(moment, tap, ticket, decided.price.rule)

    def _not_redeemed(self, ticket: AnyVerifiedTicket, claim: RideClaim) -> TicketRefusal | None:
        """Ask the ledger for a paper ticket that names no vehicle: others may hold copies of it."""
        if not isinstance(ticket, PaperTicket) or ticket.vehicle is not None:
            return None
        if self._memory.paid(claim):
            return TicketRefusal.ALREADY_PAID
        return self._redeem(ticket.cti)

    def _green(self, moment: Moment, tap: Tap, ticket: AnyVerifiedTicket, rule: Rule | None = None) -> Shown:
        return replace(
            self._door.shown(moment, Lamp.GREEN, Reason.OK, ShownMedium.PHONE, seq=tap.seq),
            fare_rial=tap.fare_rial,
            pax=ticket.pax,
            rides_left=ticket.max_taps - rides_of(ticket).last,
            rule=rule,
        )

    def _refuse(self, moment: Moment, text: str, reason: TicketRefusal | Reason) -> Shown:
        last, self._last_scan = self._last_scan, (_screen(text), moment.mono_ns)
        if last is not None and last[0] == _screen(text) and moment.mono_ns - last[1] < REPEATED_SCAN_NS:
            # A scanner reads one screen many times a second: one presentation is one tap.
            return self._door.shown(moment, Lamp.RED, reason, ShownMedium.PHONE)
        with self._door.settled:
            self._wait_for_the_card()
            tap = self._door.tap(moment, Outcome.REFUSED, reason, 0)
            self._door.journal.write_tap(tap)
        return self._door.shown(moment, Lamp.RED, reason, ShownMedium.PHONE, seq=tap.seq)

    def _wait_for_the_card(self) -> None:
        """Let a card tap that is under way finish; one that hangs becomes unconfirmed."""
        deadline_s = time.monotonic() + HUNG_CARD_S
        while self._door.journal.open_intent_seq is not None:
            left_s = deadline_s - time.monotonic()
            if left_s > 0 and self._door.one_card.locked():
                self._door.settled.wait(left_s)
                continue
            self._door.torn.settle_left_open()


def _screen(text: str) -> tuple[int, str]:
    """What tells two screens apart, without keeping megabytes."""
    return len(text), text[:TEXT_MAX_CHARS]
