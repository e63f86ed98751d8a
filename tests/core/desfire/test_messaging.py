from __future__ import annotations

import pytest

from fare.core.desfire import crypto, errors
from fare.core.desfire.frames import run
from fare.core.desfire.messaging import Ev2Session
from fare.core.desfire.opcodes import CommMode

TI = bytes.fromhex("9D00C4DF")
ENC = bytes(range(16))
MAC = bytes(range(16, 32))


def session(cmd_ctr: int = 0) -> Ev2Session:
    return Ev2Session(TI, cmd_ctr, ENC, MAC)


def answer(body: bytes, cmd_ctr_after: int) -> bytes:
    """What a card with the same keys answers in MAC mode, composed here by hand."""
    message = b"\x00" + cmd_ctr_after.to_bytes(2, "little") + TI + body
    return body + crypto.cmac(MAC, message)[1::2] + b"\x91\x00"


def test_the_counter_advances_with_every_command_the_plain_ones_too() -> None:
    talk = session()
    run(talk.command(0x6C, b"\x02", mode=CommMode.PLAIN), lambda _: b"\x91\x00")
    assert talk.cmd_ctr == 1
    assert run(talk.command(0x6C, b"\x02"), lambda _: answer(b"1234", 2)) == b"1234"
    assert talk.cmd_ctr == 2


def test_an_answer_made_for_another_counter_is_refused() -> None:
    with pytest.raises(errors.WrongResponseMac):
        run(session().command(0x6C, b"\x02"), lambda _: answer(b"1234", 2))


def test_an_answer_in_frames_has_one_mac_at_the_end() -> None:
    whole = answer(bytes(range(20)), 1)[:-2]
    parts = iter((whole[:9] + b"\x91\xaf", whole[9:] + b"\x91\x00"))
    assert run(session().command(0x60), lambda _: next(parts)) == bytes(range(20))


@pytest.mark.parametrize("size", range(8))
def test_an_answer_without_its_mac_is_refused(size: int) -> None:
    with pytest.raises(errors.WrongResponseMac):
        run(session().command(0x8B, b"\x03"), lambda _: bytes(size) + b"\x91\x00")


@pytest.mark.parametrize("reply", [b"", b"\x91\x9d", b"\x91\xbe", b"\x6f\x00", bytes(8) + b"\x91\x00"])
def test_any_fault_ends_the_session(reply: bytes) -> None:
    talk = session()
    with pytest.raises(errors.CardFault):
        run(talk.command(0xDC, b"\x02", bytes(4)), lambda _: reply)
    assert not talk.alive
    with pytest.raises(errors.SessionOver):
        run(talk.command(0xC7, b"\x01"), lambda _: pytest.fail("nothing may be sent"))


def test_a_fault_of_the_reader_ends_the_session() -> None:
    talk = session()

    def unplugged(_: bytes) -> bytes:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the reader's own fault, whatever it says
        run(talk.command(0xC7, b"\x01"), unplugged)
    assert not talk.alive


def test_a_session_ends_before_its_counter_would_repeat() -> None:
    talk = session(cmd_ctr=0xFFFF)
    with pytest.raises(errors.SessionOver):
        talk.wrap(0x6C, b"\x02", b"", CommMode.MAC)


def test_full_mode_answers_are_deciphered_and_their_padding_judged() -> None:
    iv = crypto.response_iv(ENC, TI, 1)
    good = crypto.cbc_encrypt(ENC, crypto.pad(b"seven b"), iv)
    assert run(session().command(0x51, mode=CommMode.FULL), lambda _: answer(good, 1)) == b"seven b"
    bad = crypto.cbc_encrypt(ENC, bytes(16), iv)
    with pytest.raises(errors.MalformedAnswer, match="padding"):
        run(session().command(0x51, mode=CommMode.FULL), lambda _: answer(bad, 1))
    with pytest.raises(errors.MalformedAnswer):
        run(session().command(0x51, mode=CommMode.FULL), lambda _: answer(good[:-1], 1))


def test_the_last_command_takes_an_answer_without_a_mac_and_nothing_else() -> None:
    talk = session()
    run(talk.last_command(0xC4, b"\x00", bytes(17)), lambda _: b"\x91\x00")
    assert not talk.alive
    with pytest.raises(errors.MalformedAnswer):
        run(session().last_command(0xC4, b"\x00", bytes(17)), lambda _: answer(b"", 1))


def test_a_session_shows_no_key() -> None:
    shown = repr(session())
    assert ENC.hex() not in shown
    assert MAC.hex() not in shown
    assert TI.hex() in shown
