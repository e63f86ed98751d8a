"""The virtual SAM refuses whatever it was not unlocked, told or allowed to do, and hands no key out."""

from __future__ import annotations

from hardware.emulator.sam import KeyEntry, VirtualSam
from tests.hardware.emulator.terminal import cbc, cmac

MASTER = bytes(range(16))
UNLOCK, HOST = b"U" * 16, b"H" * 16
INPUT = bytes.fromhex("04A1B2C3D4E5F6F54D43") + b"MANCARD"
FRESH = b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"


def module() -> VirtualSam:
    entries = {
        0: KeyEntry({0: UNLOCK}),
        1: KeyEntry({0: HOST}),
        20: KeyEntry({1: MASTER}, picc=True, dump=True),
        21: KeyEntry({1: MASTER}, picc=True),
    }
    return VirtualSam(entries, 0, lambda size: FRESH[:size])


def three_parts(sam: VirtualSam, ins: int, opening: bytes, key: bytes, *, spoil: int = 0) -> bytes:
    """What a host does, written out; `spoil` is the part (2 or 3) in which one bit is wrong."""
    answer = sam.transmit(bytes([0x80, ins, 0, 0, len(opening)]) + opening + b"\0")
    if answer[-2:] != bytes.fromhex("90AF"):
        return answer
    rnd2, rnd1, rnd_a = answer[:12], b"\x55" * 12, b"\x77" * 16
    mac = cmac(key, rnd2 + bytes(4))[1::2]
    part = bytes([mac[0] ^ (spoil == 2)]) + mac[1:] + rnd1
    answer = sam.transmit(bytes([0x80, ins, 0, 0, 20]) + part + b"\0")
    if answer[-2:] != bytes.fromhex("90AF"):
        return answer
    assert answer[:8] == cmac(key, rnd1 + bytes(4))[1::2]
    mixed = bytes(a ^ b for a, b in zip(rnd1[:5], rnd2[:5], strict=True))
    kxe = cbc(key, rnd1[7:12] + rnd2[7:12] + mixed + b"\x91")
    rnd_b = cbc(kxe, answer[8:24], decrypt=True)
    proof = cbc(kxe, rnd_a + rnd_b[2:] + rnd_b[:2])
    part = bytes([proof[0], proof[1] ^ (spoil == 3)]) + proof[2:]
    answer = sam.transmit(bytes([0x80, ins, 0, 0, 32]) + part + b"\0")
    if answer[-2:] == b"\x90\0":
        assert cbc(kxe, answer[:16], decrypt=True) == rnd_a[2:] + rnd_a[:2]
    return answer


def unlocked() -> VirtualSam:
    sam = module()
    assert three_parts(sam, 0x10, bytes([0, 0]), UNLOCK)[-2:] == b"\x90\0"
    return sam


def opening(entry: int, challenge: bytes, p1: int = 0x91, mode: int = 0, given: bytes = INPUT) -> bytes:
    data = bytes([entry, 1, mode]) + challenge + given
    return bytes([0x80, 0x0A, p1, 0, len(data)]) + data + b"\0"


def open_card(sam: VirtualSam, entry: int = 20) -> tuple[bytes, bytes]:
    """A card's side of an authentication; the module's last answer and RndB."""
    key, rnd_b = cmac(MASTER, b"\x01" + INPUT), b"\x99" * 16
    answer = sam.transmit(opening(entry, cbc(key, rnd_b)))
    assert answer[-2:] == bytes.fromhex("90AF")
    plain = cbc(key, answer[:32], decrypt=True)
    assert plain[16:] == rnd_b[1:] + rnd_b[:1]
    rnd_a = plain[:16]
    proof = cbc(key, b"TTTT" + rnd_a[1:] + rnd_a[:1] + bytes(12))
    return sam.transmit(bytes([0x80, 0x0A, 0, 0, 32]) + proof + b"\0"), rnd_a


def test_nothing_happens_while_it_is_locked() -> None:
    sam = module()
    for apdu in (opening(20, bytes(16)), bytes.fromhex("80D5000000"), bytes.fromhex("80A4000003010000")):
        assert sam.transmit(apdu) == bytes.fromhex("6985")
    assert sam.transmit(bytes.fromhex("8060000000"))[-3:] == bytes.fromhex("A39000")
    for spoil in (2, 3):
        assert three_parts(sam, 0x10, bytes([0, 0]), UNLOCK, spoil=spoil) == bytes.fromhex("901E")
    assert three_parts(sam, 0x10, bytes([0, 0]), HOST) == bytes.fromhex("901E")
    assert three_parts(sam, 0x10, bytes([1, 0]), HOST) == bytes.fromhex("6982"), "not the key that unlocks"
    assert sam.transmit(opening(20, bytes(16))) == bytes.fromhex("6985")


