"""Virtual chips in memory, laid before a validator without a folder or a reader: for loops of many."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from fare.core.card_record import first_record
from fare.core.desfire.application import personalise, run
from fare.core.desfire.keys import CardKeys
from hardware.emulator.card import VirtualCard
from readers.shown import Shown
from tests.readers.bus import NOW_S, Bus, Issuer

Transmit = Callable[[bytes], bytes]


@dataclass
class Presented:
    """Anything that answers APDUs, in the field of the reader."""

    card: Transmit
    atr: bytes = bytes.fromhex("3b8180018080")

    def transmit(self, apdu: bytes) -> bytes:
        return self.card(apdu)

    def close(self) -> None:
        """Out of the field."""


def present(bus: Bus, transmit: Transmit) -> Shown:
    """What the validator of `bus` says to it."""
    return bus.process._validator.present_card(Presented(transmit))


def chip_with(issuer: Issuer, serial: int, entitlement: bytes | None = None) -> VirtualCard:
    """A chip personalised with this issuer's keys, holding what it likes in place of its entitlement."""
    uid = b"\x04" + serial.to_bytes(6, "big")
    issuer.uids[serial] = uid
    chip = VirtualCard.factory(uid)
    chip.power(True)
    content = issuer.entitlement(serial) if entitlement is None else entitlement
    keys = CardKeys.for_card(issuer.masters, uid)
    draw = random.Random(serial)
    run(personalise(keys, uid, content, first_record(NOW_S), lambda: draw.randbytes(16)), chip.transmit)
    return put_back(chip)


def put_back(chip: VirtualCard) -> VirtualCard:
    """Out of the field and into it again."""
    chip.power(False)
    chip.power(True)
    return chip
