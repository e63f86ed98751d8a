"""The chip's AES against every published vector that applies, each with a twin that must fail."""

from __future__ import annotations

from typing import Any

import pytest

from hardware.emulator.crypto import (
    cmac,
    decrypt_cbc,
    key_checksum,
    message_iv,
    pad_80,
    session_keys,
    short_mac,
    strip_80,
    transaction_keys,
)
from hardware.emulator.ev2_session import Ev2Session
from hardware.emulator.session import CommMode
from hardware.emulator.status import CardRefusal, Status
from tests.hardware.emulator.card_vectors import raw, vector, vectors_of


def named(kinds: tuple[str, ...]) -> dict[str, Any]:
    found = vectors_of(*kinds)
    return {"argvalues": found, "ids": [entry["id"] for entry in found]}


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


@pytest.mark.parametrize("case", **named(("aes_cmac",)))
def test_cmac(case: dict[str, Any]) -> None:
    key, message = raw(case["input"]["key"]), raw(case["input"]["message"])
    assert cmac(key, message) == raw(case["expected"]["cmac"])
    assert cmac(flipped(key), message) != raw(case["expected"]["cmac"])


@pytest.mark.parametrize("case", **named(("ev2_session_keys",)))
def test_session_keys(case: dict[str, Any]) -> None:
    key, rnd_a, rnd_b = (raw(case["input"][name]) for name in ("key", "rnd_a", "rnd_b"))
    wanted = (raw(case["expected"]["ses_auth_enc"]), raw(case["expected"]["ses_auth_mac"]))
    assert session_keys(key, rnd_a, rnd_b) == wanted
    assert session_keys(flipped(key), rnd_a, rnd_b) != wanted


@pytest.mark.parametrize("case", **named(("tmac_session_keys",)))
def test_transaction_mac_session_keys(case: dict[str, Any]) -> None:
    given = case["input"]
    wanted = (raw(case["expected"]["ses_tm_mac"]), raw(case["expected"]["ses_tm_enc"]))
    assert transaction_keys(raw(given["app_tm_key"]), given["tmc_reported"], raw(given["uid"])) == wanted
    assert transaction_keys(raw(given["app_tm_key"]), given["tmc_reported"] - 1, raw(given["uid"])) != wanted


@pytest.mark.parametrize("case", **named(("ev2_cmd_iv",)))
def test_command_iv(case: dict[str, Any]) -> None:
    given = case["input"]
    iv = message_iv(raw(given["ses_auth_enc"]), b"\xa5\x5a", raw(given["ti"]), given["cmd_ctr"])
    assert iv == raw(case["expected"]["iv"])


def test_transaction_mac_value_of_a_known_input() -> None:
    case = vector("sdk-tmv-1")
    assert short_mac(raw(case["input"]["ses_tm_mac"]), raw(case["input"]["tmi"])) == raw(
        case["expected"]["tmv"]
    )


def test_previous_reader_id() -> None:
    case = vector("sdk-tm-readerid")
    plain = decrypt_cbc(raw(case["input"]["ses_tm_enc"]), raw(case["input"]["enc_tmri"]))
    assert plain == raw(case["expected"]["tmri_prev"])


def session_of(case: dict[str, Any]) -> Ev2Session:
    given = case["input"]
    enc = raw(given.get("ses_auth_enc", "00" * 16))
    return Ev2Session(0, raw(given["ti"]), enc, raw(given["ses_auth_mac"]), given["cmd_ctr"])


MACED = [
    case
    for case in vectors_of("ev2_cmd_mac", "ev2_commmode_mac")
    if case["id"] != "an12343-p16-cmd-mac"  # no more than the CMAC of the one below it
]


@pytest.mark.parametrize("case", MACED, ids=[case["id"] for case in MACED])
def test_maced_command_and_response(case: dict[str, Any]) -> None:
    given, wanted = case["input"], case["expected"]
    body = raw(given.get("header_and_data") or given["header"] + given["data"])
    mac = raw(wanted["mact"])
    session = session_of(case)
    assert session.unwrap(CommMode.MAC, int(given["cmd"], 16), body + mac, 1) == body
    with pytest.raises(CardRefusal) as refusal:
        session.unwrap(CommMode.MAC, int(given["cmd"], 16), body + flipped(mac), 1)
    assert refusal.value.status is Status.INTEGRITY_ERROR
    if "resp_mact" in wanted:
        data = raw(wanted["resp_data"])
        assert session.wrap(CommMode.MAC, data) == data + raw(wanted["resp_mact"])


FULL = vectors_of("ev2_commmode_full")


@pytest.mark.parametrize("case", FULL, ids=[case["id"] for case in FULL])
def test_enciphered_command_and_response(case: dict[str, Any]) -> None:
    given, wanted = case["input"], case["expected"]
    apdu = raw(wanted["capdu"])
    ins, data, header = int(given["cmd"], 16), apdu[5:-1], raw(given["header"])
    session = session_of(case)
    assert session.unwrap(CommMode.FULL, ins, data, len(header)) == header + raw(given["data"])
    with pytest.raises(CardRefusal) as refusal:
        session.unwrap(CommMode.FULL, ins, flipped(data), len(header))
    assert refusal.value.status is Status.INTEGRITY_ERROR
    if "resp_mact" in wanted:
        answer = session.wrap(CommMode.FULL, raw(wanted.get("resp_plain", "")))
        assert answer == raw(wanted["resp_ciphertext"]) + raw(wanted["resp_mact"])


def test_an_enciphered_command_without_the_padding_is_refused() -> None:
    session = Ev2Session(0, bytes(4), bytes(16), bytes(16))
    body = bytes(17)  # one header byte and a block that deciphers to anything but 80 00 …
    mac = short_mac(bytes(16), b"\x5c\x00\x00" + bytes(4) + body)
    with pytest.raises(CardRefusal) as refusal:
        session.unwrap(CommMode.FULL, 0x5C, body + mac, 1)
    assert refusal.value.status is Status.INTEGRITY_ERROR


def test_the_counter_ends_before_it_repeats() -> None:
    session = Ev2Session(0, bytes(4), bytes(16), bytes(16), 0xFFFF)
    with pytest.raises(CardRefusal):
        session.unwrap(CommMode.PLAIN, 0x6C, b"\x02", 1)


def test_key_checksum_is_the_one_of_the_published_change_key() -> None:
    data = raw(vector("an12196-t25-changekey-other")["input"]["data"])
    assert key_checksum(data[:16]) == data[17:]
    assert key_checksum(flipped(data[:16])) != data[17:]


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 128])
def test_padding_is_always_there_and_comes_off(size: int) -> None:
    plain = b"\x80" * size
    padded = pad_80(plain)
    assert len(padded) % 16 == 0
    assert len(padded) > size
    assert strip_80(padded) == plain
    assert strip_80(bytes(16)) is None
    assert strip_80(b"\x80" + bytes(16)) is None  # more than one block of padding
