"""Tells an inspector whether a card or a ticket has paid on this vehicle. It only reads: no charge, no claim,
no tap in the journal, nothing written on a card.

The rules are in `fare.core.inspection`: paid, not paid, or cannot tell, within the time one fare rides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fare.core import entitlement
from fare.core.decision import Reason
from fare.core.desfire import errors as card_errors
from fare.core.desfire.application import OpenCard, open_card, run
from fare.core.desfire.keys import CardKeyStore
from fare.core.desfire.layout import AID
from fare.core.desfire.transaction_mac import OUR_READING, Reading
from fare.core.entitlement import EntitlementFault
from fare.core.inspection import (
    Inspected,
    Inspection,
    inspect_card,
    inspect_ticket,
    read_ticket,
)
from fare.core.proof.tickets import rides_of
from readers.card_taps import FOREIGN_CARD
from readers.door import Door, trimmed
from readers.ports import KeyStoreFault, Link, RandomBytes, ReaderFault
from readers.shown import Lamp, Shown, ShownMedium
from readers.vehicle_memory.door import VehicleMemory

LAMPS: Final = {
    Inspected.PAID: Lamp.GREEN,
    Inspected.NOT_PAID: Lamp.RED,
    Inspected.CANNOT_TELL: Lamp.AMBER,
}


@dataclass(frozen=True, slots=True)
class CardAccess:
    """What opens a card for reading: the store of the keys, randomness, how chips feed their MAC."""

    keys: CardKeyStore
    random_bytes: RandomBytes
    reading: Reading = OUR_READING


class Inspector:
    """Looks at media, one at a time. `window_s` is how long one fare rides, in seconds."""

    def __init__(self, door: Door, access: CardAccess, memory: VehicleMemory, window_s: int) -> None:
        self._door = door
        self._access = access
        self._memory = memory
        self._window_s = window_s

    def card(self, link: Link) -> Shown:
        """Read a card. Raises nothing that a card or a reader may cause."""
        moment = self._door.moment_to_look()
        if moment is None or not self._memory.which().doors:
            return self._nothing_known(ShownMedium.CARD)
        card = self._opened(link)
        if isinstance(card, Shown):
            return card
        on_card = entitlement.verify(card.entitlement, moment.loaded.card_keys, uid=card.uid, aid=AID)
        denied = (
            not isinstance(on_card, EntitlementFault) and on_card.serial in moment.loaded.bundle.denied_cards
        )
        told = inspect_card(
            (card.newest_record,),
            self._memory.which().doors,
            moment.wall_ms // 1000,
            self._window_s,
            clock_synchronised=moment.synchronised,
            denied=denied,
        )
        return self._shown(moment.wall_ms, told, ShownMedium.CARD)

    def ticket(self, text: str) -> Shown:
        """Read a scanned text. Raises nothing that a text or a gateway may cause."""
        moment = self._door.moment_to_look()
        if moment is None or not self._memory.which().doors:
            return self._nothing_known(ShownMedium.PHONE)
        now_s, synchronised = moment.wall_ms // 1000, moment.synchronised
        vehicle = self._memory.which().name
        bundle, keys = moment.loaded.bundle, moment.loaded.channel_keys
        read = read_ticket(trimmed(text), vehicle, bundle, keys, now_s, self._window_s, synchronised)
        if not isinstance(read, Inspection):
            rides = self._memory.found(rides_of(read.ticket))
            read = inspect_ticket(read, rides, now_s, self._window_s, clock_synchronised=synchronised)
        return self._shown(moment.wall_ms, read, ShownMedium.PHONE)

    def _opened(self, link: Link) -> OpenCard | Shown:
        access = self._access
        try:
            with self._door.one_card:
                conversation = open_card(access.keys, lambda: access.random_bytes(16), access.reading)
                return run(conversation, link.transmit)
        except KeyStoreFault:
            return self._unread(Inspected.CANNOT_TELL, Reason.OUT_OF_SERVICE)
        except (card_errors.CardTorn, ReaderFault):
            return self._unread(Inspected.CANNOT_TELL, Reason.HELD_TOO_SHORT)
        except card_errors.KeysOfAnotherGeneration:
            return self._unread(Inspected.CANNOT_TELL, Reason.KEYS_TOO_OLD)
        except FOREIGN_CARD:
            return self._unread(Inspected.NOT_PAID, Reason.NOT_OUR_CARD)
        except (card_errors.CardFault, ValueError):
            return self._unread(Inspected.NOT_PAID, Reason.CARD_NOT_GENUINE)

    def _unread(self, answer: Inspected, reason: Reason) -> Shown:
        at_ms = self._door.clock.wall_ms()
        return Shown(LAMPS[answer], reason, ShownMedium.CARD, at_ms, inspected=answer)

    # A vehicle that the bundle does not know has doors that nobody here has heard of.
    def _nothing_known(self, medium: ShownMedium) -> Shown:
        at_ms = self._door.clock.wall_ms()
        answer = Inspected.CANNOT_TELL
        return Shown(LAMPS[answer], Reason.OUT_OF_SERVICE, medium, at_ms, inspected=answer)

    def _shown(self, at_ms: int, told: Inspection, medium: ShownMedium) -> Shown:
        return Shown(
            LAMPS[told.answer],
            str(told.reason),
            medium,
            at_ms,
            pax=max(told.people, 1),
            inspected=told.answer,
            minutes_left=told.minutes_left,
            denied=told.denied,
        )
