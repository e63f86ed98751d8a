"""What a validator decides about a card in its field: the rules, pure, with a closed set of reasons.

A decision is a value. `Charge` says what to write on the card; `Refused` says why not, in a word that
every display translates and every report counts, and what to write on a card that is denied, so that a bus
with an older denylist refuses it too. What the tariff is told of a boarding, by card or by phone,
is said here too, for bus and ledger alike. Nothing here talks to a card or reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from fare.core import card_record, entitlement
from fare.core.bundle import Bundle
from fare.core.card_record import MAX_FARE_RIAL, CardRecord
from fare.core.entitlement import UNLIMITED_RIDES, CardEntitlement, EntitlementFault, VerifiedEntitlement
from fare.core.errors import MalformedDocument
from fare.core.proof.mc1 import PhoneTicket
from fare.core.proof.mp1 import PaperTicket
from fare.core.tariff.card_state import from_card, to_card
from fare.core.tariff.context import HeldPass, Price, TapContext
from fare.core.tariff.model import FareMedium, Tariff
from fare.core.tariff.pricing import price


class Reason(StrEnum):
    """Why a tap was refused (or "ok"). Ticket reasons are in `fare.core.proof.refusal.TicketRefusal`."""

    OK = "ok"
    NOT_OUR_CARD = "not_our_card"
    KEYS_TOO_OLD = "keys_too_old"
    CARD_NOT_GENUINE = "card_not_genuine"
    BAD_ENTITLEMENT = "bad_entitlement"
    CARD_DENIED = "card_denied"
    CARD_BLOCKED = "card_blocked"
    CARD_EXPIRED = "card_expired"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    CARD_TORN = "card_torn"
    HELD_TOO_SHORT = "held_too_short"
    CARD_TOO_SLOW = "card_too_slow"
    OUT_OF_SERVICE = "out_of_service"


@dataclass(frozen=True, slots=True)
class CardView:
    """What was read from an authenticated card: exact bytes, and the chip's own counter in rial."""

    uid: bytes
    aid: bytes
    entitlement: bytes
    newest_record: bytes
    spent_rial: int


@dataclass(frozen=True, slots=True)
class Boarding:
    """Where and when the card was presented: `device`, `seq` in its journal, unix seconds, line, area."""

    device: int
    seq: int
    at_s: int
    line: int
    area: int


