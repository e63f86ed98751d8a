"""Creating, listing and deleting applications and files: every declaration the card must refuse."""

from __future__ import annotations

import pytest

from hardware.emulator.card import VirtualCard
from tests.hardware.emulator.card_vectors import raw
from tests.hardware.emulator.terminal import AID, K0, TM, ZERO_KEY, Terminal

Pair = tuple[VirtualCard, Terminal]


@pytest.mark.parametrize(
    ("declaration", "status"),
    [
        ("F54D43 09 81", 0),
        ("F54D43 09 8E", 0),
        ("F54D43 09 93 01 00 02 10 00", 0),
        ("F54D43 09 93 01 00 10 10 02", 0),
        ("F54D43 09", 0x7E),
        ("F54D43 09 81 00", 0x7E),
        ("F54D43 09 93 01 00 02 10", 0x7E),
        ("000000 09 81", 0x9E),  # the card itself
        ("F54D43 09 80", 0x9E),  # no key
        ("F54D43 09 8F", 0x9E),
        ("F54D43 09 01", 0x9E),  # DES
        ("F54D43 09 A1", 0x9E),  # ISO names
        ("F54D43 19 81", 0x9E),  # keys changed by a key that is not there
        ("F54D43 09 93 00 00 02 10 00", 0x9E),
        ("F54D43 09 93 01 00 01 10 00", 0x9E),
        ("F54D43 09 93 01 00 11 10 00", 0x9E),
        ("F54D43 09 93 01 00 02 18 00", 0x9E),
        ("F54D43 09 93 01 00 02 10 03", 0x9E),
    ],
)
def test_declarations_of_an_application(blank: Pair, declaration: str, status: int) -> None:
    card, t = blank
    assert t.exchange(0xCA, raw(declaration))[1] == status
    assert (AID in card.state.applications) == (status == 0)


def test_an_application_exists_once_and_is_created_at_card_level(blank: Pair) -> None:
    _, t = blank
    t.plain(0xCA, AID + raw("09 81"))
    assert t.exchange(0xCA, AID + raw("09 81"))[1] == 0xDE
    assert t.plain(0x6A) == AID
    t.select()
    assert t.exchange(0xCA, raw("010203 09 81"))[1] == 0x9D
    assert t.exchange(0x6A)[1] == 0x9D


def test_deletion(blank: Pair) -> None:
    card, t = blank
    t.plain(0xCA, AID + raw("09 81"))
    t.plain(0xCA, raw("010203 09 81"))
    assert t.exchange(0xDA, AID)[1] == 0xAE
    t.open(0, ZERO_KEY)
    assert t.status(lambda: t.maced(0xDA, raw("010203"))) == 0x9D  # not from inside another one
    t.open(0, ZERO_KEY)
    t.maced(0xDA, AID)
    assert t.plain(0x6A) == raw("010203")  # the card level is selected
    t.authenticate(0, ZERO_KEY)
    assert t.status(lambda: t.maced(0xDA, AID)) == 0xA0
    t.authenticate(0, ZERO_KEY)
    t.maced(0xFC)
    assert card.state.applications == {}


