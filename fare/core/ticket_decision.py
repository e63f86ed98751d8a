"""What a validator decides about a scanned text, phone or paper: the rules, pure, up to the replay memory.

A decision is a value: `TicketRide` says what to claim and what it costs, everything else why not. It claims
nothing, asks no ledger and reads no clock; what a card may do is in `fare.core.decision`.

No ticket is tapped off: it is priced whole when its rider boards, and not looked at where riders leave.

Order: length, prefix, form · signatures · window, denylist, rides left, vehicle · freshness · price and hold.
Next, by the caller: the vehicle's replay memory (for paper without a vehicle: the ledger), journal, lamp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.boarding import Boarding, ticket_context
from fare.core.bundle import Bundle
from fare.core.card_record import MAX_FARE_RIAL
from fare.core.decision import Reason, flags_of, not_to_be_charged
from fare.core.proof.mp1 import PaperTicket
from fare.core.proof.paper import examine_paper
from fare.core.proof.phone import examine
from fare.core.proof.refusal import TicketRefusal
from fare.core.proof.tickets import AnyVerifiedTicket, is_paper
from fare.core.tariff.context import Price, TapKind
from fare.core.tariff.memory import Memory
from fare.core.tariff.model import Tariff
from fare.core.tariff.pricing import is_memoryless, price
from fare.core.tariff.state import RiderState

CLOCK_UNSYNCHRONISED: Final = "clock_unsynchronised"
"""Flag of a tap whose time was not known: freshness was not judged, one tap per cti and vehicle."""
_NO_STATE: Final = RiderState()  # a ticket carries nothing from ride to ride


@dataclass(frozen=True, slots=True)
class TicketRide:
    """A ride to be claimed in the replay memory next: cti, ctr, pax are the ticket's, `flags` the tap's."""

    ticket: AnyVerifiedTicket
    price: Price
    flags: tuple[str, ...]


def decide_ticket(
    text: object,
    boarding: Boarding,
    vehicle: str,
    bundle: Bundle,
    channel_keys: Mapping[bytes, Ed25519PublicKey],
    now_s: int,
    clock_synchronised: bool,
) -> TicketRide | TicketRefusal | Reason:
    """Apply every rule to one text of any kind and size; never raises. `now_s` unix seconds.

    `vehicle` is this bus, `channel_keys` by their kids. A paper ticket whose `vehicle` is None is still to be
    redeemed by the ledger.
    """
    if boarding.kind is TapKind.OFF:
        return Reason.EXIT_DOOR
    denied = bundle.denied_tickets.__contains__
    if is_paper(text):
        ticket = examine_paper(text, channel_keys, vehicle, now_s, clock_synchronised, denied)
    else:
        ticket = examine(text, channel_keys, now_s, clock_synchronised, denied)
    if isinstance(ticket, TicketRefusal):
        return ticket
    cost = price_ticket(bundle.tariff_at(boarding.at_s), ticket, boarding)
    reason = not_to_be_charged(cost)
    if reason is not None:
        return reason
    if cost.amount > min(ticket.held_rial, MAX_FARE_RIAL):
        # The ledger holds no money for a dearer ride: the app fetches a ticket at the new tariff.
        return Reason.INSUFFICIENT_BALANCE
    flags = flags_of(cost)
    return TicketRide(ticket, cost, flags if clock_synchronised else (CLOCK_UNSYNCHRONISED, *flags))


def price_ticket(tariff: Tariff, ticket: AnyVerifiedTicket, boarding: Boarding) -> Price:
    """What a boarding by ticket costs, for bus and ledger: a ticket carries nothing from ride to ride.

    Nor is it tapped off: where riders pay when they leave, it pays the dearest fare that its ride may cost.
    """
    if not tariff.derive(_is_timeless):
        return _priced(tariff, ticket, boarding)
    # A scanner reads every phone of a crowd: the price of each is the one that was asked for the first.
    asked = isinstance(ticket, PaperTicket), boarding.line, boarding.area, ticket.pax
    return tariff.derive(_prices).answer(asked, lambda: _priced(tariff, ticket, boarding))


def _prices(_: Tariff) -> Memory[tuple[bool, int, int, int], Price]:
    """Prices by medium, line, area and persons."""
    return Memory()


def _priced(tariff: Tariff, ticket: AnyVerifiedTicket, boarding: Boarding) -> Price:
    cost, after = price(tariff, _NO_STATE, ticket_context(tariff, ticket, boarding))
    if after.journey is None or cost.amount:
        return cost
    return replace(cost, amount=cost.fare)


def _is_timeless(tariff: Tariff) -> bool:
    """Whether a ticket costs the same always: nothing in the tariff looks at a clock or at earlier taps."""
    timed = any(each.from_timeframe_group_id or each.to_timeframe_group_id for each in tariff.leg_rules)
    more = tariff.free_days or tariff.concessions or tariff.distance_fares
    return is_memoryless(tariff) and not (timed or more)