@dataclass(frozen=True, slots=True)
class Charge:
    """Let the rider on: debit, write the record, and write the newer entitlement if there is one."""

    price: Price
    record: bytes
    on_card: VerifiedEntitlement
    in_force: VerifiedEntitlement
    delivered: bytes | None
    balance_after_rial: int
    on_pass: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Do not let the rider on. `balance_rial` and `serial` where the card was readable enough to tell.

    `block_record` is to be committed on the card, without a debit, before the lamp turns red.
    """

    reason: Reason
    serial: int | None = None
    balance_rial: int | None = None
    block_record: bytes | None = None


def decide_card(
    view: CardView, boarding: Boarding, bundle: Bundle, keys: entitlement.KeyRing
) -> Charge | Refused:
    """Apply every rule to one card. The order is the order in which a rider can act on the answer."""
    on_card = entitlement.verify(view.entitlement, keys, uid=view.uid, aid=view.aid)
    if isinstance(on_card, EntitlementFault):
        return Refused(Reason.BAD_ENTITLEMENT)
    serial = on_card.serial
    if serial in bundle.denied_cards:
        return Refused(Reason.CARD_DENIED, serial, block_record=_block_record(view, boarding, on_card))
    in_force, delivered = _newest(on_card, bundle, keys, view)
    balance = in_force.balance_rial(view.spent_rial)
    try:
        last = card_record.decode(view.newest_record)
    except MalformedDocument:
        return Refused(Reason.BAD_ENTITLEMENT, serial, balance)
    if last.blocked:
        return Refused(Reason.CARD_BLOCKED, serial, balance)
    zone = ZoneInfo(bundle.zone)
    if in_force.expires_day < _local_day(boarding, zone):
        return Refused(Reason.CARD_EXPIRED, serial, balance)
    context = card_context(bundle.tariff, in_force, boarding, zone)
    before = from_card((bundle.tariff,), last.rider_state, last.at_s)
    cost, state = price(bundle.tariff, before, context)
    # What costs nothing needs no balance: a pass rides on a purse that is empty or overdrawn.
    if cost.amount and cost.amount > min(balance + in_force.overdraft_rial, MAX_FARE_RIAL):
        return Refused(Reason.INSUFFICIENT_BALANCE, serial, balance)
    on_pass = cost.pass_product_id is not None
    record = CardRecord(
        validator=boarding.device,
        seq=boarding.seq,
        at_s=boarding.at_s,
        line=boarding.line,
        area=boarding.area,
        fare_rial=cost.amount,
        spent_after_rial=view.spent_rial + cost.amount,
        entitlement_version=in_force.version,
        rider_state=to_card(bundle.tariff, state, boarding.at_s),
        on_pass=on_pass,
    ).encode()
    return Charge(cost, record, on_card, in_force, delivered, balance - cost.amount, on_pass)


def _block_record(view: CardView, boarding: Boarding, on_card: VerifiedEntitlement) -> bytes | None:
    try:
        newest = card_record.decode(view.newest_record)
    except MalformedDocument:
        return None  # a layout of later years is not written over by what does not know it
    if newest.blocked:
        return None
    return card_record.record_without_ride(
        newest,
        blocked=True,
        validator=boarding.device,
        seq=boarding.seq,
        at_s=boarding.at_s,
        line=boarding.line,
        area=boarding.area,
        spent_rial=view.spent_rial,
        entitlement_version=on_card.version,
    )


def card_context(tariff: Tariff, in_force: CardEntitlement, boarding: Boarding, zone: ZoneInfo) -> TapContext:
    """A boarding by card as the tariff sees it: bus and ledger build it in this one place."""
    today = _local_day(boarding, zone)
    return TapContext(
        at_s=boarding.at_s,
        medium=tariff.media.get(FareMedium.CARD),
        rider_category=_category_id(tariff, in_force.rider_category),
        category_valid=in_force.category_expires_day == 0 or in_force.category_expires_day >= today,
        route=tariff.lines.get(boarding.line),
        area=tariff.areas.get(boarding.area),
        passes=_passes_that_ride(tariff, in_force, today),
    )


def _category_id(tariff: Tariff, number: int) -> str | None:
    return next((each.rider_category_id for each in tariff.rider_categories if each.number == number), None)


def _passes_that_ride(tariff: Tariff, in_force: CardEntitlement, today: int) -> tuple[HeldPass, ...]:
    """The passes that are valid on this day.

    A pass of so many rides is left alone: nothing on the card counts them yet, so it would never end.
    """
    names = {each.number: each.product_id for each in tariff.passes}
    return tuple(
        HeldPass(names.get(one.product, f"pass-{one.product}"))
        for one in in_force.passes
        if one.rides == UNLIMITED_RIDES and one.first_day <= today <= one.last_day
    )


def ticket_context(tariff: Tariff, ticket: PhoneTicket | PaperTicket, boarding: Boarding) -> TapContext:
    """A boarding by ticket as the tariff sees it: bus and ledger build it in this one place."""
    medium = FareMedium.PAPER if isinstance(ticket, PaperTicket) else FareMedium.PHONE
    return TapContext(
        at_s=boarding.at_s,
        medium=tariff.media.get(medium),
        route=tariff.lines.get(boarding.line),
        area=tariff.areas.get(boarding.area),
        pax=ticket.pax,
    )


def _local_day(boarding: Boarding, zone: ZoneInfo) -> int:
    return entitlement.day_number(datetime.fromtimestamp(boarding.at_s, zone).date())


def _newest(
    on_card: VerifiedEntitlement, bundle: Bundle, keys: entitlement.KeyRing, view: CardView
) -> tuple[VerifiedEntitlement, bytes | None]:
    waiting = bundle.entitlements.get(on_card.serial)
    if waiting is not None:
        newer = entitlement.verify(waiting, keys, uid=view.uid, aid=view.aid)
        if (
            not isinstance(newer, EntitlementFault)
            and newer.serial == on_card.serial
            and newer.version > on_card.version
        ):
            return newer, waiting
    return on_card, None
