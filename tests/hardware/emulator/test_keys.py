"""Changing keys, key settings and key sets: who may, in which form, and what is left afterwards."""

from __future__ import annotations

import json

import pytest

from hardware.emulator.card import VirtualCard
from hardware.emulator.memory import Fields, card_document, read_card
from hardware.emulator.state import CardKey
from tests.hardware.emulator.card_vectors import raw
from tests.hardware.emulator.conftest import UID
from tests.hardware.emulator.terminal import AID, K0, K1, K2, ZERO_KEY, Terminal

Pair = tuple[VirtualCard, Terminal]
NEW = bytes.fromhex("F3847D627727ED3BC9C4CC050489B966")
PICC = b"\x00\x00\x00"


def test_another_key_changes_with_old_key_and_checksum(fare_card: Pair) -> None:
    _, t = fare_card
    t.open(0, K0)
    t.change_key(1, NEW, K1, 9)
    assert t.maced(0x64, b"\x01") == b"\x09"
    t.open(1, NEW)
    t.select()
    assert t.status(lambda: t.authenticate(1, K1)) == 0xAE


def test_a_wrong_old_key_is_an_integrity_error_and_changes_nothing(fare_card: Pair) -> None:
    _, t = fare_card
    t.open(0, K0)
    assert t.status(lambda: t.change_key(1, NEW, K2)) == 0x1E
    t.open(1, K1)


def test_the_own_key_changes_without_a_mac_and_ends_the_session(fare_card: Pair) -> None:
    _, t = fare_card
    t.open(0, K0)
    t.change_own_key(0, NEW, 3)
    assert t.exchange(0x64, b"\x00") == (b"\x03", 0)  # plain again: no session
    t.authenticate(0, NEW)


@pytest.mark.parametrize(("key_no", "key"), [(1, K1), (2, K2)])
def test_only_the_issuer_key_changes_keys(fare_card: Pair, key_no: int, key: bytes) -> None:
    _, t = fare_card
    t.open(key_no, key)
    assert t.status(lambda: t.change_key(3 - key_no, NEW, ZERO_KEY)) == 0xAE
    t.open(key_no, key)
    assert t.status(lambda: t.change_own_key(key_no, NEW)) == 0xAE


def test_a_key_of_the_wrong_length_or_number(fare_card: Pair) -> None:
    _, t = fare_card
    for header, data, status in (
        (b"\x01", bytes(20), 0x7E),
        (b"\x03", bytes(21), 0x40),
        (b"\x00", bytes(18), 0x7E),
    ):
        t.open(0, K0)
        assert t.status(lambda h=header, d=data: t.full(0xC4, h, d)) == status


def test_the_card_master_key(blank: Pair) -> None:
    card, t = blank
    t.authenticate(0, ZERO_KEY)
    assert t.status(lambda: t.change_own_key(0, NEW)) == 0x9E  # 00 would name a DES key
    t.authenticate(0, ZERO_KEY)
    t.change_own_key(0x80, NEW, 2)
    assert (card.state.picc_key.value, card.state.picc_key.version) == (NEW, 2)
    assert NEW.hex() not in repr(card.state)


@pytest.mark.parametrize(
    ("settings", "with_key", "changes", "status"),
    [
        (0x1F, 1, 2, 0),  # key 1 changes the others
        (0x1F, 0, 2, 0xAE),
        (0x1F, 1, 1, 0xAE),  # but not itself
        (0xEF, 2, 2, 0),  # every key changes itself
        (0xEF, 1, 2, 0xAE),
        (0xFF, 0, 2, 0x9D),  # frozen, except the master key
        (0xFF, 0, 0, 0),
        (0x0E, 0, 0, 0x9D),  # the master key is frozen
        (0x0E, 0, 1, 0),
    ],
)
def test_change_key_rules(blank: Pair, settings: int, with_key: int, changes: int, status: int) -> None:
    _, t = blank
    t.plain(0xCA, AID + bytes([settings, 0x83]))
    t.open(with_key, ZERO_KEY)
    if with_key == changes:
        assert t.status(lambda: t.change_own_key(changes, NEW)) == status
    else:
        assert t.status(lambda: t.change_key(changes, NEW, ZERO_KEY)) == status


def test_key_settings_close_the_card(blank: Pair) -> None:
    card, t = blank
    t.personalise()
    t.select(PICC)
    assert t.plain(0x45) == raw("0F81")
    t.authenticate(0, ZERO_KEY)
    t.full(0x54, b"", b"\x09")
    t.full(0x5C, b"\x00", b"\x01")
    t.select(PICC)
    assert t.exchange(0xCA, raw("010203 0F 81"))[1] == 0xAE
    assert t.exchange(0x6A)[1] == 0xAE
    assert t.exchange(0xDA, AID)[1] == 0xAE
    t.authenticate(0, ZERO_KEY)
    assert t.status(lambda: t.maced(0xFC)) == 0x9D  # formatting is off for ever
    t.authenticate(0, ZERO_KEY)
    t.full(0x5C, b"\x00", b"\x00")
    assert t.status(lambda: t.maced(0xFC)) == 0x9D
    assert card.state.picc_settings == 0x09


def test_frozen_settings_stay(blank: Pair) -> None:
    _, t = blank
    t.authenticate(0, ZERO_KEY)
    t.full(0x54, b"", b"\x01")
    assert t.status(lambda: t.full(0x54, b"", b"\x0f")) == 0x9D


