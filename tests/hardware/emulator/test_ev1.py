"""EV1 and D40 sessions on the virtual card: byte for byte as real cards answered, then modes and limits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from hardware.emulator.card import VirtualCard
from hardware.emulator.ev1_session import Ev1Session
from hardware.emulator.legacy_crypto import BlockCipher
from hardware.emulator.session import CommMode
from hardware.emulator.state import DELIVERED_KEY, CardKey, CardState
from hardware.emulator.status import CardRefusal
from tests.hardware.emulator.conftest import UID
from tests.hardware.emulator.ev1_terminal import Cbc, Ev1Terminal, crc16, crc32
from tests.hardware.emulator.terminal import AID, K0, K1, K2, UPPER, ZERO_KEY, Terminal, head, u

TRACES = Path(__file__).with_name("real_card_traces.txt")


def trace(section: str) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """(command, answer) pairs of a section, and the challenges its card drew."""
    text = TRACES.read_text().split(f"[{section}]\n")[1].split("\n[")[0]
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    sent, received, drawn = (
        [bytes.fromhex(line[1]) for line in lines if line[0] == kind] for kind in (">", "<", "rnd_b")
    )
    return list(zip(sent, received, strict=True)), drawn


def card_that_drew(drawn: list[bytes], key: CardKey) -> VirtualCard:
    due: Iterator[bytes] = iter(drawn)
    return VirtualCard(CardState(UID, key), random_bytes=lambda size: next(due))


def test_a_real_card_with_aes_keys_answered_the_same_bytes() -> None:
    pairs, drawn = trace("aes")
    card = card_that_drew(drawn, CardKey())
    assert card.transmit(bytes.fromhex("CA16AE000F82")) == b"\x00"
    assert len(pairs) == 26
    for command, answer in pairs:
        assert card.transmit(command).hex() == answer.hex(), command.hex()


def test_a_real_card_as_delivered_was_formatted_with_the_same_bytes() -> None:
    pairs, drawn = trace("format")
    card = card_that_drew(drawn, DELIVERED_KEY)
    for command, answer in pairs:
        assert card.transmit(command).hex() == answer.hex(), command.hex()


def test_the_chained_des_macs_of_a_real_card() -> None:
    """Its applications were of kinds this card refuses, so the session alone is compared."""
    pairs, (rnd_b,) = trace("des")
    challenge, token = pairs[0][1][1:], pairs[1][0][1:]
    rnd_a = Cbc(ZERO_KEY, des=True).receive(token, challenge)[:8]
    half = rnd_a[:4] + rnd_b[:4]
    session = Ev1Session(0, BlockCipher(half + half, des=True))
    commands = 0
    command, answer = b"", b""
    for sent, received in pairs[2:]:
        command = command if sent == b"\xaf" else sent
        answer += received[1:]
        if received[0] == 0:
            assert session.unwrap(CommMode.MAC, command[0], command[1:], 0) == command[1:]
            assert session.wrap(CommMode.MAC, answer[:-8]).hex() == answer.hex()
            commands, answer = commands + 1, b""
    assert commands == 9


def test_a_real_card_with_a_d40_session_took_the_same_bytes() -> None:
    pairs, _ = trace("d40")
    rnd_b = Cbc(ZERO_KEY, des=True).receive(pairs[0][1][1:], bytes(8))
    card = card_that_drew([rnd_b], DELIVERED_KEY)
    for command, answer in pairs:
        assert card.transmit(command).hex() == answer.hex(), command.hex()
    assert crc16(b"\x0f") == bytes.fromhex("09A9")


@pytest.fixture
def bench() -> Ev1Terminal:
    """A card with one AES application of three keys, opened with its master key."""
    terminal = Ev1Terminal(VirtualCard.factory(UID).transmit)
    terminal.frames(0xCA, AID + b"\x0f\x83")
    terminal.select(AID)
    terminal.authenticate(0, ZERO_KEY)
    return terminal


def test_reads_and_writes_in_every_mode(bench: Ev1Terminal) -> None:
    data = bytes(range(100))
    for number, (comm, ins) in enumerate(product((0, 1, 3), (0xCD, 0xCB))):
        bench.plain(ins, bytes([number, comm, 0x00, 0x10]) + u(120, 3))
        header = head(number, 10, 100)
        match comm:
            case 0:
                bench.plain(0x3D, header + data)
            case 1:
                bench.maced(0x3D, header + data)
            case _:
                bench.full(0x3D, header, data)
        if ins == 0xCB:
            bench.plain(0xC7)
        read = bench.full_read(0xBD, header, 100) if comm == 3 else bench.read(number, 10, 100)
        assert read == data
        assert bench.plain(0xF5, bytes([number])) == bytes([ins == 0xCB, comm, 0x00, 0x10]) + u(120, 3)
    assert bench.plain(0x6F) == bytes(range(6))
    bench.plain(0xDF, b"\x02")
    assert bench.plain(0x6F) == bytes((0, 1, 3, 4, 5))
    assert bench.status(lambda: bench.plain(0xDF, b"\x02")) == 0xF0


def test_values_and_records_in_every_mode(bench: Ev1Terminal) -> None:
    for comm in (0, 1, 3):
        bench.plain(0xCC, bytes([comm, comm, 0x00, 0x00]) + u(-10, 4) + u(500, 4) + u(50, 4) + b"\x01")
        bench.plain(0xC0, bytes([comm + 8, comm, 0x00, 0x00]) + u(20, 3) + u(3, 3))

        def change(ins: int, header: bytes, data: bytes, comm: int = comm) -> None:
            if comm == 3:
                bench.full(ins, header, data)
            else:
                (bench.maced if comm else bench.plain)(ins, header + data)

        def value(comm: int = comm) -> int:
            number = bytes([comm])
            raw = bench.full_read(0x6C, number, 4) if comm == 3 else bench.plain(0x6C, number)
            return int.from_bytes(raw, "little", signed=True)

        for ins, amount, expected in ((0x0C, 100, 150), (0xDC, 30, 120), (0x1C, 30, 150)):
            change(ins, bytes([comm]), u(amount, 4))
            bench.plain(0xC7)
            assert value() == expected
        change(0x3B, head(comm + 8, 0, 20), b"R" * 20)
        bench.plain(0xC7)
        record = head(comm + 8, 0, 1)
        assert (bench.full_read(0xBB, record, 20) if comm == 3 else bench.plain(0xBB, record)) == b"R" * 20


def test_keys_and_settings_change(bench: Ev1Terminal) -> None:
    bench.change_key(1, K1, ZERO_KEY, 0x21)
    assert bench.plain(0x64, b"\x01") == b"\x21"
    bench.change_key(0, K0, None, 0x20)
    assert bench.native(0x54, bytes(16))[1] == 0xAE, "the session is over"
    bench.authenticate(0, K0)
    bench.full(0x54, b"", b"\x0b")
    assert bench.plain(0x45) == b"\x0b\x83"
    bench.plain(0xCD, bytes([4, 1, 0x00, 0x10]) + u(8, 3))
    bench.full(0x5F, b"\x04", bytes([3, 0x11, 0x11]))
    assert bench.plain(0xF5, b"\x04")[1:4] == bytes([3, 0x11, 0x11])
    bench.authenticate(1, K1)
    bench.full(0x3D, head(4, 0, 8), b"8 bytes.")
    bench.authenticate(1, K1)
    assert bench.full_read(0xBD, head(4, 0, 8), 8) == b"8 bytes."
    assert bench.full_read(0x51, b"", 7) == UID


def test_the_card_level(bench: Ev1Terminal) -> None:
    bench.select(bytes(3))
    bench.authenticate(0, ZERO_KEY)
    assert bench.plain(0x6A) == AID
    assert len(bench.plain(0x60)) == 28
    free = int.from_bytes(bench.plain(0x6E), "little")
    bench.plain(0xCA, b"\x01\x02\x03\x0f\x81")
    assert int.from_bytes(bench.plain(0x6E), "little") < free
    bench.plain(0xDA, b"\x01\x02\x03")
    bench.full(0x5C, b"\x00", b"\x00")
    bench.full(0x5C, b"\x01", K1.ljust(24, b"\x00") + b"\x07")
    bench.plain(0xCA, b"\x01\x02\x03\x0f\x81")
    bench.select(b"\x01\x02\x03")
    bench.authenticate(0, K1)
    bench.select(bytes(3))
    bench.authenticate(0, ZERO_KEY)
    assert bench.status(lambda: bench.full(0x5C, b"\x02", b"\x00")) == 0x9E
    bench.authenticate(0, ZERO_KEY)
    bench.plain(0xFC)
    assert bench.plain(0x6A) == b""
    bench.change_key(0x80, K0, None, 1)
    bench.authenticate(0, K0)
    assert bench.plain(0x64, b"\x00") == b"\x01"
    bench.full(0x5C, b"\x00", b"\x01")
    assert bench.status(lambda: bench.plain(0xFC)) == 0x9D


def test_one_bit_off_anywhere_is_refused_and_ends_the_session(bench: Ev1Terminal) -> None:
    bench.plain(0xCD, bytes([1, 1, 0x00, 0x10]) + u(8, 3))
    bench.plain(0xCD, bytes([3, 3, 0x00, 0x10]) + u(8, 3))
    for comm, bit in product((1, 3), range(0, 128, 5)):
        bench.authenticate(0, ZERO_KEY)
        header, data = head(comm, 0, 8), b"8 bytes."
        if comm == 1:
            body = data + bench.mac(b"\x3d" + header + data)
        else:
            body = bench.encipher(data + crc32(b"\x3d" + header + data))
        spoilt = (int.from_bytes(body, "big") ^ 1 << bit).to_bytes(16, "big")
        assert bench.native(0x3D, header + spoilt)[1] == 0x1E
        assert bench.native(0xBD, header)[1] == 0xAE


def test_a_command_lost_or_repeated_breaks_the_chain(bench: Ev1Terminal) -> None:
    bench.plain(0xCD, bytes([1, 1, 0x00, 0x10]) + u(8, 3))
    header, data = head(1, 0, 8), b"8 bytes."
    sent = header + data + bench.mac(b"\x3d" + header + data)
    assert bench.native(0x3D, sent)[1] == 0
    assert bench.native(0x3D, sent)[1] == 0x1E, "a replay"
    bench.authenticate(0, ZERO_KEY)
    bench.mac(b"\x6f")
    assert bench.status(lambda: bench.maced(0x3D, header + data)) == 0x1E, "the card never saw a GetFileIDs"


def test_padding_and_key_checksums_count_too(bench: Ev1Terminal) -> None:
    """Right in every other respect: only the bytes that the CRC of the data does not cover are wrong."""
    bench.plain(0xCD, bytes([3, 3, 0x00, 0x10]) + u(8, 3))
    header, data = head(3, 0, 8), b"8 bytes."
    clear = data + crc32(b"\x3d" + header + data)
    assert bench.native(0x3D, header + bench.encipher(clear + b"\x80\x00\x00\x00"))[1] == 0x1E
    bench.authenticate(0, ZERO_KEY)
    assert bench.native(0x3D, header + bench.encipher(clear + bytes(20)))[1] == 0x7E
    bench.authenticate(0, ZERO_KEY)
    wrong = data + crc32(b"\x3d" + header + data[:-1] + b"!")
    assert bench.native(0x3D, header + bench.encipher(wrong))[1] == 0x1E
    for ins, header, size in ((0x5F, b"\x03", 3), (0xC4, b"\x01", 17), (0xC4, b"\x00", 17), (0x54, b"", 1)):
        clear = bytes(size) + crc32(bytes([ins]) + header + bytes(size))
        if header == b"\x01":
            clear += crc32(bytes(16))
        for spoilt in (clear + bytes(16), clear[:16] if size > 16 else b""):
            bench.authenticate(0, ZERO_KEY)
            assert bench.native(ins, header + bench.encipher(spoilt))[1] == 0x7E, (hex(ins), len(spoilt))
    for old in (K1, bytes(15) + b"\x01"):
        bench.authenticate(0, ZERO_KEY)
        assert bench.status(lambda old=old: bench.change_key(1, K0, old)) == 0x1E
    bench.authenticate(1, ZERO_KEY)
    assert bench.plain(0x64, b"\x01") == b"\x00"


def test_deleting_a_file_needs_its_right_and_takes_what_was_pending(
    bench: Ev1Terminal, fare_card: tuple[VirtualCard, Terminal]
) -> None:
    bench.plain(0xCC, bytes([1, 0, 0x00, 0x00]) + u(0, 4) + u(500, 4) + u(50, 4) + b"\x00")
    bench.plain(0xDC, b"\x01" + u(5, 4))
    bench.plain(0xDF, b"\x01")
    assert bench.status(lambda: bench.plain(0xC7)) == 0x0C
    assert bench.native(0x6F) == (b"", 0)
    t = Ev1Terminal(fare_card[0].transmit)
    t.select(AID)
    for key_no, key in ((1, K1), (2, K2)):
        t.authenticate(key_no, key)
        assert t.status(lambda: t.plain(0xDF, b"\x03")) == 0xAE


def test_a_free_file_is_plain_outside_a_session_and_maced_by_the_card_inside(bench: Ev1Terminal) -> None:
    bench.plain(0xCD, bytes([5, 3, 0xEE, 0xEE]) + u(8, 3))
    bench.plain(0x3D, head(5, 0, 8) + b"8 bytes.")
    assert bench.read(5, 0, 8) == b"8 bytes."
    bench.select(AID)
    assert bench.native(0xBD, head(5, 0, 8)) == (b"8 bytes.", 0)


def test_each_older_authentication_and_each_error_rolls_back(fare_card: tuple[VirtualCard, Terminal]) -> None:
    card, ev2 = fare_card
    ev2.open()
    ev2.debit(9)
    t = Ev1Terminal(card.transmit)
    t.authenticate(1, K1)
    assert t.status(lambda: t.plain(0xC7)) == 0x0C
    for ends in ("authentication", "error", "power"):
        t.select(AID)
        t.authenticate(1, K1)
        t.maced(0xDC, b"\x02" + u(9, 4))
        if ends == "authentication":
            t.authenticate(1, K1)
        elif ends == "error":
            assert t.status(lambda: t.plain(0x6C, b"\x07")) == 0xF0
            t.authenticate(1, K1)
        else:
            card.power(True)
            t.select(AID)
            t.authenticate(1, K1)
        assert t.status(lambda: t.plain(0xC7)) == 0x0C, ends
        t.authenticate(1, K1)
        assert t.plain(0x6C, b"\x02") == u(UPPER, 4)


def test_an_ev1_session_is_no_way_around_the_rights(fare_card: tuple[VirtualCard, Terminal]) -> None:
    """The fare application: Credit, LimitedCredit and new settings of file 02 stay refused with every key."""
    card, _ = fare_card
    t = Ev1Terminal(card.transmit)
    t.select(AID)
    assert t.native(0xDC, b"\x02" + u(1, 4))[1] == 0xAE
    for key_no, key in enumerate((K0, K1, K2)):
        debit = 0 if key_no == 1 else 0xAE
        for ins, expected in ((0x0C, 0x9D), (0x1C, 0x9D if key_no == 1 else 0xAE), (0xDC, debit)):
            t.authenticate(key_no, key)
            done = t.status(lambda ins=ins: t.maced(ins, b"\x02" + u(0, 4)))
            assert done == expected, (key_no, hex(ins))
        t.authenticate(key_no, key)
        assert t.status(lambda: t.full(0x5F, b"\x02", bytes([1, 0xFF, 0x11]))) == 0x9D


def test_a_tap_in_an_ev1_session_is_proven_as_in_an_ev2_one(fare_card: tuple[VirtualCard, Terminal]) -> None:
    """Debit enters the Transaction MAC input identically: two cards, two messagings, one proof."""
    card, ev2 = fare_card
    other = VirtualCard(card.state)
    ev2.open()
    ev2.value()
    ev2.debit(700)
    ev2.record(b"S" * 32)
    proof = ev2.commit()
    t = Ev1Terminal(other.transmit)
    t.select(AID)
    t.authenticate(1, K1)
    assert t.plain(0x6C, b"\x02") == u(UPPER, 4)
    t.maced(0xDC, b"\x02" + u(700, 4))
    t.maced(0x8B, head(3, 0, 32) + b"S" * 32)
    answer = t.plain(0xC7, b"\x01")
    assert (int.from_bytes(answer[:4], "little"), answer[4:]) == proof
    assert other.state == card.state


def test_what_is_published_for_ev2_sessions_alone(bench: Ev1Terminal) -> None:
    for ins in (0xC6, 0x55, 0x56, 0x57, 0xCE, 0xC8, 0x77):
        bench.authenticate(0, ZERO_KEY)
        assert bench.native(ins, b"\x00")[1] == 0x9D, hex(ins)


def delivered() -> tuple[VirtualCard, Ev1Terminal]:
    card = VirtualCard.factory(UID, des_master=True)
    return card, Ev1Terminal(card.transmit)


def test_a_delivered_card_takes_no_aes_authentication_and_an_aes_card_no_des_one() -> None:
    _, t = delivered()
    for ins, data in ((0x71, b"\x00\x00"), (0xAA, b"\x00")):
        assert t.native(ins, data)[1] == 0xAE
    assert t.frames(0x45, b"") == b"\x0f\x01"
    t = Ev1Terminal(VirtualCard.factory(UID).transmit)
    for ins in (0x0A, 0x1A):
        assert t.native(ins, b"\x00")[1] == 0xAE
        assert t.native(ins, b"\x01")[1] == 0x40
        assert t.native(ins, b"")[1] == 0x7E
    assert t.frames(0x45, b"") == b"\x0f\x81"


def test_a_delivered_card_becomes_an_aes_card_in_an_iso_session() -> None:
    card, t = delivered()
    t.authenticate(0, ZERO_KEY, des=True)
    assert t.full_read(0x51, b"", 7) == UID
    t.change_key(0x80, K0, None, 7)
    assert card.state.picc_key == CardKey(K0, 7)
    t.authenticate(0, K0)
    assert t.plain(0x64, b"\x00") == b"\x07"
    ev2 = Terminal(card.transmit)
    ev2.authenticate(0, K0)
    assert ev2.maced(0x45) == b"\x0f\x81"


def d40(t: Ev1Terminal) -> Cbc:
    """Authenticate (0A) with the delivered key: the session's cipher."""
    cipher, rnd_a = Cbc(ZERO_KEY, des=True), bytes(range(8))
    challenge, _ = t.native(0x0A, b"\x00")
    rnd_b = cipher.receive(challenge, bytes(8))
    answer, status = t.native(0xAF, cipher.send(rnd_a + rnd_b[1:] + rnd_b[:1], bytes(8), decrypt=True))
    assert (status, cipher.receive(answer, bytes(8))) == (0, rnd_a[1:] + rnd_a[:1])
    half = rnd_a[:4] + rnd_b[:4]
    return Cbc(half + half, des=True)


