"""What an inspector is told of a card or a ticket: paid, not paid or cannot tell, on this vehicle, till when.

Pure rules. Inspecting never charges, never claims a ride, never advances a counter and writes nothing.
"Not paid" is said only of what was fully looked at: what could not be read or asked, and what an honest
rider's clock may cause, is "cannot tell". A blocked medium is a note beside the answer: it may have paid.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core import card_record
from fare.core.bundle import Bundle
from fare.core.card_record import CardRecord
from fare.core.errors import MalformedDocument
from fare.core.proof.issued import CLOCK_SKEW_S
from fare.core.proof.mp1 import PaperTicket
from fare.core.proof.paper import check_paper_window, check_vehicle, verify_paper_text
from fare.core.proof.phone import check_counter, check_freshness, check_window, verify_text
from fare.core.proof.refusal import TicketRefusal
from fare.core.proof.tickets import AnyVerifiedTicket, is_paper


class Inspected(StrEnum):
    """The three answers."""

    PAID = "paid"
    NOT_PAID = "not_paid"
    CANNOT_TELL = "cannot_tell"


class InspectionReason(StrEnum):
    """Why, beside the refusals of a ticket, which stand for themselves."""

    RIDE_HERE = "ride_here"
    NO_RIDE_HERE = "no_ride_here"
    RIDE_TOO_LONG_AGO = "ride_too_long_ago"
    HAS_ALIGHTED = "has_alighted"
    FEWER_PAID = "fewer_paid"
    TIME_NOT_KNOWN = "time_not_known"
    UNREADABLE_RECORD = "unreadable_record"
    DOORS_NOT_REACHED = "doors_not_reached"

    @property
    def advice(self) -> str:
        """One English sentence for the inspector (the display translates by the reason)."""
        return _ADVICE[self]


_ADVICE: Final[Mapping[InspectionReason, str]] = {
    InspectionReason.RIDE_HERE: "A ride on this bus is paid: nothing is to be done.",
    InspectionReason.NO_RIDE_HERE: "No ride on this bus is paid with it: ask the rider to pay.",
    InspectionReason.RIDE_TOO_LONG_AGO: "The ride paid on this bus has run out: ask the rider to pay again.",
    InspectionReason.HAS_ALIGHTED: "The rider has tapped off on this bus: ask whether they leave it now.",
    InspectionReason.FEWER_PAID: "Fewer people are paid for than it shows: count who travels on it.",
    InspectionReason.TIME_NOT_KNOWN: "A ride on this bus is paid, at a time not known here: ask the driver.",
    InspectionReason.UNREADABLE_RECORD: "This card's last ride cannot be read here: update this device.",
    InspectionReason.DOORS_NOT_REACHED: "Not all doors of this bus answered: try again, or ask the driver.",
}


@dataclass(frozen=True, slots=True)
class Inspection:
    """The answer and why. `minutes_left` whole minutes, where paid; `people` that the ride is paid for.

    `denied`: the medium is blocked by now, which the inspector is told beside the answer.
    """

    answer: Inspected
    reason: InspectionReason | TicketRefusal
    minutes_left: int | None = None
    people: int = 0
    denied: bool = False


# --- cards --------------------------------------------------------------------------------------------------


def inspect_card(
    records: Sequence[bytes],
    validators: Collection[int],
    at_s: int,
    window_s: int,
    *,
    clock_synchronised: bool = True,
    denied: bool = False,
) -> Inspection:
    """Judge by the records of an authenticated card, newest first; one is enough, more see past a block.

    `validators` are the devices of this vehicle, `at_s` is now in unix seconds, `window_s` how long one fare
    rides. A record of a layout that is not known here may hide a ride.
    """
    newest: CardRecord | None = None
    unreadable = False
    for raw in records:
        try:
            record = card_record.decode(raw)
        except MalformedDocument:
            unreadable = True
            continue
        if record.blocked or record.validator not in validators or record.validator == 0:
            continue  # a block, another bus, or a desk: no ride here
        if newest is None or record.at_s > newest.at_s:
            newest = record
    if newest is None:
        if unreadable or not records:
            return Inspection(Inspected.CANNOT_TELL, InspectionReason.UNREADABLE_RECORD, denied=denied)
        return Inspection(Inspected.NOT_PAID, InspectionReason.NO_RIDE_HERE, denied=denied)
    told = _told(newest.at_s if clock_synchronised else None, at_s, window_s)
    if told.answer is Inspected.PAID and newest.alighting:
        # Who taps before the bus has stopped is honest: only the next stop tells.
        return Inspection(Inspected.CANNOT_TELL, InspectionReason.HAS_ALIGHTED, denied=denied)
    if told.answer is Inspected.NOT_PAID and unreadable:
        return Inspection(Inspected.CANNOT_TELL, InspectionReason.UNREADABLE_RECORD, denied=denied)
    return Inspection(told.answer, told.reason, told.minutes_left, told.people, denied)


# --- tickets ------------------------------------------------------------------------------------------------


class RideState(StrEnum):
    """What the vehicle's memory says of one ride. NOT_REACHED: not found, but not all doors were asked."""

    PAID = "paid"
    NOT_PAID = "not_paid"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True)
class RideFound:
    """One ride of a ticket in the vehicle's memory; `paid_at_s` unix seconds, None where it is not known."""

    state: RideState
    paid_at_s: int | None = None


@dataclass(frozen=True, slots=True)
class TicketShown:
    """A genuine, live ticket: ask the vehicle's memory for each of its rides `ctr .. ctr + pax - 1`.

    `outlived`: it expired within the window, so it may have paid, and the memory may have forgotten it.
    """

    ticket: AnyVerifiedTicket
    denied: bool
    outlived: bool