@pytest.mark.parametrize(
    ("option", "data", "status"),
    [
        (0, "02", 0x9E),  # a random UID
        (0, "01", 0),
        (0, "0100", 0x7E),
        (1, "00", 0x7E),
        (1, "00" * 17, 0x7E),
        (1, "00" * 24, 0x7E),
        (1, "00" * 25, 0),
        (1, "00" * 26, 0x7E),
        (2, "00", 0x9E),  # another ATS
        (4, "00" * 25, 0x9E),
    ],
)
def test_configuration(blank: Pair, option: int, data: str, status: int) -> None:
    _, t = blank
    t.authenticate(0, ZERO_KEY)
    assert t.status(lambda: t.full(0x5C, bytes([option]), raw(data))) == status


DEFAULT = K1.ljust(24, b"\x00") + b"\x07"


def test_new_applications_begin_with_the_default_key(blank: Pair) -> None:
    card, t = blank
    t.plain(0xCA, raw("010203 0F 82"))
    t.authenticate(0, ZERO_KEY)
    t.full(0x5C, b"\x01", DEFAULT)
    t.maced(0xCA, AID + raw("09 93 01 00 02 10 00"))
    assert card.state.applications[AID].keys == (CardKey(K1, 7),) * 3
    assert card.state.applications[raw("010203")].keys == (CardKey(),) * 2  # it was there before
    assert card.state.picc_key == CardKey()
    t.open(0, K1)
    assert t.maced(0x64, b"\x02") == b"\x07"
    t.open(1, K1)
    assert t.status(lambda: t.open(0, ZERO_KEY)) == 0xAE
    t.select(PICC)
    t.authenticate(0, ZERO_KEY)
    t.full(0x5C, b"\x01", bytes(25))
    t.maced(0xDA, AID)
    t.maced(0xCA, AID + raw("09 81"))
    t.open(0, ZERO_KEY)


def test_the_default_key_stays_without_power_and_when_the_card_is_formatted(blank: Pair) -> None:
    card, t = blank
    t.authenticate(0, ZERO_KEY)
    t.full(0x5C, b"\x01", DEFAULT)
    t.maced(0xFC)
    assert K1.hex() not in repr(card.state)
    document = json.loads(json.dumps(card_document(card.state)))
    kept = VirtualCard(read_card(Fields(document, "the card")))
    assert kept.state == card.state
    again = Terminal(kept.transmit)
    again.plain(0xCA, AID + raw("09 81"))
    again.open(0, K1)


def test_only_the_cards_master_sets_the_default_key(blank: Pair) -> None:
    card, t = blank
    assert t.exchange(0x5C, b"\x01" + DEFAULT)[1] == 0xAE
    t.plain(0xCA, AID + raw("09 81"))
    t.open(0, ZERO_KEY)
    assert t.status(lambda: t.full(0x5C, b"\x01", DEFAULT)) == 0x9D
    t.select(PICC)
    t.authenticate(0, ZERO_KEY)
    assert t.status(lambda: t.maced(0x5C, b"\x01" + DEFAULT)) == 0x7E  # never in clear
    assert card.state.default_key == CardKey()


def test_settings_of_an_application_are_the_issuers(fare_card: Pair) -> None:
    _, t = fare_card
    t.open(1, K1)
    assert t.status(lambda: t.full(0x54, b"", b"\x0f")) == 0xAE
    t.open(0, K0)
    t.full(0x54, b"", b"\x0b")
    assert t.maced(0x45) == raw("0B83")
    assert t.status(lambda: t.full(0x54, b"", b"\x7b")) == 0x9E  # there is no key 7


def test_a_key_roll(fare_card: Pair) -> None:
    """A second set is filled while the first one works; the roll switches all keys at once."""
    _, t = fare_card
    t.open(0, K0)
    assert t.status(lambda: t.full(0xC6, b"\x01\x01", bytes(21))) == 0x9D  # not initialized yet
    t.open(0, K0)
    t.maced(0x56, b"\x01\x02")
    new_keys = [bytes([n]) * 16 for n in (0xA0, 0xA1, 0xA2)]
    for key_no, key in enumerate(new_keys):
        change_in_set(t, 1, key_no, key)
    assert t.status(lambda: t.maced(0x55, b"\x01")) == 0x9D  # not finalized yet
    t.open(0, K0)
    t.maced(0x57, b"\x01\x07")
    assert t.maced(0x64, b"\x41\x01") == b"\x02"
    assert t.maced(0x64, b"\x01") == b"\x01"
    t.open(1, K1)
    assert t.status(lambda: t.maced(0x55, b"\x01")) == 0xAE  # only the roll key
    t.open(0, K0)
    t.maced(0x55, b"\x01")
    t.open(1, new_keys[1])
    assert t.value() == 2**31 - 1
    t.select()
    assert t.status(lambda: t.authenticate(1, K1)) == 0xAE


def change_in_set(t: Terminal, set_no: int, key_no: int, key: bytes) -> None:
    import zlib

    checksum = (zlib.crc32(key) ^ 0xFFFFFFFF).to_bytes(4, "little")
    t.full(0xC6, bytes([set_no, key_no]), key + b"\x02" + checksum)


def test_a_roll_back_to_an_older_set_is_refused(fare_card: Pair) -> None:
    _, t = fare_card
    t.open(0, K0)
    t.maced(0x56, b"\x01\x02")
    t.maced(0x57, b"\x01\x00")
    assert t.status(lambda: t.maced(0x55, b"\x01")) == 0x9D


def test_an_application_without_key_sets_cannot_roll() -> None:
    card = VirtualCard.factory(UID)
    t = Terminal(card.transmit)
    t.plain(0xCA, AID + raw("0F 81"))
    t.open(0, ZERO_KEY)
    assert t.status(lambda: t.maced(0x55, b"\x01")) == 0x9D
    t.open(0, ZERO_KEY)
    assert t.status(lambda: t.maced(0x64, b"\x40\x01")) == 0x9E
