"""The SAM key store against the virtual module, which was written from the sources, not from this driver."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

import pytest

from fare.core.desfire import application
from fare.core.desfire.application import OpenCard, open_card, run
from fare.core.desfire.errors import AuthenticationFailed, CardNotGenuine, NotACardOfThisSystem
from fare.core.desfire.keys import KeyNotHeld, KeyPurpose, KeySealed
from fare.core.errors import OperatorError
from fare.core.kit import Kit, SamKeys
from hardware.emulator.reader import InProcessReader
from hardware.emulator.sam import KeyEntry, VirtualSam
from readers.keystores.sam import SamKeyStore, SamRefused
from readers.kit import read_kit
from tests.readers.bus import SYSTEM_ID, Issuer

UNLOCK, HOST = b"U" * 16, b"H" * 16


@dataclass
class Slot:
    """A module in its slot, and a clock."""

    sam: VirtualSam
    store: SamKeyStore
    now_s: list[float]

    def unlock(self) -> None:
        self.store.unlock(0, 0, UNLOCK, for_s=3600)
        self.store.authenticate_host(1, 0, HOST)


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    made = Issuer()
    made.make_card(tmp_path, "one", 1001)
    return made


@pytest.fixture
def slot(issuer: Issuer) -> Slot:
    entries = {
        0: KeyEntry({0: UNLOCK}),
        1: KeyEntry({0: HOST}),
        20: KeyEntry({1: issuer.masters.k1}, picc=True, dump=True),
    }
    sam = VirtualSam(entries, 0)
    now_s = [1000.0]
    store = SamKeyStore(
        SamKeys("slot", {1: 20}, SYSTEM_ID), sam.transmit, secrets.token_bytes, lambda: now_s[0]
    )
    return Slot(sam, store, now_s)


def opened(slot: Slot, folder: Path) -> OpenCard:
    reader = InProcessReader(folder)
    reader.place("one")
    try:
        link = reader.wait_for_card(1)
        assert link is not None
        return run(open_card(slot.store, lambda: bytes(16)), link.transmit)
    finally:
        reader.remove()


def test_a_card_is_opened_and_tapped_without_its_key(slot: Slot, issuer: Issuer, tmp_path: Path) -> None:
    slot.unlock()
    slot.sam.commands.clear()
    reader = InProcessReader(tmp_path)
    reader.place("one")
    link = reader.wait_for_card(1)
    assert link is not None
    card = run(open_card(slot.store, lambda: bytes(16)), link.transmit)
    assert card.uid == issuer.uids[1001]
    run(application.stage(card, 5_000, bytes(32), None), link.transmit)
    proof = run(application.commit(card), link.transmit)
    assert proof.tmc == card.previous.tmc + 1
    assert slot.sam.commands == [0x0A, 0x0A, 0xD5], "three commands of the module a tap"


def test_no_key_is_revealed_and_no_purpose_but_k1_held(slot: Slot) -> None:
    key = slot.store.key(KeyPurpose.VALIDATOR, 1, bytes(7))
    with pytest.raises(KeySealed):
        key.reveal()
    for purpose in set(KeyPurpose) - {KeyPurpose.VALIDATOR}:
        with pytest.raises(KeyNotHeld):
            slot.store.key(purpose, 1, bytes(7))
    with pytest.raises(KeyNotHeld):
        slot.store.key(KeyPurpose.VALIDATOR, 2, bytes(7))


def test_it_serves_only_while_unlocked(slot: Slot, issuer: Issuer, tmp_path: Path) -> None:
    with pytest.raises(SamRefused, match="unlocked online"):
        opened(slot, tmp_path)
    with pytest.raises(SamRefused, match="unlock"):
        slot.store.unlock(0, 0, HOST, for_s=3600)
    with pytest.raises(SamRefused, match="accept this host"):
        slot.store.authenticate_host(1, 0, HOST)
    slot.unlock()
    assert opened(slot, tmp_path).uid == issuer.uids[1001]
    slot.now_s[0] += 3600
    with pytest.raises(SamRefused, match="its time is over"):
        opened(slot, tmp_path)
    slot.unlock()
    slot.sam.power_on()
    with pytest.raises(SamRefused, match="6985"):
        opened(slot, tmp_path)


def test_a_card_that_left_half_way_costs_the_next_one_nothing(
    slot: Slot, issuer: Issuer, tmp_path: Path
) -> None:
    slot.unlock()
    key = slot.store.key(KeyPurpose.VALIDATOR, 1, issuer.uids[1001])
    key.handshake(bytes(16)).answer(bytes(16))
    assert opened(slot, tmp_path).uid == issuer.uids[1001]


def test_a_foreign_or_forged_card_is_refused(slot: Slot, issuer: Issuer, tmp_path: Path) -> None:
    slot.unlock()
    handshake = slot.store.key(KeyPurpose.VALIDATOR, 1, issuer.uids[1001]).handshake(bytes(16))
    handshake.answer(bytes(16))
    with pytest.raises(CardNotGenuine):
        handshake.conclude(bytes(32))
    (tmp_path / "other").mkdir()
    Issuer().make_card(tmp_path / "other", "one", 1001)
    with pytest.raises((AuthenticationFailed, CardNotGenuine, NotACardOfThisSystem)):
        opened(slot, tmp_path / "other")
    assert opened(slot, tmp_path).uid == issuer.uids[1001]


def test_a_module_that_is_gone_or_lies_is_told(slot: Slot, tmp_path: Path) -> None:
    answers = {b"": "status none", b"\x90\x00": "9000", bytes(12) + b"\x90\xaf" + b"\x00": "af00"}
    for answer, told in answers.items():
        gone = SamKeyStore(SamKeys("slot", {1: 20}, SYSTEM_ID), lambda _, a=answer: a, bytes, lambda: 0.0)
        with pytest.raises(SamRefused, match=told):
            gone.unlock(0, 0, UNLOCK, for_s=1)
    # One that does not know the unlock key cannot pretend to be unlocked.
    parts = iter([bytes(12) + b"\x90\xaf", bytes(24) + b"\x90\xaf"])
    liar = SamKeyStore(SamKeys("slot", {1: 20}, SYSTEM_ID), lambda _: next(parts), bytes, lambda: 0.0)
    with pytest.raises(SamRefused):
        liar.unlock(0, 0, UNLOCK, for_s=1)


def test_a_kit_that_names_a_module_says_that_none_was_tried(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.generate().public_key()
    kit = Kit(7, "http://127.0.0.1:9", {1: public}, "c" * 32, SamKeys("slot", {1: 20}, SYSTEM_ID))
    for name, text in kit.encode().items():
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(text)
    with pytest.raises(OperatorError, match="none has been tried"):
        read_kit(tmp_path)