@pytest.mark.parametrize(
    ("ins", "declaration", "status"),
    [
        (0xCD, "05 00 0000 200000", 0),
        (0xCB, "1F 03 EEFF 200000", 0),
        (0xCD, "20 00 0000 200000", 0x9E),  # 31 is the last file
        (0xCD, "05 02 0000 200000", 0x9E),  # no such mode
        (0xCD, "05 00 0300 200000", 0x9E),  # there is no key 3
        (0xCD, "05 00 0000 000000", 0x9E),
        (0xCD, "05 00 0000 2000", 0x7E),
        (0xCD, "05 00 0000 002001", 0x0E),
        (0xCD, "05 00 0000 001F00", 0x0E),
        (0xCC, "05 01 0000 00000000 64000000 32000000 03", 0),
        (0xCC, "05 01 0000 00000000 64000000 65000000 00", 0x9E),
        (0xCC, "05 01 0000 00000000 64000000 FFFFFFFF 00", 0x9E),
        (0xCC, "05 01 0000 64000000 00000000 32000000 00", 0x9E),
        (0xCC, "05 01 0000 00000000 64000000 32000000 04", 0x9E),
        (0xC0, "05 01 0000 200000 020000", 0),
        (0xC0, "05 01 0000 200000 010000", 0x9E),  # no place for the spare record
        (0xC0, "05 01 0000 000000 020000", 0x9E),
        (0xC0, "05 01 0000 200000 FFFF00", 0x0E),
    ],
)
def test_declarations_of_a_file(blank: Pair, ins: int, declaration: str, status: int) -> None:
    _, t = blank
    t.plain(0xCA, AID + raw("0F 83"))
    t.select()
    assert t.exchange(ins, raw(declaration))[1] == status
    assert t.plain(0x6F) == (bytes([raw(declaration)[0]]) if status == 0 else b"")


@pytest.mark.parametrize(
    ("header", "data", "status"),
    [
        ("0E 01 FF1F 02", TM + b"\x05", 0),
        ("0E 01 FF11 02", TM + b"\x05", 0x9E),  # nobody may write a proof
        ("0E 01 FF1F 01", TM + b"\x05", 0x9E),
        ("0E 01 FF1F 02", TM, 0x7E),
        ("20 01 FF1F 02", TM + b"\x05", 0x9E),
    ],
)
def test_declarations_of_a_transaction_mac_file(blank: Pair, header: str, data: bytes, status: int) -> None:
    _, t = blank
    t.plain(0xCA, AID + raw("0F 83"))
    t.select()
    t.authenticate(0, ZERO_KEY)
    assert t.status(lambda: t.full(0xCE, raw(header), data)) == status


def test_one_transaction_mac_file_and_it_needs_the_master_key(fare_card: Pair) -> None:
    _, t = fare_card
    t.open(0, K0)
    assert t.status(lambda: t.full(0xCE, raw("0E 01 FF1F 02"), TM + b"\x00")) == 0xDE
    t.open()
    assert t.status(lambda: t.full(0xCE, raw("0E 01 FF1F 02"), TM + b"\x00")) == 0xAE


def test_the_fare_application_as_the_card_describes_it(fare_card: Pair) -> None:
    _, t = fare_card
    t.open(0, K0)
    assert t.maced(0x6F) == raw("01 02 03 0F")
    assert t.maced(0xF5, b"\x01") == raw("01 01 2F11 800000")
    assert t.maced(0xF5, b"\x02") == raw("02 01 FF11 00000080 FFFFFF7F 00000000 00")
    assert t.maced(0xF5, b"\x03") == raw("04 01 FF11 200000 070000 010000")
    assert t.maced(0xF5, b"\x0f") == raw("05 01 FF1F 02 00")
    assert t.status(lambda: t.maced(0xF5, b"\x04")) == 0xF0


def test_rights_can_be_changed_where_the_file_allows_it(blank: Pair) -> None:
    _, t = blank
    t.plain(0xCA, AID + raw("0F 83"))
    t.select()
    t.plain(0xCD, raw("05 01 0200 100000"))  # R W RW are key 0, Change is key 2
    t.authenticate(0, ZERO_KEY)
    assert t.status(lambda: t.full(0x5F, b"\x05", raw("00 EEEE"))) == 0xAE
    t.authenticate(2, ZERO_KEY)
    assert t.status(lambda: t.full(0x5F, b"\x05", raw("00 3EEE"))) == 0x9E
    t.authenticate(2, ZERO_KEY)
    t.full(0x5F, b"\x05", raw("00 EEEE"))
    t.select()
    assert t.plain(0xAD, raw("05 000000 000000")) == bytes(16)
    assert t.exchange(0x5F, raw("05 00 0000"))[1] == 0  # Change became free: plain