def test_a_delivered_card_becomes_an_aes_card_in_a_d40_session() -> None:
    card, t = delivered()
    session = d40(t)
    answer, _ = t.native(0x51)
    assert session.receive(answer, bytes(8)) == UID + crc16(UID) + bytes(7)
    assert t.native(0xCA, AID + b"\x0f\x81") == (b"", 0)
    assert t.native(0x6A) == (AID, 0)
    new = K0 + b"\x07"
    spoilt = session.send(new + crc16(new + b"!") + bytes(5), bytes(8), decrypt=True)
    assert t.native(0xC4, b"\x80" + spoilt)[1] == 0x1E
    session = d40(t)
    padded = session.send(new + crc16(new) + b"\x80" + bytes(4), bytes(8), decrypt=True)
    assert t.native(0xC4, b"\x80" + padded)[1] == 0x1E
    session = d40(t)
    assert t.native(0xC4, b"\x80" + padded[:16])[1] == 0x7E
    session = d40(t)
    sent = session.send(new + crc16(new) + bytes(5), bytes(8), decrypt=True)
    assert t.native(0xC4, b"\x80" + sent) == (b"", 0)
    assert card.state.picc_key == CardKey(K0, 7)
    assert t.native(0x0A, b"\x00")[1] == 0xAE
    t.authenticate(0, K0)


