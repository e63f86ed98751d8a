"""What the application refuses before it says a word to the card."""

from __future__ import annotations

import pytest

from fare.core.desfire.application import OpenCard, open_card, personalise, run, stage
from fare.core.desfire.errors import NotACardOfThisSystem
from fare.core.desfire.keys import CardKeys, CardMasters, ValidatorKeys
from fare.core.desfire.messaging import Ev2Session
from fare.core.proof.card import CommitProof

UID = bytes.fromhex("04A1B2C3D4E5F6")
KEYS = CardKeys.for_card(CardMasters(*[bytes([n]) * 16 for n in range(5)], system_id=b"mancard-test"), UID)
SESSION = Ev2Session(bytes(4), 4, bytes(16), bytes(16))
CARD = OpenCard(UID, SESSION, bytes(128), CommitProof(1, bytes(8)), bytes(32), 0, 1)


def silent(_: bytes) -> bytes:
    pytest.fail("nothing may be sent")


@pytest.mark.parametrize(
    ("debit_rial", "record", "entitlement"),
    [
        (-1, bytes(32), None),
        (2**31, bytes(32), None),
        (0, bytes(31), None),
        (0, bytes(33), None),
        (0, bytes(32), bytes(127)),
        (0, bytes(32), b""),
    ],
)
def test_a_tap_the_card_cannot_hold_is_refused_before_it_is_sent(
    debit_rial: int, record: bytes, entitlement: bytes | None
) -> None:
    with pytest.raises(ValueError, match="a card"):
        run(stage(CARD, debit_rial, record, entitlement), silent)
    assert SESSION.alive


@pytest.mark.parametrize(("entitlement", "record"), [(bytes(127), bytes(32)), (bytes(128), bytes(31))])
def test_a_personalisation_of_a_wrong_size_is_refused_before_it_is_sent(
    entitlement: bytes, record: bytes
) -> None:
    with pytest.raises(ValueError, match="a card takes"):
        run(personalise(KEYS, UID, entitlement, record, lambda: bytes(16)), silent)


def test_a_personalisation_checks_which_card_lies_on_the_reader() -> None:
    with pytest.raises(NotACardOfThisSystem, match="another card"):
        run(
            personalise(KEYS, UID, bytes(128), bytes(32), lambda: bytes(16)), lambda _: bytes(7) + b"\x90\x00"
        )


@pytest.mark.parametrize(
    "version",
    ["04080130001305", "04010101001605", "05010133001a05"],
    ids=["DESFire Light", "DESFire EV1", "another vendor"],
)
def test_another_chip_is_not_personalised(version: str) -> None:
    answers = iter((UID + b"\x90\x00", b"\x91\x00", bytes.fromhex(version) + bytes(21) + b"\x91\x00"))
    with pytest.raises(NotACardOfThisSystem, match="EV2 or EV3"):
        run(personalise(KEYS, UID, bytes(128), bytes(32), lambda: bytes(16)), lambda _: next(answers))


def test_a_card_that_is_no_desfire_is_refused() -> None:
    answers = iter((UID + b"\x90\x00", b"\x6d\x00"))
    with pytest.raises(NotACardOfThisSystem, match="DESFire"):
        run(
            open_card(ValidatorKeys({1: bytes(16)}, b"mancard-test"), lambda: bytes(16)),
            lambda _: next(answers),
        )