def read_ticket(
    text: object,
    vehicle: str,
    bundle: Bundle,
    channel_keys: Mapping[bytes, Ed25519PublicKey],
    now_s: int,
    window_s: int,
    clock_synchronised: bool,
) -> TicketShown | Inspection:
    """The checks of a ride, except that a blocked ticket is a note; never raises. No memory is asked."""
    shown = (
        _read_paper(text, vehicle, channel_keys, now_s, window_s, clock_synchronised)
        if is_paper(text)
        else _read_phone(text, channel_keys, now_s, window_s, clock_synchronised)
    )
    if isinstance(shown, TicketRefusal):
        unsure = shown in _MAY_BE_HONEST
        return Inspection(Inspected.CANNOT_TELL if unsure else Inspected.NOT_PAID, shown)
    ticket, outlived = shown
    return TicketShown(ticket, ticket.cti in bundle.denied_tickets, outlived)


def inspect_ticket(
    shown: TicketShown,
    rides: Sequence[RideFound],
    now_s: int,
    window_s: int,
    *,
    clock_synchronised: bool = True,
) -> Inspection:
    """Judge by the vehicle's memory; `rides` has one item for each person on the ticket, in order.

    `ValueError` for another number of rides. `now_s` unix seconds, `window_s` how long one fare rides.
    """
    if len(rides) != shown.ticket.pax:
        raise ValueError(f"a ticket for {shown.ticket.pax} is judged by as many rides, not {len(rides)}")
    answers = [_ride_told(ride, shown, now_s, window_s, clock_synchronised) for ride in rides]
    paid = [told for told in answers if told.answer is Inspected.PAID]
    unsure = [told for told in answers if told.answer is Inspected.CANNOT_TELL]
    people = len(paid)
    if people == len(answers):
        minutes_left = min(told.minutes_left or 0 for told in paid)
        return Inspection(Inspected.PAID, InspectionReason.RIDE_HERE, minutes_left, people, shown.denied)
    if unsure:
        return Inspection(Inspected.CANNOT_TELL, unsure[0].reason, None, people, shown.denied)
    reason = InspectionReason.FEWER_PAID if paid else answers[0].reason
    return Inspection(Inspected.NOT_PAID, reason, None, people, shown.denied)


_MAY_BE_HONEST: Final = frozenset(
    {
        TicketRefusal.STALE,
        TicketRefusal.FROM_THE_FUTURE,
        TicketRefusal.NOT_YET_VALID,
        TicketRefusal.UNKNOWN_KEY,
    }
)
"""A phone's clock that is off, or a bus that has not heard of a new key yet: no reason to accuse anybody."""


def _read_phone(
    text: object,
    channel_keys: Mapping[bytes, Ed25519PublicKey],
    now_s: int,
    window_s: int,
    clock_synchronised: bool,
) -> tuple[AnyVerifiedTicket, bool] | TicketRefusal:
    ticket = verify_text(text, channel_keys)
    if isinstance(ticket, TicketRefusal):
        return ticket
    refusal = check_window(ticket)
    outlived = refusal is TicketRefusal.EXPIRED and ticket.ts_s - ticket.expires_at_s <= window_s
    refusal = (None if outlived else refusal) or check_counter(ticket)
    if refusal is None and clock_synchronised:
        refusal = check_freshness(ticket, now_s)
    return refusal or (ticket, outlived)


def _read_paper(
    text: object,
    vehicle: str,
    channel_keys: Mapping[bytes, Ed25519PublicKey],
    now_s: int,
    window_s: int,
    clock_synchronised: bool,
) -> tuple[AnyVerifiedTicket, bool] | TicketRefusal:
    ticket: PaperTicket | TicketRefusal = verify_paper_text(text, channel_keys)
    if isinstance(ticket, TicketRefusal):
        return ticket
    refusal = check_paper_window(ticket, now_s) if clock_synchronised else None
    outlived = refusal is TicketRefusal.EXPIRED and now_s - ticket.expires_at_s <= window_s
    return (None if outlived else refusal) or check_vehicle(ticket, vehicle) or (ticket, outlived)


def _ride_told(
    ride: RideFound, shown: TicketShown, now_s: int, window_s: int, clock_synchronised: bool
) -> Inspection:
    if ride.state is RideState.PAID:
        return _told(ride.paid_at_s if clock_synchronised else None, now_s, window_s)
    if ride.state is RideState.NOT_REACHED:
        return Inspection(Inspected.CANNOT_TELL, InspectionReason.DOORS_NOT_REACHED)
    if shown.outlived:
        return Inspection(Inspected.CANNOT_TELL, TicketRefusal.EXPIRED)
    return Inspection(Inspected.NOT_PAID, InspectionReason.NO_RIDE_HERE)


def _told(paid_at_s: int | None, now_s: int, window_s: int) -> Inspection:
    """Of a ride on this vehicle, by its age. A time ahead of ours means that one of two clocks is off."""
    if paid_at_s is None or paid_at_s > now_s + CLOCK_SKEW_S:
        return Inspection(Inspected.CANNOT_TELL, InspectionReason.TIME_NOT_KNOWN)
    left_s = min(paid_at_s + window_s - now_s, window_s)
    if left_s < 0:
        return Inspection(Inspected.NOT_PAID, InspectionReason.RIDE_TOO_LONG_AGO)
    return Inspection(Inspected.PAID, InspectionReason.RIDE_HERE, left_s // 60, people=1)
