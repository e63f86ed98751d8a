"""A1: a UID, a Classic, a card that does not authenticate, data no card authenticated. None of them rides."""

from __future__ import annotations

import random

from fare.core.desfire.layout import VALUE_UPPER_LIMIT
from hardware.emulator.kinds import ChipKind
from hardware.emulator.other_chips import OtherChip
from hardware.emulator.state import CardState
from readers.shown import Lamp
from tests.readers.bus import LOADED_RIAL, Bus, Issuer
from tests.readers.chips import Transmit, chip_with, present, put_back
from tests.readers.conftest import bus, cards, issuer

__all__ = ["bus", "cards", "issuer"]

STRANGERS = 1_000
UID_ANSWER = b"\x04" + (1001).to_bytes(6, "big") + b"\x90\x00"
GET_VALUE = 0x6C
UNTIL_PROVEN = {0xCA, 0x5A, 0x71, 0xAF, 0x64}
"""UID, SelectApplication, the two steps of authentication and, of a card that refuses our key, the generation
of its keys: all that a stranger is ever asked."""


def plain(draw: random.Random) -> Transmit:
    """A UID, and one answer to whatever is asked: Classic, Ultralight, bank cards, bare UIDs, random UIDs."""
    uid = draw.randbytes(draw.choice((4, 7, 7, 10))) + b"\x90\x00"
    status = draw.choice((b"\x6a\x81", b"\x6e\x00", b"\x91\xa0", b"\x91\x00", b"\x91\xaf", b"\x90\x00", b""))
    answer = draw.randbytes(draw.choice((0, 0, 1, 8, 16, 32))) + status
    return lambda apdu: uid if apdu[:2] == b"\xff\xca" else answer


def talkative(draw: random.Random) -> Transmit:
    """The UID of a card of ours, and well-formed answers that no key made."""
    sizes = {0x5A: 0, 0x71: 16, 0xAF: 32, 0xAD: 136, 0xAB: 40, 0x6C: 12, 0xC7: 20}

    def transmit(apdu: bytes) -> bytes:
        if apdu[:2] == b"\xff\xca":
            return UID_ANSWER
        return draw.randbytes(sizes.get(apdu[1], 8)) + (b"\x91\xaf" if apdu[1] == 0x71 else b"\x91\x00")

    return transmit


def other_chip(draw: random.Random) -> Transmit:
    """A chip of another kind, or a blank one."""
    kind = draw.choice([kind for kind in ChipKind if not kind.is_desfire])
    return OtherChip(CardState(draw.randbytes(kind.uid_bytes), kind=kind)).transmit


def test_of_a_thousand_cards_that_are_not_genuine_none_rides(bus: Bus) -> None:
    bus.process.journal._db.execute("PRAGMA synchronous=OFF")  # a thousand refusals, none of them at stake
    draw = random.Random(1)
    foreign = Issuer()
    for n in range(STRANGERS):
        # Every tenth is a whole card of another system, under a UID of ours.
        kind = draw.choice((plain, talkative, other_chip))
        transmit = kind(draw) if n % 10 else chip_with(foreign, 1001).transmit
        asked: set[int] = set()

        def watched(apdu: bytes, transmit: Transmit = transmit, asked: set[int] = asked) -> bytes:
            asked.add(apdu[1])
            return transmit(apdu)

        shown = present(bus, watched)
        assert shown.lamp is not Lamp.GREEN
        assert shown.reason in {"not_our_card", "card_not_genuine", "held_too_short"}
        assert asked <= UNTIL_PROVEN, "nothing is read from a card that has not proven itself"
    assert not [tap for tap in bus.journalled() if tap.card is not None or tap.fare_rial]


def test_a_card_with_an_edited_entitlement_does_not_ride(bus: Bus) -> None:
    """Written with the validator's own key, which may write file 01."""
    issuer = bus.issuer
    chip_with(issuer, 1002)
    true, others = issuer.entitlement(1001), issuer.entitlement(1002, loaded=4_000_000)
    richer = bytearray(true)
    richer[22:26] = (4_000_000).to_bytes(4, "little")
    mine = Issuer()
    mine.uids[1001] = issuer.uids[1001]
    for edited in (bytes(richer), others, mine.entitlement(1001, loaded=4_000_000), bytes(128)):
        shown = present(bus, chip_with(issuer, 1001, edited).transmit)
        assert (shown.lamp, shown.reason) == (Lamp.RED, "bad_entitlement")


def test_a_balance_that_somebody_in_the_middle_lifts_does_not_ride(bus: Bus) -> None:
    """The genuine, empty card authenticates; what it then says of its purse is replaced on the way."""
    chip = chip_with(bus.issuer, 1001)
    while present(bus, chip.transmit).lamp is Lamp.GREEN:
        put_back(chip)

    def lifted(apdu: bytes) -> bytes:
        answer = chip.transmit(apdu)
        full = VALUE_UPPER_LIMIT.to_bytes(4, "little", signed=True)
        return full + answer[4:] if apdu[1] == GET_VALUE else answer

    put_back(chip)
    shown = present(bus, lifted)
    assert (shown.lamp, shown.reason) == (Lamp.RED, "card_not_genuine")
    put_back(chip)
    assert present(bus, chip.transmit).reason == "insufficient_balance"
    assert sum(tap.fare_rial for tap in bus.journalled()) == LOADED_RIAL
