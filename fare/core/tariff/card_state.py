"""The rider's state in the seven bytes that a card's record leaves for it, and wide enough for the ledger.

`RIDER_STATE_SIZE` bytes are little; which of the state's fields a tariff needs, and with how many bits, follows
from the tariff alone. It prices nothing.
"""

from __future__ import annotations

from fare.core.card_record import RIDER_STATE_SIZE
from fare.core.tariff.model import Tariff
from fare.core.tariff.state import RiderState


def to_card(tariff: Tariff, state: RiderState, at_s: int) -> bytes:
    """The card's bytes of a state, written by a tap at `at_s`."""
    del tariff, state, at_s
    return bytes(RIDER_STATE_SIZE)


def from_card(tariffs: tuple[Tariff, ...], raw: bytes, at_s: int) -> RiderState:
    """The state of a record that was written at `at_s`; bytes that no tariff here has written know nothing."""
    del tariffs, raw, at_s
    return RiderState()