def test_a_d40_session_sets_the_default_key() -> None:
    card, t = delivered()
    session = d40(t)
    new = K1.ljust(24, b"\x00") + b"\x07"
    sent = session.send(new + crc16(new) + bytes(5), bytes(8), decrypt=True)
    assert t.native(0x5C, b"\x01" + sent[:16])[1] == 0x7E
    session = d40(t)
    sent = session.send(new + crc16(new) + bytes(5), bytes(8), decrypt=True)
    assert t.native(0x5C, b"\x02" + sent)[1] == 0x9E
    session = d40(t)
    sent = session.send(new + crc16(new) + bytes(5), bytes(8), decrypt=True)
    assert t.native(0x5C, b"\x01" + sent) == (b"", 0)
    assert card.state.default_key == CardKey(K1, 7)


def test_a_des_master_key_is_never_set_again() -> None:
    _, t = delivered()
    t.authenticate(0, ZERO_KEY, des=True)
    for key_no in (0x00, 0x40):
        t.authenticate(0, ZERO_KEY, des=True)
        assert t.status(lambda key_no=key_no: t.change_key(key_no, K0, None)) == 0x9E


def test_a_wrong_terminal_is_refused_in_every_authentication() -> None:
    for des, ins, size in ((True, 0x0A, 8), (True, 0x1A, 8), (False, 0xAA, 16)):
        card = VirtualCard.factory(UID, des_master=des)
        for answer, status in ((bytes(2 * size), 0xAE), (bytes(size), 0x7E), (b"", 0x7E)):
            assert card.transmit(bytes([ins, 0]))[0] == 0xAF
            assert card.transmit(b"\xaf" + answer) == bytes([status])
        assert card.transmit(b"\xfc") == b"\xae"


def test_the_session_alone_refuses_what_has_no_size() -> None:
    session = Ev1Session(0, BlockCipher(ZERO_KEY))
    for ins, data, header in ((0x5F, bytes(16), 0), (0x5C, b"\x01" + bytes(32), 1), (0x54, bytes(15), 0)):
        with pytest.raises(CardRefusal):
            session.unwrap(CommMode.FULL, ins, data, header)
