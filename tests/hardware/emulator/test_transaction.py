"""The Transaction MAC input, byte for byte, and what each switchable reading changes about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hardware.emulator.card import VirtualCard
from hardware.emulator.crypto import short_mac, transaction_keys
from hardware.emulator.transaction import (
    DEFAULT_READING,
    TransactionMacReading,
    data_step,
    transaction_mac_value,
    value_step,
)
from tests.hardware.emulator.card_vectors import raw, vector
from tests.hardware.emulator.conftest import UID
from tests.hardware.emulator.terminal import TM, UPPER, Terminal, cbc, u


def test_the_second_reading_is_reproduced() -> None:
    case = vector("second-reading-tmv-1")
    steps = [
        value_step(0x6C, 2, u(50_000, 4)),
        value_step(0xDC, 2, u(12_000, 4)),
        data_step(0x8B, 4, 0, 32, bytes(range(32))),
    ]
    assert b"".join(steps) == raw(case["tmi"])
    arguments = (raw(case["app_tm_key"]), case["tmc_reported"], raw(case["uid"]), raw(case["tmi"]))
    assert transaction_mac_value(*arguments) == raw(case["tmv"])
    assert transaction_keys(*arguments[:3])[0] == raw(case["ses_tm_mac"])
    one_later = (arguments[0], case["tmc_reported"] + 1, *arguments[2:])
    assert transaction_mac_value(*one_later) != raw(case["tmv"])


def test_a_card_reproduces_the_second_reading_from_its_commands() -> None:
    """The same commands, sent to a card with the vector's key, UID and counter."""
    case = vector("second-reading-tmv-1")
    key = raw(case["app_tm_key"])
    card = VirtualCard.factory(raw(case["uid"]))
    t = Terminal(card.transmit)
    t.plain(0xCA, raw("F54D43 0F 81"))
    t.select()
    t.authenticate(0, bytes(16))
    t.maced(0xCC, raw("02 01 00 00") + u(0, 4) + u(UPPER, 4) + u(50_006, 4) + b"\x00")
    t.maced(0xC0, raw("04 01 00 00") + u(32, 3) + u(7, 3))
    t.full(0xCE, raw("0F 01 FF 0F 02"), key + b"\x00")
    for _ in range(6):  # six commits bring the counter to six; each takes one away
        t.maced(0xDC, b"\x02" + u(1, 4))
        t.commit()
    assert t.value() == 50_000
    t.maced(0xDC, b"\x02" + u(12_000, 4))
    t.maced(0x8B, raw("04 000000 200000") + bytes(range(32)))
    assert t.commit() == (7, raw(case["tmv"]))


def padded(hex_text: str) -> bytes:
    step = raw(hex_text)
    return step + bytes(-len(step) % 16)


E_PAGE, R_RECORD, S_RECORD = b"E" * 128, b"R" * 32, b"S" * 32
READ_01 = padded("AD 01 000000 800000") + E_PAGE
READ_03 = padded("AB 03 000000 010000") + R_RECORD
GET_VALUE = padded("6C 02 FFFFFF7F")
DEBIT = padded("DC 02 E02E0000")
WRITE_03 = padded("8B 03 000000 200000") + S_RECORD
WHOLE_TAP = READ_01 + READ_03 + GET_VALUE + DEBIT + WRITE_03


def tap_proof(reading: TransactionMacReading) -> bytes:
    card = VirtualCard.factory(UID, reading=reading)
    terminal = Terminal(card.transmit)
    terminal.prepare()
    tmc, tmv = terminal.tap(12_000, S_RECORD)
    assert tmc == 2
    return tmv


def value_over(tmi: bytes) -> bytes:
    return short_mac(transaction_keys(TM, 2, UID)[0], tmi)


def test_the_default_reading_of_a_whole_tap() -> None:
    assert tap_proof(DEFAULT_READING) == value_over(WHOLE_TAP)


@pytest.mark.parametrize(
    ("switch", "tmi"),
    [
        ({"backup_reads_enter": False}, READ_03 + GET_VALUE + DEBIT + WRITE_03),
        ({"record_reads_enter": False}, READ_01 + GET_VALUE + DEBIT + WRITE_03),
        ({"get_value_enters": False}, READ_01 + READ_03 + DEBIT + WRITE_03),
        ({"zero_length_replaced": False}, padded("AD 01") + E_PAGE + WHOLE_TAP[len(READ_01) :]),
    ],
)
def test_a_switched_reading(switch: dict[str, bool], tmi: bytes) -> None:
    assert tap_proof(replace(DEFAULT_READING, **switch)) == value_over(tmi)


def test_reading_the_transaction_mac_file_enters_only_when_switched() -> None:
    file_0f = padded("AD 0F 000000 0C0000")
    seen = tap_proof(replace(DEFAULT_READING, transaction_mac_file_reads_enter=True))
    first_proof = u(1, 4) + short_mac(
        transaction_keys(TM, 1, UID)[0],
        padded("8D 01 000000 800000") + E_PAGE + padded("8B 03 000000 200000") + R_RECORD,
    )
    assert seen == value_over(READ_01 + file_0f + first_proof + bytes(4) + WHOLE_TAP[len(READ_01) :])


@pytest.mark.parametrize(
    ("reading", "tmi"),
    [
        (DEFAULT_READING, DEBIT),
        (replace(DEFAULT_READING, abort_empties_input=False), READ_01 + GET_VALUE + DEBIT),
    ],
)
def test_abort_after_the_reads(reading: TransactionMacReading, tmi: bytes) -> None:
    card = VirtualCard.factory(UID, reading=reading)
    terminal = Terminal(card.transmit)
    terminal.prepare()
    terminal.open()
    terminal.read(1)
    terminal.value()
    terminal.maced(0xA7)
    terminal.debit(12_000)
    assert terminal.commit() == (2, value_over(tmi))


def test_abort_may_end_the_session() -> None:
    card = VirtualCard.factory(UID, reading=replace(DEFAULT_READING, abort_keeps_session=False))
    terminal = Terminal(card.transmit)
    terminal.prepare()
    terminal.open()
    terminal.maced(0xA7)
    assert terminal.exchange(0x6C, b"\x02")[1] == 0xAE


def test_the_reader_id_is_proven_and_the_previous_one_told() -> None:
    card = VirtualCard.factory(UID)
    t = Terminal(card.transmit)
    t.personalise(tmac_access=0x1F1F)
    t.open()
    t.debit(5)
    assert t.status(lambda: t.maced(0xC7, b"\x01")) == 0x9D  # a mandatory reader id is missing
    names = [bytes([n]) * 16 for n in (1, 2)]
    previous = bytes(16)
    for tmc, name in enumerate(names, start=1):
        t.open()
        t.debit(5)
        told = t.maced(0xC8, name)
        mac_key, enc_key = transaction_keys(TM, tmc, UID)
        assert cbc(enc_key, told, decrypt=True) == previous
        previous = name
        tmi = padded("DC 02 05000000") + padded("C8" + name.hex())
        assert t.commit() == (tmc, short_mac(mac_key, tmi))


def test_the_counter_stands_still_without_a_commit(fare_card: tuple[VirtualCard, Terminal]) -> None:
    _, t = fare_card
    for _ in range(3):
        t.open()
        t.debit(1)
    t.open()
    assert t.read(0x0F)[:4] == u(1, 4)
