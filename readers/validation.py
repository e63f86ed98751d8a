"""One tap, from medium to lamp: pure orchestration over the ports. It holds no rule of its own (those are in
`fare.core`), no socket and no thread, and never shows green before the journal has the tap.

A card:   open · decide · INTENT · stage · Commit · OUTCOME · lamp            `readers.card_taps`
A ticket: decide · claim on this vehicle · tap with its claim · lamp          `readers.ticket_taps`

An inspection only reads: `readers.inspector`. A reader that hangs inside an APDU must not stop the phones:
see `readers.ticket_taps`.
"""

from __future__ import annotations

from typing import Final

from fare.core.desfire.keys import CardKeyStore
from fare.core.desfire.transaction_mac import OUR_READING, Reading
from fare.core.proof.refusal import TicketRefusal
from readers.bundles import Bundles
from readers.card_taps import CardTaps
from readers.door import Door
from readers.inspection_switch import INSPECTION_WINDOW_MIN
from readers.inspector import CardAccess, Inspector
from readers.journal import Journal
from readers.ports import Clock, Link, RandomBytes, Redeem, Storage
from readers.shown import Shown
from readers.ticket_taps import TicketTaps
from readers.vehicle_memory.composing import own_memory
from readers.vehicle_memory.door import VehicleMemory

INSPECTION_WINDOW_S: Final = INSPECTION_WINDOW_MIN * 60


def no_line(_cti: bytes) -> TicketRefusal:
    """The Redeem of a validator that has no line to a ledger."""
    return TicketRefusal.NEEDS_LINE


class Validator:
    """Decides about media, one at a time for each kind.

    `present_card` and `present_ticket` may run in two threads.
    """

    def __init__(
        self,
        *,
        keys: CardKeyStore,
        journal: Journal,
        bundles: Bundles,
        clock: Clock,
        random_bytes: RandomBytes,
        storage: Storage,
        reading: Reading = OUR_READING,
        memory: VehicleMemory | None = None,
        redeem: Redeem = no_line,
        inspection_window_s: int = INSPECTION_WINDOW_S,
    ) -> None:
        """`reading` says how the chips feed their Transaction MAC; it is one for the whole system.

        `memory` is what the vehicle knows of paid rides; None: what this door's journal knows.
        """
        memory = memory or own_memory(journal, bundles, clock)
        door = Door(journal=journal, bundles=bundles, clock=clock, storage=storage)
        self._cards = CardTaps(door, keys, random_bytes, reading)
        self._tickets = TicketTaps(door, memory, redeem)
        access = CardAccess(keys, random_bytes, reading)
        self._inspector = Inspector(door, access, memory, inspection_window_s)

    def present_card(self, link: Link) -> Shown:
        """Take a card through a whole tap. Raises nothing that a card, a reader or a disk may cause."""
        return self._cards.present(link)

    @property
    def keys_problem(self) -> str:
        """What is wrong with the store of the card keys, as the last card showed; empty if nothing is."""
        return self._cards.keys_problem

    def present_ticket(self, text: str) -> Shown:
        """Decide on a scanned text. Raises nothing that a text or a disk may cause."""
        return self._tickets.present(text)

    def inspect_card(self, link: Link) -> Shown:
        """Tell whether a card has paid on this vehicle; nothing is written anywhere. Raises as above."""
        return self._inspector.card(link)

    def inspect_ticket(self, text: str) -> Shown:
        """Tell whether a scanned text has paid on this vehicle; nothing is claimed. Raises as above."""
        return self._inspector.ticket(text)
