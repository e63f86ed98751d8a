"""A fresh chip becomes a card of ours, over real APDUs against the virtual card."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine

from fare.core import card_record, entitlement
from fare.core.desfire import application, layout
from fare.core.proof.card import personalisation_tmi, verify_commit
from fare.database.engine import read, write
from fare.desk import personalise_card
from fare.issuing import (
    IssuingRefusal,
    IssuingRefused,
    card_identities,
    card_written,
    cards,
    denied,
    deny_card,
    entitlements_waiting,
    register_card,
)
from fare.issuing.cards import ISSUING_TERMINAL
from fare.keys import LedgerKeys
from fare.ledger import balance
from hardware.emulator.card import VirtualCard
from tests.issuing.build import AT, UID, a_card


def a_chip(uid: bytes = UID) -> VirtualCard:
    chip = VirtualCard.factory(uid)
    chip.power(True)
    return chip


def opened(chip: VirtualCard, keys: LedgerKeys) -> application.OpenCard:
    """The card as a validator sees it, with the one key that a validator has."""
    validator = keys.validator_keys
    return application.run(application.open_card(validator, lambda: bytes(range(16))), chip.transmit)


def test_a_personalised_card_opens_with_the_validators_key(engine: Engine, keys: LedgerKeys) -> None:
    chip = a_chip()
    with write(engine) as session:
        serial = personalise_card(
            session, keys, uid=UID, transmit=chip.transmit, now=AT, rider_category=1, issuer=9
        )
    card = opened(chip, keys)
    found = entitlement.verify(
        card.entitlement, {keys.card_issuer.kid: keys.card_issuer.public}, uid=UID, aid=layout.AID
    )
    assert not isinstance(found, entitlement.EntitlementFault)
    assert (found.serial, found.version, found.loaded_total_rial, found.rider_category, found.issuer) == (
        serial, 1, 0, 1, 9,
    )  # fmt: skip
    assert card.spent == 0
    assert card.previous.tmc == 1
    assert card_record.decode(card.newest_record).validator == 0


def test_the_ledger_can_check_the_first_proof(engine: Engine, keys: LedgerKeys) -> None:
    chip = a_chip()
    with write(engine) as session:
        serial = personalise_card(session, keys, uid=UID, transmit=chip.transmit, now=AT)
        identity = card_identities(session, keys, [serial, 999])
    card = opened(chip, keys)
    assert set(identity) == {serial}
    tmi = personalisation_tmi(card.entitlement, card.newest_record)
    assert verify_commit(identity[serial].tm_key, identity[serial].uid, tmi, card.previous)
    assert identity[serial].tm_key.hex() not in repr(identity)


def test_a_first_load_is_a_paid_order_that_waits_for_the_first_tap(engine: Engine, keys: LedgerKeys) -> None:
    chip = a_chip()
    with write(engine) as session:
        serial = personalise_card(
            session, keys, uid=UID, transmit=chip.transmit, now=AT, first_load_rial=200_000
        )
    with read(engine) as session:
        waiting = entitlement.decode(entitlements_waiting(session)[serial])
        assert balance(session, f"stored_value:card:{serial}") == -200_000
        assert balance(session, f"psp_receivable:{ISSUING_TERMINAL}") == 200_000
    assert (waiting.version, waiting.loaded_total_rial) == (2, 200_000)
    assert entitlement.decode(opened(chip, keys).entitlement).version == 1


def test_a_chip_is_issued_once(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        serial = register_card(session, keys, uid=UID, now=AT)
        assert register_card(session, keys, uid=UID, now=AT) == serial
        card_written(session, serial, AT.date())
    with pytest.raises(IssuingRefused) as caught, write(engine) as session:
        register_card(session, keys, uid=UID, now=AT)
    assert caught.value.reason is IssuingRefusal.ALREADY_ISSUED


def test_serials_are_dense(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        assert [a_card(session, keys, n) for n in range(4)] == [1, 2, 3, 4]
        assert [card.serial for card in cards(session)] == [1, 2, 3, 4]


def test_a_card_has_the_terms_it_was_registered_with(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        register_card(
            session, keys, uid=UID, now=AT, rider_category=3, category_expires_on=date(2027, 6, 1),
            overdraft_rial=35_000, expires_on=date(2026, 11, 21),
        )  # fmt: skip
        view = cards(session)[0]
        raw = entitlement.decode(session.connection().exec_driver_sql(
            "SELECT raw FROM ledger_entitlement").scalar_one())  # fmt: skip
    assert (view.rider_category, view.expires_on, view.status) == (3, date(2026, 11, 21), "active")
    assert entitlement.day_of(raw.category_expires_day) == date(2027, 6, 1)
    assert (raw.overdraft_rial, entitlement.day_of(raw.expires_day)) == (35_000, date(2026, 11, 21))


def test_a_denied_card_is_on_the_denylist(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        first, second = a_card(session, keys, 1), a_card(session, keys, 2)
        deny_card(session, second)
        assert denied(session, AT) == ({second}, set())
        deny_card(session, first)
        deny_card(session, first)
        assert denied(session, AT) == ({first, second}, set())


def test_an_unknown_card_is_refused(engine: Engine) -> None:
    with pytest.raises(IssuingRefused, match="not issued here"), write(engine) as session:
        deny_card(session, 77)
