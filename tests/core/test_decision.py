"""Every rule of the decision about a card, one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core import card_record, entitlement
from fare.core.boarding import Boarding, ticket_context
from fare.core.bundle import Bundle, DeviceConfiguration
from fare.core.decision import AlreadyPaid, CardView, Charge, Reason, Refused, decide_card
from fare.core.entitlement import CardEntitlement, Pass
from fare.core.proof.mc1 import PhoneEntitlement, PhoneTicket
from fare.core.proof.mp1 import PaperTicket
from fare.core.tap import BundleVersion
from fare.core.tariff.context import TapKind
from fare.core.tariff.model import FareMedium, FareProduct, flat_tariff
from fare.core.tariff.pricing import price
from fare.core.tariff.state import RiderState

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEYS = {1: KEY.public_key()}
UID = bytes.fromhex("04a1b2c3d4e5f6")
AID = bytes.fromhex("f54d43")
NOW_S = 1795305600
TODAY = 2517
ISSUED = CardEntitlement(1, 1, AID, 7, UID, 2, 100_000, 0, 0, 0, 0, 4000, (), NOW_S - 100)
FARE = 35_000
TARIFF = flat_tariff(
    1, "flat", {0: FareProduct("adult", "adult", FARE), 1: FareProduct("student", "student", 10_000)}
)
DEVICES = {
    17: DeviceConfiguration(3, "3", 1, "bus-7"),
    18: DeviceConfiguration(3, "3", 1, "bus-7", exit=True),
    40: DeviceConfiguration(4, "4", 1, "bus-8"),
}


def bundle_with(**changes: Any) -> Bundle:
    plain = Bundle(
        BundleVersion(bytes(8), 1), NOW_S, "urmia", "Asia/Tehran", 14400, 1, ((0, TARIFF),), {}, {}, {},
        devices=DEVICES,
    )  # fmt: skip
    return replace(plain, **changes)


def decide(
    issued: CardEntitlement = ISSUED,
    *,
    spent: int = 0,
    bundle: Bundle | None = None,
    record: bytes | None = None,
    device: int = 17,
    at_s: int = NOW_S,
) -> Charge | AlreadyPaid | Refused:
    newest = card_record.first_record(NOW_S - 50) if record is None else record
    view = CardView(UID, AID, entitlement.sign(issued, KEY), newest, spent)
    bundle, place = bundle or bundle_with(), DEVICES[device]
    kind = TapKind.OFF if place.exit else TapKind.ON
    boarding = Boarding(device, 5, at_s, place.line, place.area, place.vehicle, kind)
    return decide_card(view, boarding, bundle, KEYS)


def test_a_good_card_is_charged_and_its_record_says_so() -> None:
    charge = decide(spent=FARE)
    assert isinstance(charge, Charge)
    assert charge.price.amount == FARE
    assert charge.balance_after_rial == 100_000 - 2 * FARE
    record = card_record.decode(charge.record)
    assert (record.validator, record.seq, record.line, record.area) == (17, 5, 3, 1)
    assert (record.fare_rial, record.spent_after_rial, record.entitlement_version) == (FARE, 2 * FARE, 2)
    assert charge.delivered is None


def test_the_balance_must_cover_the_fare_to_the_rial() -> None:
    assert isinstance(decide(spent=100_000 - FARE), Charge)
    refused = decide(spent=100_000 - FARE + 1)
    assert refused == Refused(Reason.INSUFFICIENT_BALANCE, 7, FARE - 1)


def test_overdraft_allows_exactly_what_the_ledger_signed() -> None:
    generous = replace(ISSUED, overdraft_rial=FARE)
    assert isinstance(decide(generous, spent=100_000), Charge)
    assert isinstance(decide(generous, spent=100_001), Refused)


def test_a_newer_entitlement_is_delivered_and_counts_at_once() -> None:
    newer = entitlement.sign(replace(ISSUED, version=3, loaded_total_rial=200_000), KEY)
    charge = decide(spent=100_000, bundle=bundle_with(entitlements={7: newer}))
    assert isinstance(charge, Charge)
    assert charge.delivered == newer
    assert card_record.decode(charge.record).entitlement_version == 3


def test_an_older_or_foreign_entitlement_in_the_bundle_changes_nothing() -> None:
    older = entitlement.sign(replace(ISSUED, version=1, loaded_total_rial=200_000), KEY)
    foreign = entitlement.sign(replace(ISSUED, version=9, serial=8, loaded_total_rial=900_000), KEY)
    for waiting in (older, foreign):
        assert decide(spent=100_000, bundle=bundle_with(entitlements={7: waiting})) == Refused(
            Reason.INSUFFICIENT_BALANCE, 7, 0
        )


def test_a_concession_is_priced_until_its_last_day() -> None:
    student = replace(ISSUED, rider_category=1, category_expires_day=TODAY)
    charge = decide(student)
    assert isinstance(charge, Charge)
    assert charge.price.amount == 10_000
    lapsed = decide(replace(student, category_expires_day=TODAY - 1))
    assert isinstance(lapsed, Charge)
    assert lapsed.price.amount == FARE


def test_blocked_expired_and_forged_cards_are_refused() -> None:
    blocked = card_record.CardRecord(0, 0, NOW_S, 0, 0, 0, 0, 2, blocked=True).encode()
    assert decide(record=blocked) == Refused(Reason.CARD_BLOCKED, 7, 100_000)
    assert decide(replace(ISSUED, expires_day=TODAY - 1)) == Refused(Reason.CARD_EXPIRED, 7, 100_000)
    assert isinstance(decide(replace(ISSUED, expires_day=TODAY)), Charge)
    view = CardView(UID, AID, bytes(128), card_record.first_record(NOW_S), 0)
    assert decide_card(view, Boarding(1, 1, NOW_S, 0, 0), bundle_with(), KEYS) == Refused(
        Reason.BAD_ENTITLEMENT
    )


def test_a_denied_card_is_to_be_blocked_without_a_ride() -> None:
    denying = bundle_with(
        denied_cards=frozenset({7}), entitlements={7: entitlement.sign(replace(ISSUED, version=3), KEY)}
    )
    before = card_record.CardRecord(
        3, 9, NOW_S - 60, 1, 1, FARE, FARE, 2, rider_state=b"transfr", on_pass=True
    )
    refused = decide(bundle=denying, spent=FARE, record=before.encode())
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.serial) == (Reason.CARD_DENIED, 7)
    assert refused.block_record is not None
    block = card_record.decode(refused.block_record)
    # The state of the ride before is measured from that ride's time, which the block does not have.
    assert block == card_record.CardRecord(17, 5, NOW_S, 3, 1, 0, FARE, 2, blocked=True)
    # What the block wrote is refused by a bus that has not heard of the denial, and written once.
    assert decide(record=refused.block_record) == Refused(Reason.CARD_BLOCKED, 7, 100_000)
    assert decide(bundle=denying, record=refused.block_record) == Refused(Reason.CARD_DENIED, 7)
    # Nothing is written over a record of an unknown layout.
    assert decide(bundle=denying, record=b"\x20" + bytes(31)) == Refused(Reason.CARD_DENIED, 7)


def test_a_desk_lifts_a_block_by_another_record() -> None:
    lifted = card_record.record_without_ride(
        blocked=False, validator=0, seq=0, at_s=NOW_S + 60, spent_rial=FARE, entitlement_version=2
    )
    assert isinstance(decide(record=lifted, spent=FARE), Charge)


def test_a_pass_rides_from_its_first_day_to_its_last_without_a_debit() -> None:
    month = Pass(product=4, first_day=TODAY, last_day=TODAY + 29)
    on_pass = decide(replace(ISSUED, passes=(month,), loaded_total_rial=0), spent=1)
    assert isinstance(on_pass, Charge), "a pass needs no balance"
    assert (on_pass.price.amount, on_pass.price.rule, on_pass.price.product_id) == (0, "pass", "pass-4")
    record = card_record.decode(on_pass.record)
    assert (record.on_pass, record.fare_rial, record.spent_after_rial) == (True, 0, 1)
    for passes in (
        (replace(month, first_day=TODAY + 1),),
        (replace(month, first_day=TODAY - 30, last_day=TODAY - 1),),
        (replace(month, rides=10),),  # nothing counts its rides
    ):
        paid = decide(replace(ISSUED, passes=passes))
        assert isinstance(paid, Charge)
        assert (paid.price.amount, paid.on_pass) == (FARE, False)
        assert not card_record.decode(paid.record).on_pass
    second = decide(
        replace(
            ISSUED,
            passes=(
                replace(month, last_day=TODAY - 1, first_day=1),
                replace(month, product=9, last_day=TODAY),
            ),
        )
    )
    assert isinstance(second, Charge)
    assert second.price.product_id == "pass-9"


def test_a_pass_that_waits_in_the_bundle_rides_at_once() -> None:
    newer = replace(ISSUED, version=3, loaded_total_rial=0, passes=(Pass(4, TODAY, TODAY),))
    charge = decide(bundle=bundle_with(entitlements={7: entitlement.sign(newer, KEY)}))
    assert isinstance(charge, Charge)
    assert (charge.price.amount, charge.delivered is None) == (0, False)


def test_a_record_of_an_unknown_layout_is_not_guessed_at() -> None:
    assert decide(record=b"\x20" + bytes(31)) == Refused(Reason.BAD_ENTITLEMENT, 7, 100_000)


def test_a_phone_pays_as_the_base_category_for_each_person() -> None:
    entitlement_read = PhoneEntitlement(
        b"\x02", NOW_S + 60, NOW_S, bytes(8), bytes(32), False, 1, 9, FARE, b""
    )
    ticket = PhoneTicket(entitlement_read, NOW_S, ctr=1, pax=3, challenge=None, raw=b"")
    context = ticket_context(TARIFF, ticket, Boarding(17, 5, NOW_S, 3, 1, "bus-7"))
    assert (context.medium, context.rider_category, context.pax) == (None, None, 3)
    assert (context.at_s, context.vehicle) == (NOW_S, "bus-7")
    cost, _ = price(TARIFF, RiderState(), context)
    assert cost.amount == 3 * FARE == ticket.held_rial


def test_paper_is_one_person_without_a_concession() -> None:
    paper = PaperTicket(b"\x01", NOW_S + 60, NOW_S, bytes(8), 1, 35_000, "bus-12", b"")
    named = replace(TARIFF, media={FareMedium.PAPER: "strip"}, lines={3: "r3"}, areas={1: "north"})
    context = ticket_context(named, paper, Boarding(17, 5, NOW_S, 3, 1))
    assert (context.medium, context.route, context.area) == ("strip", "r3", "north")
    assert (context.rider_category, context.pax, context.category_valid) == (None, 1, True)