def test_power_locks_it_again() -> None:
    sam = unlocked()
    assert three_parts(sam, 0xA4, bytes([1, 0, 0]), HOST)[-2:] == b"\x90\0"
    sam.power_on()
    assert three_parts(sam, 0xA4, bytes([1, 0, 0]), HOST) == bytes.fromhex("6985")


def test_a_card_is_opened_and_its_session_handed_over() -> None:
    sam = unlocked()
    assert sam.transmit(bytes.fromhex("80D5000000")) == bytes.fromhex("6982"), "there is no session yet"
    answer, rnd_a = open_card(sam)
    assert answer == bytes(12) + b"\x90\0"
    dumped = sam.transmit(bytes.fromhex("80D5000000"))
    assert (len(dumped), dumped[32:36], dumped[-2:]) == (40, b"TTTT", b"\x90\0")
    rnd_b = b"\x99" * 16
    mixed = bytes(a ^ b for a, b in zip(rnd_a[2:8], rnd_b[:6], strict=True))
    tail = bytes.fromhex("00010080") + rnd_a[:2] + mixed + rnd_b[6:] + rnd_a[8:]
    key = cmac(MASTER, b"\x01" + INPUT)
    assert dumped[:32] == cmac(key, b"\xa5\x5a" + tail) + cmac(key, b"\x5a\xa5" + tail)


def test_an_entry_that_forbids_it_dumps_nothing() -> None:
    sam = unlocked()
    assert open_card(sam, entry=21)[0][-2:] == b"\x90\0"
    assert sam.transmit(bytes.fromhex("80D5000000")) == bytes.fromhex("6982")


def test_no_command_brings_a_key_out() -> None:
    sam = unlocked()
    card_key = cmac(MASTER, b"\x01" + INPUT)
    answers = [sam.transmit(bytes([0x80, ins, p1, 0, 2, 20, 1, 0])) for ins in range(256) for p1 in range(4)]
    answers += [sam.transmit(bytes([0x80, ins, 0, 0, 0])) for ins in range(256)]
    for secret in (MASTER, card_key, UNLOCK, HOST):
        assert not [answer for answer in answers if secret in answer]
    assert sam.transmit(bytes.fromhex("80D6000002140100")) == bytes.fromhex("6982")


def test_a_card_that_proves_nothing_gets_no_session() -> None:
    sam = unlocked()
    open_card(sam)
    for proof in (bytes(32), bytes(16)):
        assert sam.transmit(opening(20, bytes(16)))[-2:] == bytes.fromhex("90AF")
        answer = sam.transmit(bytes([0x80, 0x0A, 0, 0, len(proof)]) + proof + b"\0")
        assert answer == bytes.fromhex("901E")
        assert sam.transmit(bytes.fromhex("80D5000000")) == bytes.fromhex("6982"), "not even the older one"


def test_what_is_malformed_or_out_of_turn_is_refused() -> None:
    sam = unlocked()
    wrong = {
        opening(20, bytes(16), p1=0x80): "6700",  # undiversified
        opening(20, bytes(16), p1=0x81): "6A86",  # the method of AV1
        opening(20, bytes(16), p1=0x11): "6A86",  # the authentication of EV1
        opening(20, bytes(16), mode=1): "6A80",  # LRP
        opening(20, bytes(16), given=bytes(32)): "6700",
        opening(9, bytes(16)): "6A88",
        opening(1, bytes(16)): "6A88",  # a host key of that version is not there
        b"\x80\x0a": "6700",
        b"\x00\x0a\x91\x00\x00": "6E00",
        b"\x80\x33\x00\x00\x00": "6D00",
        b"\x80\x0a\x91\x00\x09\x01": "6700",
    }
    for apdu, status in wrong.items():
        assert sam.transmit(apdu) == bytes.fromhex(status), apdu.hex()
    assert sam.transmit(opening(20, bytes(16)))[-2:] == bytes.fromhex("90AF")
    assert sam.transmit(bytes.fromhex("80D5000000")) == bytes.fromhex("6982"), "another command breaks it off"
    assert sam.transmit(opening(20, bytes(16)))[-2:] == bytes.fromhex("90AF")
    assert sam.transmit(bytes.fromhex("80AF000000")) == b"\x90\0"
    assert sam.transmit(bytes.fromhex("80AF000000")) == bytes.fromhex("6982")
