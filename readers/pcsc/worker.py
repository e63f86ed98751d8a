"""The process that owns every PC/SC handle: `python -m readers.pcsc.worker`, spoken to over its own stdin and
stdout. It sees APDUs only, never a key, and decides nothing.

A hung SCardTransmit cannot be cancelled, a hung process can be replaced: whoever started this one waits with
a deadline, kills it and starts another. It ends with its parent, whatever it is doing, because a thread does
nothing but wait for the other end of stdin to be closed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import threading
from collections.abc import Callable
from typing import Any, Final

from readers.pcsc.wire import MAX_REQUEST_BYTES, Answer, BrokenFrame, Frames, Order, frame, seconds

READ_BYTES: Final = 65536
NO_LIBRARY: Final = (
    "The PC/SC library (pyscard) is missing here: set the installation up again with 'make run'."
)


class Lamps(threading.Thread):
    """Sends the newest wish to LED and buzzer while no card is connected; what failed is forgotten."""

    def __init__(self, send: Callable[[list[bytes]], None]) -> None:
        super().__init__(name="lamps", daemon=True)
        self._send = send
        self._changed = threading.Condition()
        self._wish: tuple[list[bytes], float, list[bytes]] | None = None

    def show(self, now: list[bytes], hold_s: float, then: list[bytes]) -> None:
        """`now` at once, `then` after `hold_s` unless something else is shown by then."""
        with self._changed:
            self._wish = (now, hold_s, then)
            self._changed.notify()

    def run(self) -> None:
        """Until the process ends."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wish is not None)
                wish, self._wish = self._wish, None
            if wish is None:
                continue
            now, hold_s, then = wish
            self._try(now)
            with self._changed:
                replaced = self._changed.wait_for(lambda: self._wish is not None, hold_s)
            if not replaced:
                self._try(then)

    def _try(self, commands: list[bytes]) -> None:
        if commands:
            # A lamp that cannot be lit costs nobody a ride; `mancard reader test` says why it stays dark.
            with contextlib.suppress(Exception):
                self._send(commands)


class Desk:
    """Carries out one order after the other."""

    def __init__(self) -> None:
        from readers.pcsc import direct  # noqa: PLC0415 - without the library the worker must still say so

        self._pcsc = direct
        self._reader = direct.DirectReader("")
        self._survey = direct.Survey()
        self._seen: list[direct.ReaderState] = []
        self._lamps = Lamps(self._send_apart)
        self._lamps.start()

    def carry_out(self, order: int, payload: bytes) -> bytes | None:
        """The answer's frame; None for an order that has none."""
        if order == Order.SHOW:
            now, hold_ms, then = json.loads(payload)
            self._lamps.show(_commands(now), hold_ms / 1000, _commands(then))
            return None
        try:
            return frame(Answer.DONE, self._do(order, payload))
        except self._pcsc.ServiceLost as lost:
            return frame(Answer.SERVICE_LOST, str(lost).encode())
        except self._pcsc.ReaderTrouble as trouble:
            return frame(Answer.READER_FAULT, str(trouble).encode())

    def _send_apart(self, commands: list[bytes]) -> None:
        self._reader.escape_apart(commands)

    def _do(self, order: int, payload: bytes) -> bytes:
        match order:
            case Order.TRANSMIT:
                return self._reader.transmit(payload)
            case Order.WAIT_FOR_CARD:
                link = self._reader.wait_for_card(seconds(payload))
                return b"" if link is None else _json([link.reader, link.atr.hex()])
            case Order.WAIT_FOR_REMOVAL:
                return bytes([self._reader.wait_for_removal(seconds(payload))])
            case Order.CLOSE:
                self._reader.close_link()
                return b""
            case Order.OPEN:
                name, avoid = json.loads(payload)
                self._reader.close_link()
                self._reader = self._pcsc.DirectReader(name, [(begin, mark) for begin, mark in avoid])
                return b""
            case Order.SURVEY:
                self._seen = self._survey.look(seconds(payload), self._seen)
                return _json([[s.name, s.present, s.mute, s.in_use, s.atr.hex()] for s in self._seen])
            case Order.DESCRIBE:
                return _json(self._pcsc.describe(payload.decode()))
            case Order.ESCAPE:
                name, command = json.loads(payload)
                return self._pcsc.escape(name, bytes.fromhex(command))
            case _:
                raise BrokenFrame(f"there is no order {order}")


def serve(orders: int, answers: int) -> None:
    """Read orders from one descriptor and answer on the other, until it is closed. Raises BrokenFrame."""
    try:
        desk = Desk()
    except ImportError:
        os.write(answers, frame(Answer.SERVICE_LOST, NO_LIBRARY.encode()))
        return
    os.write(answers, frame(Answer.DONE))
    frames = Frames(MAX_REQUEST_BYTES)
    while data := os.read(orders, READ_BYTES):
        frames.feed(data)
        while (order := frames.take()) is not None:
            answer = desk.carry_out(*order)
            if answer is not None:
                os.write(answers, answer)


def _end_with_parent(orders: int) -> None:
    """Wait for nothing but the hang-up: a call that never returns must not keep an orphan alive."""
    poll = select.poll()
    poll.register(orders, 0)
    poll.poll()
    os._exit(0)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _commands(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def main() -> None:
    """Serve on stdin and stdout."""
    answers = os.dup(1)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a library that prints must not write into a frame
        os.dup2(nowhere.fileno(), 1)
    threading.Thread(target=_end_with_parent, args=(0,), name="parent", daemon=True).start()
    with contextlib.suppress(BrokenPipeError, BrokenFrame, KeyboardInterrupt):
        serve(0, answers)


if __name__ == "__main__":
    main()
