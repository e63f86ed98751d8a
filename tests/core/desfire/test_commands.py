"""Golden command bytes: what goes on the air before MAC and cipher, and how answers are taken apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fare.core.desfire import commands, crypto, errors, layout
from fare.core.desfire.frames import Conversation, run
from fare.core.desfire.messaging import Ev2Session
from fare.core.desfire.opcodes import CommMode, Opcode
from tests.core.desfire.card_vectors import VECTORS, flipped

TI, ENC, MAC = b"\x01\x02\x03\x04", bytes(range(16)), bytes(range(16, 32))
KEY = bytes.fromhex("F3847D627727ED3BC9C4CC050489B966")


def talk(
    conversation: Callable[[Ev2Session], Conversation[Any]], body: str = "", session: Ev2Session | None = None
) -> tuple[str, str, Any]:
    """(INS + clear header or MACed data, deciphered data, result) of one command answered with `body`."""
    sent: list[bytes] = []

    def card(apdu: bytes) -> bytes:
        sent.append(apdu)
        raw = bytes.fromhex(body)
        return raw + crypto.cmac(MAC, b"\x00\x01\x00" + TI + raw)[1::2] + b"\x91\x00"

    result = run(conversation(session or Ev2Session(TI, 0, ENC, MAC)), card)
    (apdu,) = sent
    payload = apdu[5:-9]
    assert apdu[-9:-1] == crypto.cmac(MAC, apdu[1:2] + b"\x00\x00" + TI + payload)[1::2]
    return f"{apdu[1]:02x} {payload.hex()}", apdu.hex(), result


def deciphered(apdu: str, header_size: int) -> str:
    payload = bytes.fromhex(apdu)[5:-9]
    return crypto.unpad(crypto.cbc_decrypt(ENC, payload[header_size:], crypto.command_iv(ENC, TI, 0))).hex()


MACED: list[tuple[Callable[[Ev2Session], Conversation[Any]], str]] = [
    (lambda s: commands.create_application(s, layout.AID, 0x09, 3, 0), "ca f54d43099301000210" + "00"),
    (lambda s: commands.delete_application(s, layout.AID), "da f54d43"),
    (lambda s: commands.create_backup_data_file(s, 1, layout.ENTITLEMENT_RIGHTS, 128), "cb 01012f11800000"),
    (
        lambda s: commands.create_value_file(s, 2, layout.VALUE_RIGHTS, -(2**31), 2**31 - 1, 2**31 - 1, 0),
        "cc 0201ff11" + "00000080" + "ffffff7f" * 2 + "00",
    ),
    (
        lambda s: commands.create_cyclic_record_file(s, 3, layout.RECORD_RIGHTS, 32, 7),
        "c0 0301ff11200000070000",
    ),
    (lambda s: commands.write_data(s, 1, 0, b"\xab\xcd"), "8d 01000000020000abcd"),
    (lambda s: commands.write_record(s, 3, 0, b"\xab\xcd"), "8b 03000000020000abcd"),
    (lambda s: commands.debit(s, 2, 12_000), "dc 02e02e0000"),
    (lambda s: commands.credit(s, 2, 1), "0c 0201000000"),
    (lambda s: commands.limited_credit(s, 2, 1), "1c 0201000000"),
    (commands.abort_transaction, "a7 "),
    (lambda s: commands.create_std_data_file(s, 4, b"\x2f\x11", 300), "cd 04012f112c0100"),
    (lambda s: commands.delete_file(s, 4), "df 04"),
    (commands.format_picc, "fc "),
    (lambda s: commands.initialize_key_set(s, 1), "56 0102"),
    (lambda s: commands.finalize_key_set(s, 1, 7), "57 0107"),
]


@pytest.mark.parametrize(("conversation", "golden"), MACED)
def test_commands_in_mac_mode(conversation: Callable[[Ev2Session], Conversation[Any]], golden: str) -> None:
    sent, _, result = talk(conversation)
    assert sent == golden
    assert result is None


@pytest.mark.parametrize(("conversation", "golden"), MACED)
def test_commands_that_answer_nothing_refuse_an_answer(
    conversation: Callable[[Ev2Session], Conversation[Any]], golden: str
) -> None:
    with pytest.raises(errors.MalformedAnswer, match="data where none belongs"):
        talk(conversation, "00")


FULL: list[tuple[Callable[[Ev2Session], Conversation[Any]], str, str]] = [
    (
        lambda s: commands.create_transaction_mac_file(s, 15, layout.PROOF_RIGHTS, KEY, 1),
        "ce0f01ff1f02",
        KEY.hex() + "01",
    ),
    # New key F384…, version 01, old key zero: the plain text of AN12196 table 25.
    (lambda s: commands.change_other_key(s, 2, KEY, 1, bytes(16)), "c402", KEY.hex() + "01789dfadc"),
    (lambda s: commands.change_other_key(s, 2, KEY, 1, KEY), "c402", "00" * 16 + "01789dfadc"),
    (lambda s: commands.change_key_settings(s, 0x09), "54", "09"),
    (lambda s: commands.set_configuration(s, 0, b"\x01"), "5c00", "01"),
    (lambda s: commands.set_default_key(s, KEY, 7), "5c01", KEY.hex() + "00" * 8 + "07"),
    (lambda s: commands.change_file_settings(s, 2, CommMode.MAC, b"\xff\x11"), "5f02", "01ff11"),
    (lambda s: commands.change_key_in_set(s, 1, 2, KEY, 1, bytes(16)), "c60102", KEY.hex() + "01789dfadc"),
]


@pytest.mark.parametrize(("conversation", "header", "plain"), FULL)
def test_commands_in_full_mode(
    conversation: Callable[[Ev2Session], Conversation[Any]], header: str, plain: str
) -> None:
    _, apdu, _ = talk(conversation)
    ins_and_header = bytes.fromhex(header)
    raw = bytes.fromhex(apdu)
    assert raw[1:2] + raw[5 : 4 + len(ins_and_header)] == ins_and_header
    assert deciphered(apdu, len(ins_and_header) - 1) == plain


def test_reads_take_their_answers_apart() -> None:
    assert talk(lambda s: commands.read_data(s, 1, 0, 4), "00112233")[::2] == (
        "ad 01000000040000",
        b"\x00\x11\x22\x33",
    )
    assert talk(lambda s: commands.read_records(s, 3, 0, 1, 2), "abcd")[::2] == (
        "ab 03000000010000",
        b"\xab\xcd",
    )
    assert talk(lambda s: commands.get_value(s, 2), "00000080")[::2] == ("6c 02", -(2**31))
    assert talk(lambda s: commands.get_key_version(s, 1), "07")[::2] == ("64 01", 7)
    assert talk(commands.commit_transaction, "010000000102030405060708")[0] == "c7 01"
    assert talk(lambda s: commands.read_all_records(s, 3, 2), "000111102220")[::2] == (
        "ab 03000000000000",
        (b"\x22\x20", b"\x11\x10", b"\x00\x01"),
    )
    assert talk(commands.get_key_settings, "0983")[::2] == ("45 ", commands.KeySettings(0x09, 3, True))
    assert talk(commands.get_key_settings, "0f01")[2] == commands.KeySettings(0x0F, 1, False)
    assert talk(commands.get_application_ids, "f54d43010203")[::2] == ("6a ", (layout.AID, b"\x01\x02\x03"))
    assert talk(commands.get_file_ids, "0102030f")[::2] == ("6f ", (1, 2, 3, 15))
    assert talk(commands.free_memory, "001f00")[::2] == ("6e ", 0x1F00)
    assert talk(lambda s: commands.commit_reader_id(s, KEY), "ab" * 16)[::2] == (
        f"c8 {KEY.hex()}",
        b"\xab" * 16,
    )
    settings = talk(lambda s: commands.get_file_settings(s, 1), "01012f11800000")[2]
    assert settings == commands.FileSettings(1, 1, b"\x2f\x11", b"\x80\x00\x00")


@pytest.mark.parametrize(
    ("conversation", "body"),
    [
        (lambda s: commands.read_data(s, 1, 0, 4), "001122"),
        (lambda s: commands.read_records(s, 3, 0, 1, 2), "abcdef"),
        (lambda s: commands.get_value(s, 2), "000000"),
        (lambda s: commands.get_key_version(s, 1), ""),
        (commands.commit_transaction, ""),
        (commands.get_version, "04010133"),
        (lambda s: commands.get_file_settings(s, 1), "0101"),
        (lambda s: commands.read_all_records(s, 3, 2), "0001ff"),
        (lambda s: commands.read_all_records(s, 3, 2), ""),
        (commands.get_key_settings, "09"),
        (commands.get_application_ids, "f54d4301"),
        (commands.free_memory, "001f"),
        (lambda s: commands.commit_reader_id(s, KEY), "ab" * 15),
    ],
)
def test_answers_of_another_size_are_refused(
    conversation: Callable[[Ev2Session], Conversation[Any]], body: str
) -> None:
    session = Ev2Session(TI, 0, ENC, MAC)
    with pytest.raises(errors.MalformedAnswer):
        talk(conversation, body, session)
    assert not session.alive


def test_data_where_none_belongs_is_refused_and_ends_the_session() -> None:
    for conversation, _ in MACED:
        session = Ev2Session(TI, 0, ENC, MAC)
        with pytest.raises(errors.MalformedAnswer, match="none belongs"):
            talk(conversation, "00", session)
        assert not session.alive


def test_a_change_of_the_own_key_ends_the_session() -> None:
    session = Ev2Session(TI, 0, ENC, MAC)
    sent: list[bytes] = []

    def card(apdu: bytes) -> bytes:
        sent.append(apdu)
        return b"\x91\x00"

    run(commands.change_own_key(session, commands.PICC_AES_KEY_NO, KEY, 3), card)
    assert sent[0][1] == Opcode.CHANGE_KEY
    assert sent[0][5] == 0x80
    assert deciphered(sent[0].hex(), 1) == KEY.hex() + "03"
    assert not session.alive


def test_the_uid_comes_deciphered() -> None:
    """The bytes are those of AN12343, page 15."""
    uid = VECTORS["an12343-p15-getcarduid"]
    given, expected = uid["input"], uid["expected"]
    keys = (bytes.fromhex(given["ses_auth_enc"]), bytes.fromhex(given["ses_auth_mac"]))
    session = Ev2Session(bytes.fromhex(given["ti"]), given["cmd_ctr"], *keys)
    answer = bytes.fromhex(expected["resp_ciphertext"] + expected["resp_mact"]) + b"\x91\x00"
    assert run(commands.get_card_uid(session), lambda _: answer).hex() == "04de5f1eacc040"


def test_a_roll_ends_the_session_and_its_answer_may_be_signed_or_not() -> None:
    signed = crypto.cmac(MAC, b"\x00\x01\x00" + TI)[1::2]
    for answer in (b"\x91\x00", signed + b"\x91\x00"):
        session = Ev2Session(TI, 0, ENC, MAC)
        sent: list[bytes] = []
        run(commands.roll_key_set(session, 1), lambda apdu, to=sent, it=answer: to.append(apdu) or it)
        assert sent[0][:6].hex() == "905500000901"
        assert not session.alive
    for answer in (signed[:7], signed + b"\x00", flipped(signed), bytes(8)):
        with pytest.raises(errors.WrongResponseMac):
            run(
                commands.roll_key_set(Ev2Session(TI, 0, ENC, MAC), 1),
                lambda _, it=answer: it + b"\x91\x00",
            )


@pytest.mark.parametrize("answer", ["91a0", "6a82", "6d00"])
def test_a_card_without_our_application_is_not_of_this_system(answer: str) -> None:
    with pytest.raises(errors.NotACardOfThisSystem):
        run(commands.select_application(layout.AID), lambda _: bytes.fromhex(answer))


def test_get_version_outside_a_session() -> None:
    frames = iter(("04010133001a0591af", "04010103001a0591af", "04a1b2c3d4e5f6000000000001249100"))
    version = run(commands.get_version(), lambda _: bytes.fromhex(next(frames)))
    assert (version.vendor, version.hardware_type, version.hardware_major) == (4, 1, 0x33)
    assert version.uid.hex() == "04a1b2c3d4e5f6"
