from __future__ import annotations

from collections.abc import Callable

import pytest

from fare.core.desfire import errors
from fare.core.desfire.frames import MAX_ANSWER_FRAMES, MAX_ANSWER_SIZE, exchange, read_uid, run
from fare.core.desfire.opcodes import Opcode


def script(*pairs: tuple[str, str]) -> Callable[[bytes], bytes]:
    """A card that expects exactly these commands and gives these answers, in hex."""
    waiting = list(pairs)

    def transmit(apdu: bytes) -> bytes:
        expected, answer = waiting.pop(0)
        assert apdu.hex() == expected
        return bytes.fromhex(answer)

    return transmit


def test_a_command_without_data_has_no_length_byte() -> None:
    assert run(exchange(0x60), script(("9060000000", "01029100"))) == b"\x01\x02"


def test_a_command_with_data_says_its_length() -> None:
    assert run(exchange(0x5A, b"\xf5MC"), script(("905a000003f54d4300", "9100"))) == b""


def test_an_answer_in_frames_is_joined() -> None:
    card = script(("9060000000", "0191af"), ("90af000000", "0291af"), ("90af000000", "039100"))
    assert run(exchange(0x60), card) == b"\x01\x02\x03"


@pytest.mark.parametrize("size", [1, 254, 255, 256, 509, 510, 511, 600])
def test_a_long_command_is_sent_in_frames_that_hold_it_all(size: int) -> None:
    payload = bytes(n % 251 for n in range(size))
    frames: list[bytes] = []

    def transmit(apdu: bytes) -> bytes:
        assert apdu[4] == len(apdu) - 6
        assert apdu[1] == (Opcode.MORE_FRAMES if frames else Opcode.WRITE_DATA)
        frames.append(apdu[5:-1])
        return b"\x91\x00" if sum(map(len, frames)) == size else b"\x91\xaf"

    assert run(exchange(Opcode.WRITE_DATA, payload), transmit) == b""
    assert b"".join(frames) == payload
    assert all(len(frame) == 255 for frame in frames[:-1])


def test_a_command_is_split_into_frames_of_any_size() -> None:
    payload = bytes(n % 251 for n in range(300))
    for size in (1, 2, 54, 59, 60, 128, 150, 254, 255):
        frames: list[bytes] = []

        def transmit(apdu: bytes, frames: list[bytes] = frames) -> bytes:
            frames.append(apdu[5:-1])
            return b"\x91\x00" if sum(map(len, frames)) == len(payload) else b"\x91\xaf"

        assert run(exchange(Opcode.WRITE_DATA, payload, size), transmit) == b""
        assert b"".join(frames) == payload
        assert {len(frame) for frame in frames[:-1]} == {size}
        assert 1 <= len(frames[-1]) <= size


@pytest.mark.parametrize("size", [-1, 0, 256])
def test_a_frame_size_no_frame_can_have_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="255"):
        run(exchange(Opcode.WRITE_DATA, bytes(3), size), lambda _: pytest.fail("nothing may be sent"))


def test_an_answer_larger_than_any_is_cut_off() -> None:
    asked: list[bytes] = []

    def flood(apdu: bytes) -> bytes:
        asked.append(apdu)
        return bytes(254) + b"\x91\xaf"

    with pytest.raises(errors.MalformedAnswer, match="bytes"):
        run(exchange(0xAD), flood)
    assert len(asked) == MAX_ANSWER_SIZE // 254 + 1


@pytest.mark.parametrize(
    ("answer", "fault"), [("9100", errors.MalformedAnswer), ("919d", errors.PermissionDenied)]
)
def test_a_card_that_does_not_wait_for_the_second_frame_is_a_fault(
    answer: str, fault: type[errors.CardFault]
) -> None:
    with pytest.raises(fault):
        run(exchange(0x8D, bytes(300)), lambda _: bytes.fromhex(answer))


def test_data_before_the_command_is_complete_is_a_fault() -> None:
    with pytest.raises(errors.MalformedAnswer, match="before the command was complete"):
        run(exchange(0x8D, bytes(300)), lambda _: b"\x01\x91\xaf")


def test_an_endless_answer_is_cut_off() -> None:
    asked: list[bytes] = []

    def endless(apdu: bytes) -> bytes:
        asked.append(apdu)
        return b"\x00\x91\xaf"

    with pytest.raises(errors.MalformedAnswer, match="frames"):
        run(exchange(0x60), endless)
    assert len(asked) == MAX_ANSWER_FRAMES + 1


@pytest.mark.parametrize("answer", [b"", b"\x91"])
def test_a_reply_shorter_than_two_bytes_is_a_torn_card(answer: bytes) -> None:
    with pytest.raises(errors.CardTorn, match="GetValue"):
        run(exchange(0x6C), lambda _: answer)
    with pytest.raises(errors.CardTorn):
        run(read_uid(), lambda _: answer)


def test_a_status_that_is_not_wrapped_is_not_taken_for_an_answer() -> None:
    with pytest.raises(errors.NotWrapped, match="6D00"):
        run(exchange(0x6C), lambda _: b"\x6d\x00")


def test_the_uid_is_asked_of_the_reader() -> None:
    assert run(read_uid(), script(("ffca000000", "04a1b2c3d4e5f69000"))).hex() == "04a1b2c3d4e5f6"


@pytest.mark.parametrize("answer", ["08a1b2c39000", "6a81", "04a1b2c3d4e5f69100", "04a1b2c3d4e5f6f7f8f99000"])
def test_a_card_without_a_seven_byte_uid_is_not_ours(answer: str) -> None:
    with pytest.raises(errors.NotACardOfThisSystem, match="UID"):
        run(read_uid(), lambda _: bytes.fromhex(answer))


def test_a_fault_of_the_reader_passes_through_and_closes_the_conversation() -> None:
    conversation = exchange(0x6C)

    def unplugged(_: bytes) -> bytes:
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        run(conversation, unplugged)
    with pytest.raises(StopIteration):
        next(conversation)
