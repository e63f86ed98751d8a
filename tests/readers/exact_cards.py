"""Cards in every state that a tap can meet, validators whose power can fail at any step, and what the ledger
would make of their journals. For `test_exactly_once`.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from fare.core.bundle import DeviceConfiguration
from fare.core.card_record import CardRecord, first_record
from fare.core.desfire.application import commit, open_card, personalise, run, stage
from fare.core.desfire.keys import CardKeys, CardMasters, ValidatorKeys
from fare.core.desfire.layout import AID, VALUE_UPPER_LIMIT
from fare.core.desfire.transaction_mac import OUR_READING, Reading
from fare.core.entitlement import Pass, day_number
from fare.core.proof.card import tap_tmi, verify_commit
from fare.core.tap import Tap
from fare.core.tariff.model import FareProduct, flat_tariff
from hardware.emulator.card import VirtualCard
from hardware.emulator.files import TransactionMacFile, ValueFile
from hardware.emulator.state import CardState
from readers.bundles import Bundles
from readers.journal import Journal
from readers.shown import Shown
from readers.validation import Validator
from tests.readers.bus import EPOCH, FARE_RIAL, LOADED_RIAL, NOW_S, SYSTEM_ID, Disk, Issuer, ManualClock
from tests.readers.chips import Presented

SERIAL = 1001
UID = b"\x04" + SERIAL.to_bytes(6, "big")
HERE, THERE, ELSEWHERE = 7, 8, 9
TODAY = day_number(date(2026, 11, 18))
RIDER_STATE = b"transfr"


class PowerCut(BaseException):
    """The validator loses its power at this very step: nothing of it runs any further."""


class Cut(StrEnum):
    """What happens at the chosen APDU."""

    FIELD_BEFORE = "field before"
    FIELD_AFTER = "field after"
    REPLY_LOST = "reply lost"
    REPLY_CHANGED = "reply changed"
    POWER_BEFORE = "power before"
    POWER_AFTER = "power after"


@dataclass
class Torn:
    """A card in the field whose `nth` APDU meets its `cut`; `byte` of a changed reply is flipped."""

    chip: VirtualCard
    cut: Cut | None = None
    nth: int = 0
    byte: int = 0
    sent: list[int] = field(default_factory=list[int])
    gone: bool = False

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu[1])
        if self.gone:
            return b""
        if len(self.sent) != self.nth or self.cut is None:
            return self.chip.transmit(apdu)
        if self.cut is Cut.POWER_BEFORE:
            raise PowerCut
        self.gone = self.cut in (Cut.FIELD_BEFORE, Cut.FIELD_AFTER)
        reply = b"" if self.cut is Cut.FIELD_BEFORE else self.chip.transmit(apdu)
        if self.cut is Cut.POWER_AFTER:
            raise PowerCut
        if self.cut is Cut.REPLY_CHANGED:
            changed = bytearray(reply)
            changed[self.byte % len(changed)] ^= 0x40
            return bytes(changed)
        return b""


@dataclass(frozen=True)
class CardCase:
    """A card, and the world it is presented in. `fare_rial` None: it is refused, whatever happens."""

    name: str
    card: CardState
    fare_rial: int | None
    apdus: int
    bundle: bytes
    keys: ValidatorKeys
    masters: CardMasters
    reading: Reading = OUR_READING
    blocks: bool = False

    def chip(self) -> VirtualCard:
        """A fresh copy of it."""
        return VirtualCard(self.card)


class Stand:
    """One validator over a journal that outlives it."""

    def __init__(self, case: CardCase, issuer: Issuer, folder: Path, device: int, clock: ManualClock) -> None:
        self._case, self._issuer, self._folder, self._device = case, issuer, folder, device
        self.clock = clock
        self._start()

    def _start(self) -> None:
        self.journal = Journal(self._folder, self._device, secrets.token_bytes)
        # The process dies here, not the disk: what the disk keeps of a power cut is the journal's own test.
        self.journal._db.execute("PRAGMA synchronous=OFF")
        bundles = Bundles(self.journal, self._device, {1: self._issuer.bundle_key.public_key()})
        if bundles.current is None:
            bundles.offer(self._case.bundle)
        self._validator = Validator(
            keys=self._case.keys,
            journal=self.journal,
            bundles=bundles,
            clock=self.clock,
            random_bytes=secrets.token_bytes,
            storage=Disk(),
            reading=self._case.reading,
        )

    def power_cycle(self) -> None:
        """Everything in memory is gone; the journal is what the disk has."""
        self.journal.close()
        self._start()

    def present(self, torn: Torn) -> Shown | None:
        """Lay the card on the reader and take it away; None when the power failed before any lamp."""
        torn.chip.power(True)
        try:
            return self._validator.present_card(Presented(torn.transmit))
        except PowerCut:
            return None
        finally:
            torn.chip.power(False)

    def fail_at(self, row: str, *, written: bool) -> None:
        """Lose the power at the next INTENT or OUTCOME row, before or after it is on the disk."""
        write = cast("Callable[[Tap], None]", getattr(self.journal, row))

        def cut(tap: Tap) -> None:
            if written:
                write(tap)
            raise PowerCut

        setattr(self.journal, row, cut)

    def taps_after(self, seq: int) -> list[Tap]:
        """What was journalled after tap `seq`."""
        taps = (self.journal.tap(n) for n in itertools.count(seq + 1))
        return [tap for tap in itertools.takewhile(lambda tap: tap is not None, taps) if tap is not None]


def spent(chip: VirtualCard) -> int:
    """What the chip itself says was ever debited."""
    value = chip.state.applications[AID].files[2]
    assert isinstance(value, ValueFile)
    return VALUE_UPPER_LIMIT - value.value


def counter(chip: VirtualCard) -> int:
    """How often the chip committed."""
    proofs = chip.state.applications[AID].files[0x0F]
    assert isinstance(proofs, TransactionMacFile)
    return proofs.tmc


def proven(case: CardCase, issuer: Issuer, taps: list[Tap]) -> set[int]:
    """The transaction counters that the ledger can prove from these taps alone."""
    tm_key = CardKeys.for_card(case.masters, UID, case.masters.version).tm
    proofs = {e.previous.tmc: e.previous for t in taps if (e := t.card) is not None}
    proofs |= {e.proof.tmc: e.proof for t in taps if (e := t.card) is not None and e.proof is not None}
    found: set[int] = set()
    for tap in taps:
        evidence = tap.card
        if evidence is None or evidence.record_written is None:
            continue
        proof = proofs.get(evidence.previous.tmc + 1)
        read = issuer.entitlements[SERIAL, evidence.entitlement_version]
        delivered = evidence.delivered_version
        written = None if delivered is None else issuer.entitlements[SERIAL, delivered]
        tmi = tap_tmi(evidence, read, written, case.reading)
        if proof is not None and verify_commit(tm_key, UID, tmi, proof):
            found.add(proof.tmc)
    return found


def card_cases(issuer: Issuer) -> list[CardCase]:
    """Every state of a card, each with the world that makes it what it is."""
    issuer.uids[SERIAL] = UID
    old = issuer.masters
    new = replace(old, version=2, k0=bytes(16), k1=b"\x22" * 16, k2=b"\x23" * 16, picc=b"\x24" * 16)
    k1_only = ValidatorKeys({1: old.k1}, SYSTEM_ID)
    two = ValidatorKeys({1: old.k1, 2: new.k1}, SYSTEM_ID)
    paid = issuer.entitlement(SERIAL)
    monthly = issuer.entitlement(SERIAL, version=3, loaded=0, passes=(Pass(4, TODAY, TODAY + 90),))
    newer = issuer.entitlement(SERIAL, version=2, loaded=LOADED_RIAL + 100_000)
    plain = _card(old, paid)
    blocked = CardRecord(ELSEWHERE, 5, NOW_S, 1, 1, 0, 0, 1, blocked=True).encode()
    transfer = CardRecord(ELSEWHERE, 5, NOW_S, 1, 1, 0, 0, 1, rider_state=RIDER_STATE).encode()
    free = flat_tariff(2, "free", {0: FareProduct("adult", "adult", 0)})

    def case(name: str, card: CardState, fare_rial: int | None, apdus: int, **more: Any) -> CardCase:
        devices = {n: DeviceConfiguration(12, "خط ۱۲", 3, f"bus-{n}") for n in (HERE, THERE)}
        bundle = issuer.bundle(epoch=EPOCH, devices=devices, **more.pop("world", {}))
        ring: dict[str, Any] = {"keys": k1_only, "masters": old} | more
        return CardCase(name, card, fare_rial, apdus, bundle, **ring)

    denied = {"denied_cards": frozenset({SERIAL})}
    return [
        case("purse", plain, FARE_RIAL, 11),
        case("pass", _card(old, monthly), 0, 10),
        case("free transfer", _written(old, plain, transfer), 0, 10, world={"tariffs": ((0, free),)}),
        case("blocked", _written(old, plain, blocked), None, 8),
        case("denied", plain, None, 10, world=denied, blocks=True),
        case("denied and blocked", _written(old, plain, blocked), None, 8, world=denied),
        case("entitlement waiting", plain, FARE_RIAL, 12, world={"entitlements": {SERIAL: newer}}),
        case("torn elsewhere", _torn_elsewhere(old, plain), FARE_RIAL, 11),
        case("before its key roll", plain, FARE_RIAL, 12, keys=two),
        case("after its key roll", _card(new, paid), FARE_RIAL, 12, keys=two, masters=new),
        case("abort switch", plain, FARE_RIAL, 12, reading=Reading(abort_after_reads=True)),
    ]


def _card(masters: CardMasters, entitlement: bytes) -> CardState:
    chip = VirtualCard.factory(UID)
    chip.power(True)
    keys = CardKeys.for_card(masters, UID, masters.version)
    content = personalise(keys, UID, entitlement, first_record(NOW_S), lambda: secrets.token_bytes(16))
    run(content, chip.transmit)
    return chip.state


def _written(masters: CardMasters, card: CardState, record: bytes, debit_rial: int = 0) -> CardState:
    chip = VirtualCard(card)
    chip.power(True)
    keys = ValidatorKeys({masters.version: masters.k1}, SYSTEM_ID)
    opened = run(open_card(keys, lambda: secrets.token_bytes(16)), chip.transmit)
    run(stage(opened, debit_rial, record, None), chip.transmit)
    run(commit(opened), chip.transmit)
    return chip.state


def _torn_elsewhere(masters: CardMasters, card: CardState) -> CardState:
    ride = CardRecord(ELSEWHERE, 5, NOW_S, 1, 1, FARE_RIAL, FARE_RIAL, 1).encode()
    return _written(masters, card, ride, FARE_RIAL)
