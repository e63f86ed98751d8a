"""A phone's ticket, from text to lamp:   examine · price · not yet paid here · tap with its claim · lamp

It never waits long for a card: one whose reader hangs inside an APDU is settled as unconfirmed after
`HUNG_CARD_S`, and should its proof come after all, that is journalled as a recovery.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from fare.core.card_record import MAX_FARE_RIAL
from fare.core.decision import Boarding, Reason, ticket_context
from fare.core.proof.phone import CLOCK_SKEW_S, TicketRefusal, VerifiedTicket, examine
from fare.core.replay import ReplayMemory
from fare.core.tap import ClockQuality, Outcome
from fare.core.tariff.pricing import RiderState, price
from readers.door import Door, Moment
from readers.journal import JournalFault, ReplayClaim
from readers.shown import Lamp, Shown, ShownMedium

HUNG_CARD_S: Final = 2.0
REPEATED_SCAN_NS: Final = 5_000_000_000
UNSYNCHRONISED: Final = "clock_unsynchronised"


class TicketTaps:
    """Decides about phone tickets, one at a time."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._replay = ReplayMemory.from_rows(door.journal.replay_rows())
        self._last_scan: tuple[str, int] | None = None

    def present(self, text: str) -> Shown:
        """Decide on a scanned text. Raises nothing that a text or a disk may cause."""
        door = self._door
        moment = door.moment()
        if moment is None:
            return door.out_of_service(ShownMedium.PHONE)
        synchronised = moment.quality is ClockQuality.SYNCHRONISED
        denied = moment.loaded.bundle.denied_tickets
        examined = examine(
            text, moment.loaded.channel_keys, moment.wall_ms // 1000, synchronised, denied.__contains__
        )
        try:
            with door.settled:
                self._wait_for_the_card()
                return self._ticket(moment, text, examined, synchronised)
        except JournalFault:
            return door.out_of_service(ShownMedium.PHONE)

    def _ticket(
        self, moment: Moment, text: str, examined: VerifiedTicket | TicketRefusal, synchronised: bool
    ) -> Shown:
        if isinstance(examined, TicketRefusal):
            return self._refuse(moment, text, examined)
        claim = ReplayClaim(
            examined.entitlement.cti, examined.ctr, examined.pax, examined.entitlement.expires_at_s
        )
        if self._replay.paid(claim.cti, claim.ctr, claim.pax) or (
            not synchronised and self._replay.knows(claim.cti)
        ):
            return self._refuse(moment, text, TicketRefusal.ALREADY_PAID)
        tap = self._door.tap(moment, Outcome.ACCEPTED, Reason.OK, 0)
        boarding = Boarding(tap.device, tap.seq, tap.wall_ms // 1000, tap.line, tap.area)
        cost, _ = price(moment.loaded.bundle.tariff, RiderState(), ticket_context(examined, boarding))
        fare_rial = cost.amount_rial
        if fare_rial > min(examined.held_rial, MAX_FARE_RIAL):
            # The ledger holds no money for a dearer ride: the app fetches a ticket at the new tariff.
            return self._refuse(moment, text, Reason.INSUFFICIENT_BALANCE)
        flags = () if synchronised else (UNSYNCHRONISED,)
        self._door.journal.write_tap(
            replace(tap, fare_rial=fare_rial, ticket=text.strip(), flags=flags), claim
        )
        self._replay.remember(claim.cti, claim.ctr, claim.pax, claim.expires_at_s)
        if synchronised:
            self._replay.forget_expired(moment.wall_ms // 1000 - CLOCK_SKEW_S)
        self._last_scan = (text, moment.mono_ns)
        return replace(
            self._door.shown(moment, Lamp.GREEN, Reason.OK, ShownMedium.PHONE, seq=tap.seq),
            fare_rial=fare_rial,
            pax=examined.pax,
            rides_left=examined.entitlement.max_taps - (examined.ctr + examined.pax - 1),
        )

    def _refuse(self, moment: Moment, text: str, reason: TicketRefusal | Reason) -> Shown:
        last, self._last_scan = self._last_scan, (text, moment.mono_ns)
        if last is not None and last[0] == text and moment.mono_ns - last[1] < REPEATED_SCAN_NS:
            # A scanner reads one screen many times a second: one presentation is one tap.
            return self._door.shown(moment, Lamp.RED, reason, ShownMedium.PHONE)
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
