"""A tap as the tariff sees it: bus and ledger build it, and read a card's state, in this one place.

Whoever builds it elsewhere prices otherwise. It prices nothing, refuses nothing and reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from fare.core.card_record import CardRecord
from fare.core.entitlement import UNLIMITED_RIDES, CardEntitlement, Pass, day_number, day_of
from fare.core.proof.issued import CLOCK_SKEW_S
from fare.core.proof.mc1 import PhoneTicket
from fare.core.proof.mp1 import PaperTicket
from fare.core.tariff.card_layout import PASS_KEYS
from fare.core.tariff.card_state import from_card, not_on_card
from fare.core.tariff.context import HeldPass, TapContext, TapKind
from fare.core.tariff.model import FareMedium, PassProduct, Tariff
from fare.core.tariff.periods import service_day_start, whole_days_until_s
from fare.core.tariff.state import RiderState

_NO_DEVICE: Final = 0  # the validator of a record that personalisation or a desk wrote


@dataclass(frozen=True, slots=True)
class Boarding:
    """Where and when a medium was presented: `device`, `seq` in its journal, unix seconds, line, area.

    `vehicle` is the one that the device was on, None where it is not known. `kind` says whether the rider
    boards or leaves.
    """

    device: int
    seq: int
    at_s: int
    line: int
    area: int
    vehicle: str | None = None
    kind: TapKind = TapKind.ON


def local_day(at_s: int, zone: ZoneInfo) -> int:
    """The local date of an instant as the day number that cards carry."""
    return day_number(datetime.fromtimestamp(at_s, zone).date())


def card_context(
    tariff: Tariff,
    in_force: CardEntitlement,
    boarding: Boarding,
    zone: ZoneInfo,
    spent_rial: int | None = None,
) -> TapContext:
    """A tap of a card, priced by the entitlement that is in force after it.

    `spent_rial` is the chip's counter before the tap; None: the purse is not looked at.
    """
    expires_day = in_force.category_expires_day
    return TapContext(
        at_s=boarding.at_s,
        kind=boarding.kind,
        medium=tariff.media.get(FareMedium.CARD),
        rider_category=_category_id(tariff, in_force.rider_category),
        category_valid=expires_day == 0 or expires_day >= local_day(boarding.at_s, zone),
        route=tariff.lines.get(boarding.line),
        area=tariff.areas.get(boarding.area),
        vehicle=boarding.vehicle,
        passes=held_passes(tariff, in_force.passes) if in_force.passes else (),
        balance=None if spent_rial is None else in_force.balance_rial(spent_rial),
        overdraft=in_force.overdraft_rial,
    )


def ticket_context(tariff: Tariff, ticket: PhoneTicket | PaperTicket, boarding: Boarding) -> TapContext:
    """A boarding by ticket. What it may cost at most is held by the ledger: no purse is looked at."""
    medium = FareMedium.PAPER if isinstance(ticket, PaperTicket) else FareMedium.PHONE
    return TapContext(
        at_s=boarding.at_s,
        medium=tariff.media.get(medium),
        route=tariff.lines.get(boarding.line),
        area=tariff.areas.get(boarding.area),
        vehicle=boarding.vehicle,
        pax=ticket.pax,
    )


def held_passes(tariff: Tariff, passes: tuple[Pass, ...]) -> tuple[HeldPass, ...]:
    """The passes of a card, from the service day that is written as their first to the end of their last.

    One whose number the tariff does not know keeps the name `pass-NUMBER`, and covers every leg. Left alone
    is a pass of so many rides that the card would not count: it would never end.
    """
    by_number = {each.number: each for each in tariff.passes}
    held: list[HeldPass] = []
    for one in passes:
        product = by_number.get(one.product)
        rides = None if one.rides == UNLIMITED_RIDES else one.rides
        if rides is None and product is not None:
            rides = product.rides
        if rides is not None and not _counts_on_card(tariff, product):
            continue
        held.append(
            HeldPass(
                product_id=f"pass-{one.product}" if product is None else product.product_id,
                from_s=service_day_start(tariff, day_of(one.first_day).toordinal()),
                until_s=whole_days_until_s(tariff, product, day_of(one.last_day).toordinal()),
                rides=rides,
                key=one.first_day % PASS_KEYS,
            )
        )
    return tuple(held)


def state_on_card(
    tariffs: tuple[Tariff, ...],
    last: CardRecord,
    in_force: CardEntitlement,
    zone: ZoneInfo,
    at_s: int,
    vehicle: str | None,
) -> RiderState:
    """What the record of the tap before tells a tap at `at_s`.

    `tariffs` may have written it, the likeliest first; `vehicle` is the one its validator was on, None where
    that is not known. A record from the future tells nothing: one of two clocks is wrong, and until the other
    caught up the card would ride for nothing.
    """
    if last.at_s > at_s + CLOCK_SKEW_S:
        return RiderState()
    kind = TapKind.OFF if last.alighting else TapKind.ON
    then = Boarding(last.validator, last.seq, last.at_s, last.line, last.area, vehicle, kind)

    def tap_of(tariff: Tariff) -> TapContext:
        return card_context(tariff, in_force, then, zone)

    is_tap = last.validator != _NO_DEVICE and not last.blocked
    return from_card(
        tariffs,
        last.rider_state,
        last.at_s,
        tap_of=tap_of if is_tap else None,
        fare=last.fare_rial,
        boarded=not last.alighting,
    )


def _counts_on_card(tariff: Tariff, product: PassProduct | None) -> bool:
    """Whether a card's record counts the rides of this product."""
    return (
        product is not None
        and product.rides is not None
        and f"pass:{product.product_id}" not in not_on_card(tariff)
    )


def _category_id(tariff: Tariff, number: int) -> str | None:
    return next((each.rider_category_id for each in tariff.rider_categories if each.number == number), None)
