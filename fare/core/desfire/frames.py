"""Frames: wrapping commands, chaining with AF, turning status bytes into named faults. Never any key.

    command   90 INS 00 00 [Lc data] 00     no Lc without data
    answer    data 91 SS                    SS 00 ok, AF more frames, else an error

A command longer than a frame is sent in several: each but the last is answered `91 AF` without data, the rest
follow under INS AF. The reader splits what ISO 14443-4 cannot carry at once, so 255 bytes suit every card; a
reader that does not sets a smaller frame. An answer in frames is fetched by empty AF commands. `read_uid`
speaks the reader's own `FF CA`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeAlias, TypeVar

from fare.core.desfire.errors import (
    CardTorn,
    MalformedAnswer,
    NotACardOfThisSystem,
    NotWrapped,
    card_answered,
)
from fare.core.desfire.opcodes import Opcode

T = TypeVar("T")
Conversation: TypeAlias = Generator[bytes, bytes, T]
"""A card operation: yields C-APDU bytes, is sent R-APDU bytes (data ‖ SW1 ‖ SW2), returns T."""

OK = 0x00
MORE = 0xAF
MAX_FRAME_SIZE = 255
MAX_ANSWER_FRAMES = 64
MAX_ANSWER_SIZE = 8 * 1024
UID_SIZE = 7

_SW1 = 0x91
_READ_UID = bytes.fromhex("FFCA000000")


def run(conversation: Conversation[T], transmit: Callable[[bytes], bytes]) -> T:
    """Drive a conversation to its end with a function that exchanges one APDU."""
    try:
        command = next(conversation)
        while True:
            command = conversation.send(transmit(command))
    except StopIteration as end:
        return end.value
    finally:
        conversation.close()  # a reader fault ends the session of the conversation as well


def send_frame(ins: int, data: bytes = b"") -> Conversation[tuple[int, bytes]]:
    """One frame and its answer: (status byte, data). Raises CardTorn, and NotWrapped without SW1 91."""
    length = bytes([len(data)]) if data else b""
    answer = yield bytes([0x90, ins, 0, 0]) + length + data + b"\x00"
    if len(answer) < 2:
        raise CardTorn(ins)
    if answer[-2] != _SW1:
        raise NotWrapped(ins, f"status {answer[-2:].hex().upper()}")
    return answer[-1], answer[:-2]


def exchange(ins: int, payload: bytes = b"", frame_size: int = MAX_FRAME_SIZE) -> Conversation[bytes]:
    """One whole command, chained both ways: the answer's data, or the status raised as a named fault.

    `frame_size` is how many bytes of `payload` one frame carries (1 … 255); ValueError for another. An answer
    may come in frames of any size, in all no more than MAX_ANSWER_FRAMES after the first and MAX_ANSWER_SIZE.
    """
    if not 1 <= frame_size <= MAX_FRAME_SIZE:
        raise ValueError(f"a frame carries 1 to {MAX_FRAME_SIZE} bytes, not {frame_size}")
    frame_ins = ins
    sent = 0
    while len(payload) - sent > frame_size:
        status, data = yield from send_frame(frame_ins, payload[sent : sent + frame_size])
        if status != MORE:
            impatient = MalformedAnswer(ins, "the card did not wait for the rest")
            raise impatient if status == OK else card_answered(status, ins)
        if data:
            raise MalformedAnswer(ins, "data before the command was complete")
        sent += frame_size
        frame_ins = Opcode.MORE_FRAMES
    return (yield from _gather(ins, *(yield from send_frame(frame_ins, payload[sent:]))))


def _gather(ins: int, status: int, answer: bytes) -> Conversation[bytes]:
    """Fetch the frames after the first one."""
    for _ in range(MAX_ANSWER_FRAMES):
        if status != MORE:
            break
        status, data = yield from send_frame(Opcode.MORE_FRAMES)
        answer += data
        if len(answer) > MAX_ANSWER_SIZE:
            raise MalformedAnswer(ins, f"more than {MAX_ANSWER_SIZE} bytes")
    if status == MORE:
        raise MalformedAnswer(ins, f"more than {MAX_ANSWER_FRAMES} frames")
    if status != OK:
        raise card_answered(status, ins)
    return answer


def read_uid() -> Conversation[bytes]:
    """The card's 7-byte UID, asked of the reader.

    Proves nothing until a key diversified with it has authenticated.
    """
    answer = yield _READ_UID
    if len(answer) < 2:
        raise CardTorn(Opcode.READ_CARD_UID)
    if answer[-2:] != b"\x90\x00" or len(answer) != UID_SIZE + 2:
        raise NotACardOfThisSystem("no 7-byte UID")
    return answer[:-2]
