"""The rider's state in the seven bytes that a card's record leaves for it, and wide enough for the ledger.

`RIDER_STATE_SIZE` bytes are little; which of the state's fields a tariff needs, and with how many bits,
follows from the tariff alone. It prices nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from fare.core.card_record import RIDER_STATE_SIZE
from fare.core.tariff.context import TapContext
from fare.core.tariff.model import Tariff
from fare.core.tariff.state import RiderState


def to_card(tariff: Tariff, state: RiderState, at_s: int) -> bytes:
    """The card's bytes of a state, written by a tap at `at_s`."""
    del tariff, state, at_s
    return bytes(RIDER_STATE_SIZE)


def from_card(
    tariffs: tuple[Tariff, ...],
    raw: bytes,
    at_s: int,
    *,
    tap_of: Callable[[Tariff], TapContext] | None = None,
    fare: int = 0,
    boarded: bool = True,
) -> RiderState:
    """The state of a record that was written at `at_s`; bytes of a tariff that is not here know nothing.

    `tariffs`: those that may have written it, the likeliest first. `tap_of`: the tap that left the record, as
    a tariff sees it (vehicle, route, area, category); None for a record that is no tap of a bus
    (personalisation, a desk, a block). `fare` is what that tap debited; `boarded` False for an alighting.
    """
    del tariffs, raw, at_s, tap_of, fare, boarded
    return RiderState()
