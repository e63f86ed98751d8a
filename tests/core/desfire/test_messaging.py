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


BODY = bytes.fromhex("50C300000102030405060708")
CTR = 5  # the counter the command is sent with; its answer is signed over 6


def _mac(message: bytes, key: bytes = MAC) -> bytes:
    return crypto.cmac(key, message)


def _signed_as(status: int = 0, ctr: bytes = b"\x06\x00", ti: bytes = TI, body: bytes = BODY) -> bytes:
    return _mac(bytes([status]) + ctr + ti + body)


RIGHT = _signed_as()[1::2]
COMMAND_HEADER = b"\x02"

# What a forger, a broken reader or a misreading of the specification would answer to GetValue.
FORGED: dict[str, bytes] = {
    "MAC truncated to 7 bytes": BODY + RIGHT[:7],
    "MAC truncated to 4 bytes": BODY + RIGHT[:4],
    "no MAC at all": BODY,
    "MAC alone, its body lost": RIGHT,
    "MAC with a trailing zero": BODY + RIGHT + b"\x00",
    "MAC with a leading zero": BODY + b"\x00" + RIGHT,
    "MAC not truncated": BODY + _signed_as(),
    "even bytes instead of odd": BODY + _signed_as()[0::2],
    "first half": BODY + _signed_as()[:8],
    "second half": BODY + _signed_as()[8:],
    "bytes in reverse": BODY + RIGHT[::-1],
    "all zeros": BODY + bytes(8),
    "all ones": BODY + b"\xff" * 8,
    "one bit of the body": b"\x51" + BODY[1:] + RIGHT,
    "a byte more of body": BODY + b"\x00" + RIGHT,
    "MAC before the body": RIGHT + BODY,
    "counter one behind": BODY + _signed_as(ctr=b"\x05\x00")[1::2],
    "counter one ahead": BODY + _signed_as(ctr=b"\x07\x00")[1::2],
    "counter most significant byte first": BODY + _signed_as(ctr=b"\x00\x06")[1::2],
    "counter left out": BODY + _signed_as(ctr=b"")[1::2],
    "another TI": BODY + _signed_as(ti=b"\x9c" + TI[1:])[1::2],
    "TI in reverse": BODY + _signed_as(ti=TI[::-1])[1::2],
    "TI left out": BODY + _signed_as(ti=b"")[1::2],
    "status 90 signed": BODY + _signed_as(status=0x90)[1::2],
    "status AF signed": BODY + _signed_as(status=0xAF)[1::2],
    "MAC of the command": BODY + _mac(b"\x6c\x05\x00" + TI + COMMAND_HEADER)[1::2],
    "command byte instead of the status": BODY + _mac(b"\x6c\x06\x00" + TI + BODY)[1::2],
    "signed with the ENC key": BODY + _mac(b"\x00\x06\x00" + TI + BODY, ENC)[1::2],
    "signed with a zero key": BODY + _mac(b"\x00\x06\x00" + TI + BODY, bytes(16))[1::2],
    "answer to another command": b"\x00" + _signed_as(ctr=b"\x04\x00", body=b"\x00")[1::2],
    "empty": b"",
}


def _accepted(forged: dict[str, bytes], ins: int, mode: CommMode, fault: type[errors.CardFault]) -> list[str]:
    """The answers that were not refused with exactly this fault, or after which the session went on."""
    accepted: list[str] = []
    for name, answered in forged.items():
        talk = session(CTR)
        try:
            run(talk.command(ins, COMMAND_HEADER, mode=mode), lambda _, it=answered: it + b"\x91\x00")
            accepted.append(name)
        except fault:
            accepted += [name] if talk.alive else []
    return accepted


def test_every_forged_answer_is_refused_and_ends_the_session() -> None:
    assert run(session(CTR).command(0x6C, COMMAND_HEADER), lambda _: BODY + RIGHT + b"\x91\x00") == BODY
    assert _accepted(FORGED, 0x6C, CommMode.MAC, errors.WrongResponseMac) == []


def test_an_error_is_believed_even_unsigned_and_ends_the_session() -> None:
    for status, fault in ((0x9D, errors.PermissionDenied), (0xAE, errors.AuthenticationFailed)):
        for signed in (b"", _signed_as(status=status, body=b"")[1::2], BODY + RIGHT):
            talk = session(CTR)
            with pytest.raises(fault):
                run(talk.command(0x6C, COMMAND_HEADER), lambda _, s=status, m=signed: m + bytes([0x91, s]))
            assert not talk.alive


def test_a_recorded_answer_is_refused_the_second_time() -> None:
    talk = session(CTR)
    recorded = BODY + RIGHT + b"\x91\x00"
    assert run(talk.command(0x6C, COMMAND_HEADER), lambda _: recorded) == BODY
    with pytest.raises(errors.WrongResponseMac):
        run(talk.command(0x6C, COMMAND_HEADER), lambda _: recorded)
    assert not talk.alive


def _full_answer(cipher: bytes) -> bytes:
    return cipher + _signed_as(body=cipher)[1::2]


def test_full_mode_refuses_bad_padding_and_wrong_initial_vectors() -> None:
    iv = crypto.response_iv(ENC, TI, CTR + 1)
    plain = b"the answer"
    good = crypto.cbc_encrypt(ENC, crypto.pad(plain), iv)
    assert (
        run(session(CTR).command(0x51, mode=CommMode.FULL), lambda _: _full_answer(good) + b"\x91\x00")
        == plain
    )
    padding = crypto.pad(plain)
    bad = {
        "no padding": crypto.cbc_encrypt(ENC, b"sixteen bytes ok", iv),
        "zeros only": crypto.cbc_encrypt(ENC, plain + bytes(6), iv),
        "81 instead of 80": crypto.cbc_encrypt(ENC, padding.replace(b"\x80", b"\x81"), iv),
        "a one among the zeros": crypto.cbc_encrypt(ENC, padding[:-1] + b"\x01", iv),
        "a whole block of zeros after the padding": crypto.cbc_encrypt(ENC, padding + bytes(16), iv),
        "PKCS7": crypto.cbc_encrypt(ENC, plain + b"\x06" * 6, iv),
        "IV of the command": crypto.cbc_encrypt(ENC, padding, crypto.command_iv(ENC, TI, CTR + 1)),
        "IV of the counter before": crypto.cbc_encrypt(ENC, padding, crypto.response_iv(ENC, TI, CTR)),
        "IV of the counter after": crypto.cbc_encrypt(ENC, padding, crypto.response_iv(ENC, TI, CTR + 2)),
        "IV of another TI": crypto.cbc_encrypt(ENC, padding, crypto.response_iv(ENC, bytes(4), CTR + 1)),
        "zero IV": crypto.cbc_encrypt(ENC, padding),
        "enciphered with the MAC key": crypto.cbc_encrypt(MAC, padding, iv),
        "not enciphered": padding,
        "a byte short": good[:-1],
        "a byte long": good + b"\x00",
    }
    forged = {name: _full_answer(cipher) for name, cipher in bad.items()}
    assert _accepted(forged, 0x51, CommMode.FULL, errors.MalformedAnswer) == []
    with pytest.raises(errors.WrongResponseMac):
        run(session(CTR).command(0x51, mode=CommMode.FULL), lambda _: good + b"\x91\x00")
