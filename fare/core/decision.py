"""What a validator decides about a card in its field: the rules, pure, with a closed set of reasons.

A decision is a value. `Charge` says what to write on the card; `Refused` says why not, in a word that
every display translates and every report counts, and what to write on a card that is denied, so that a bus
with an older denylist refuses it too. `AlreadyPaid` lets the rider on and writes nothing. What the tariff is
told of a tap is in `fare.core.boarding`. Nothing here talks to a card or reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from fare.core import card_record, entitlement
from fare.core.boarding import Boarding, card_context, local_day, state_on_card
from fare.core.bundle import Bundle
from fare.core.card_record import MAX_FARE_RIAL, CardRecord
from fare.core.entitlement import EntitlementFault, VerifiedEntitlement
from fare.core.errors import MalformedDocument
from fare.core.proof.issued import CLOCK_SKEW_S
from fare.core.tariff.card_state import to_card
from fare.core.tariff.context import Price, Rule, TapKind
from fare.core.tariff.pricing import price

DEFAULT_FARE: Final = "default_fare"
"""Flag of a tap that no rule of the tariff prices: the line's default fare was charged."""


class Reason(StrEnum):
    """Why a tap was refused (or "ok"). Ticket reasons are in `fare.core.proof.refusal.TicketRefusal`.

    PASS_BACK and RIDE_PAID let the rider on for nothing, RIDE_FREE says that nobody pays at a validator that
    is out of service, ALIGHTED is what a rider who leaves is told.
    """

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
    RIDE_FREE = "ride_free"
    FARE_UNKNOWN = "fare_unknown"
    TOO_MANY_RIDERS = "too_many_riders"
    EXIT_DOOR = "exit_door"
    PASS_BACK = "pass_back"  # noqa: S105 - a word of public transport, no password
    RIDE_PAID = "ride_paid"
    ALIGHTED = "alighted"


_NOT_BOARDING: Final[Mapping[Rule, Reason]] = {
    Rule.UNKNOWN_FARE: Reason.FARE_UNKNOWN,
    Rule.SHORT_PURSE: Reason.INSUFFICIENT_BALANCE,
    Rule.TOO_MANY: Reason.TOO_MANY_RIDERS,
    Rule.ANOTHER_DOOR: Reason.OUT_OF_SERVICE,
}
_ALREADY_PAID: Final[Mapping[Rule, Reason]] = {
    Rule.PASS_BACK: Reason.PASS_BACK,
    Rule.ALREADY_PAID: Reason.RIDE_PAID,
}


@dataclass(frozen=True, slots=True)
class CardView:
    """What was read from an authenticated card: exact bytes, and the chip's own counter in rial."""

    uid: bytes
    aid: bytes
    entitlement: bytes
    newest_record: bytes
    spent_rial: int


@dataclass(frozen=True, slots=True)
class Charge:
    """Let the rider on, or off: debit, write the record, and the newer entitlement if there is one.

    `flags` are the tap's.
    """

    price: Price
    record: bytes
    on_card: VerifiedEntitlement
    in_force: VerifiedEntitlement
    delivered: bytes | None
    balance_after_rial: int
    on_pass: bool
    alighting: bool = False
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlreadyPaid:
    """Let the rider on: the card was charged a moment ago, or has paid this ride. It is not written to."""

    reason: Reason
    serial: int
    balance_rial: int


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
) -> Charge | AlreadyPaid | Refused:
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
    if in_force.expires_day < local_day(boarding.at_s, zone):
        return Refused(Reason.CARD_EXPIRED, serial, balance)
    if boarding.at_s < last.at_s <= boarding.at_s + CLOCK_SKEW_S:
        # Two doors' clocks are never quite alike, and a card's taps come one after the other.
        boarding = replace(boarding, at_s=last.at_s)
    tariff = bundle.tariff_at(boarding.at_s)
    was_on = bundle.devices.get(last.validator)
    vehicle = None if was_on is None else was_on.vehicle
    before = state_on_card(bundle.tariffs_of(last.at_s), last, in_force, zone, boarding.at_s, vehicle)
    cost, state = price(tariff, before, card_context(tariff, in_force, boarding, zone, view.spent_rial))
    reason = not_to_be_charged(cost)
    if reason is Reason.PASS_BACK or reason is Reason.RIDE_PAID:
        return AlreadyPaid(reason, serial, balance)
    # What costs nothing needs no balance: a pass rides on a purse that is empty or overdrawn.
    if cost.amount and cost.amount > min(balance + in_force.overdraft_rial, MAX_FARE_RIAL):
        reason = reason or Reason.INSUFFICIENT_BALANCE
    if reason is not None:
        return Refused(reason, serial, balance)
    alighting, on_pass = boarding.kind is TapKind.OFF, cost.pass_product_id is not None
    record = CardRecord(
        validator=boarding.device,
        seq=boarding.seq,
        at_s=boarding.at_s,
        line=boarding.line,
        area=boarding.area,
        fare_rial=cost.amount,
        spent_after_rial=view.spent_rial + cost.amount,
        entitlement_version=in_force.version,
        rider_state=to_card(tariff, state, boarding.at_s),
        on_pass=on_pass,
        alighting=alighting,
    ).encode()
    after_rial = balance - cost.amount
    return Charge(cost, record, on_card, in_force, delivered, after_rial, on_pass, alighting, flags_of(cost))


def not_to_be_charged(cost: Price) -> Reason | None:
    """Why a tap with this price charges and writes nothing; None where it is a ride, or ends one."""
    for step in cost.steps:
        if step.rule in _ALREADY_PAID:
            return _ALREADY_PAID[step.rule]
    # The rule that refuses spoke last; where it has no word of its own, the balance is at fault.
    return None if cost.boards else _NOT_BOARDING.get(cost.rule, Reason.INSUFFICIENT_BALANCE)


def flags_of(cost: Price) -> tuple[str, ...]:
    """What a tap with this price tells the ledger beside its amount.

    No rider is kept from leaving: an end of a ride that no rule prices is written down, and flagged.
    """
    if not cost.known:
        return (str(Reason.FARE_UNKNOWN),)
    return (DEFAULT_FARE,) if cost.flagged else ()


def _block_record(view: CardView, boarding: Boarding, on_card: VerifiedEntitlement) -> bytes | None:
    try:
        newest = card_record.decode(view.newest_record)
    except MalformedDocument:
        return None  # a layout of later years is not written over by what does not know it
    if newest.blocked:
        return None
    return card_record.record_without_ride(
        blocked=True,
        validator=boarding.device,
        seq=boarding.seq,
        at_s=boarding.at_s,
        line=boarding.line,
        area=boarding.area,
        spent_rial=view.spent_rial,
        entitlement_version=on_card.version,
    )


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
