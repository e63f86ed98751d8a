"""The CardReader port over a worker process, with a deadline on every call. It holds no PC/SC handle itself.

A worker that hangs or dies is killed and replaced: the tap under way sees a ReaderFault, as it would from an
unplugged reader, and the next call finds a fresh worker. Every call states how long its answer may take, so
neither the card thread nor a stop of the validator can wait for ever. The worker is given APDUs only, and of
this process's environment only what a Python needs to start.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from readers.pcsc.wire import (
    MAX_ANSWER_BYTES,
    MAX_REQUEST_BYTES,
    Answer,
    BrokenFrame,
    Frames,
    Order,
    frame,
    milliseconds,
)
from readers.ports import ReaderFault

READER_TIMEOUT_S: Final = 2.0
"""What one APDU, and any call beyond its own waiting time, may take. A card answers within 0.1 s."""
START_TIMEOUT_S: Final = 10.0
"""A busy bus computer may need seconds to start a process."""
END_TIMEOUT_S: Final = 2.0
WORKER: Final = (sys.executable, "-P", "-m", "readers.pcsc.worker")
INHERITED: Final = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "LD_LIBRARY_PATH", "PCSCLITE_CSOCK_NAME")

Avoid = Sequence[tuple[str, str]]
"""Pairs (beginning, mark): readers whose name has both are contact slots."""


class ServiceFault(ReaderFault):
    """The PC/SC service itself is not there."""


@dataclass(frozen=True, slots=True)
class SeenReader:
    """One reader of this machine. `mute`: something lies there that does not answer."""

    name: str
    present: bool
    mute: bool
    in_use: bool
    atr: bytes


class Worker:
    """One worker process, from its start to its end. Calls are made one at a time; `tell` from any thread."""

    def __init__(self, command: Sequence[str] = WORKER) -> None:
        """Start it. Raises ReaderFault when it does not come up."""
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # Ctrl-C ends the validator, and its end ends the worker
            )
        except OSError as fault:
            raise ReaderFault(
                f"The reader's worker cannot be started ({fault.strerror}): restart the device."
            ) from fault
        if self._process.stdin is None or self._process.stdout is None:
            raise ReaderFault("The reader's worker has no pipes: restart the device.")
        self._orders = self._process.stdin.fileno()
        self._answers = self._process.stdout.fileno()
        os.set_blocking(self._orders, False)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._frames = Frames(MAX_ANSWER_BYTES)
        self._pipes = threading.Lock()  # no descriptor is closed while `tell` may write to it
        self.alive = True
        self._answer(START_TIMEOUT_S)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def call(self, order: Order, payload: bytes, timeout_s: float) -> bytes:
        """Ask and wait for the answer. Raises ReaderFault; one that came too late has ended the worker."""
        self.tell(order, payload)
        return self._answer(timeout_s)

    def tell(self, order: Order, payload: bytes) -> None:
        """Send an order. Raises ReaderFault when the worker is gone or does not read."""
        request = frame(order, payload)
        if len(request) > MAX_REQUEST_BYTES:
            raise ReaderFault(f"A command of {len(payload)} bytes is too long for a reader.")
        with self._pipes:
            try:
                if self.alive:
                    os.write(self._orders, request)
                    return
            except OSError:
                pass
        self._give_up("The reader's worker ended by itself; it is started again.")

    def end(self) -> None:
        """Kill it and see it gone. Ending twice is no error."""
        with self._pipes:
            if not self.alive:
                return
            self.alive = False
            self._process.kill()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_TIMEOUT_S)

    def _answer(self, timeout_s: float) -> bytes:
        deadline_s = time.monotonic() + timeout_s
        try:
            while (found := self._frames.take()) is None:
                left_ms = (deadline_s - time.monotonic()) * 1000
                if left_ms <= 0 or not self._poll.poll(left_ms):
                    self._give_up(f"The reader did not answer within {timeout_s:g} s; it is started again.")
                data = os.read(self._answers, 65536)
                if not data:
                    self._give_up("The reader's worker ended by itself; it is started again.")
                self._frames.feed(data)
        except (OSError, BrokenFrame):
            self._give_up("The reader's worker is not understood; it is started again.")
            raise
        word, payload = found
        if word == Answer.DONE:
            return payload
        sentence = payload.decode("utf-8", "replace")
        raise ServiceFault(sentence) if word == Answer.SERVICE_LOST else ReaderFault(sentence)

    def _give_up(self, why: str) -> None:
        self.end()
        raise ReaderFault(why)


class WatchedLink:
    """One card in the field, through the worker that connected it. Answers in `card_lost` mean it left."""

    def __init__(
        self, worker: Worker, reader: str, atr: bytes, apdu_timeout_s: float, card_lost: frozenset[bytes]
    ) -> None:
        self._worker = worker
        self._apdu_timeout_s = apdu_timeout_s
        self._card_lost = card_lost
        self._open = True
        self.reader = reader
        self._atr = atr

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self._atr

    def transmit(self, apdu: bytes) -> bytes:
        """Exchange one APDU; b"" when the card left. Raises ReaderFault when the reader did."""
        if not self._open:
            return b""
        reply = self._worker.call(Order.TRANSMIT, apdu, self._apdu_timeout_s)
        return b"" if reply in self._card_lost else reply

    def close(self) -> None:
        """Let the card go; closing twice, after its removal or its worker's end is no error."""
        if self._open:
            self._open = False
            with contextlib.suppress(ReaderFault):
                self._worker.call(Order.CLOSE, b"", READER_TIMEOUT_S)


class WatchedReader:
    """The CardReader port on one PC/SC reader, named in full or by the beginning of its name.

    `card_lost` are answers of two bytes that this reader gives once the card has left. `setup` are escape
    commands for a reader that has just come. One thread uses it; `show` may be called from any.
    """

    def __init__(
        self,
        name: str,
        *,
        avoid: Avoid = (),
        card_lost: frozenset[bytes] = frozenset(),
        setup: Sequence[bytes] = (),
        apdu_timeout_s: float = READER_TIMEOUT_S,
    ) -> None:
        self.name = name
        self._avoid = tuple(avoid)
        self._card_lost = card_lost
        self._setup = tuple(setup)
        self._apdu_timeout_s = apdu_timeout_s
        self._held: list[Worker] = []  # shared with the finalizer: at most one
        self._is_new = True
        self._finalizer = weakref.finalize(self, _end_all, self._held)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, where: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    @property
    def worker_pid(self) -> int | None:
        """The process id of the worker that is alive now."""
        return self._held[0].pid if self._held and self._held[0].alive else None

    def wait_for_card(self, timeout_s: float) -> WatchedLink | None:
        """A connected card, or None after `timeout_s`.

        Raises ReaderFault when the reader or its service is not there at the end, or the worker hung.
        """
        try:
            worker = self._worker()
            found = worker.call(Order.WAIT_FOR_CARD, milliseconds(timeout_s), timeout_s + READER_TIMEOUT_S)
        except ReaderFault:
            self._is_new = True
            raise
        if self._is_new:
            self._is_new = False
            self.show(self._setup, 0.0, ())
        if not found:
            return None
        reader, atr = json.loads(found)
        return WatchedLink(worker, reader, bytes.fromhex(atr), self._apdu_timeout_s, self._card_lost)

    def wait_for_removal(self, timeout_s: float) -> bool:
        """Whether the field is empty; a reader that is gone has no card. Raises ReaderFault."""
        payload = milliseconds(timeout_s)
        return self._worker().call(Order.WAIT_FOR_REMOVAL, payload, timeout_s + READER_TIMEOUT_S) == b"\x01"

    def survey(self, timeout_s: float = 0.0) -> list[SeenReader]:
        """All readers of this machine, as soon as something changed, at the latest after `timeout_s`.

        Raises ReaderFault, ServiceFault without a PC/SC service.
        """
        raw = self._worker().call(Order.SURVEY, milliseconds(timeout_s), timeout_s + READER_TIMEOUT_S)
        return [
            SeenReader(name, present, mute, in_use, bytes.fromhex(atr))
            for name, present, mute, in_use, atr in json.loads(raw)
        ]

    def choose_from(self, names: Sequence[str]) -> str | None:
        """Which of these names is meant: exactly this reader's, else the first beginning with it."""
        if self.name in names:
            return self.name
        fitting = (name for name in names if name.startswith(self.name))
        return next(
            (one for one in fitting if not any(one.startswith(b) and m in one for b, m in self._avoid)), None
        )

    def describe(self, reader: str) -> dict[str, str]:
        """What that reader tells of itself: any of maker, model, serial, firmware. Raises ReaderFault."""
        told: dict[str, str] = json.loads(
            self._worker().call(Order.DESCRIBE, reader.encode(), READER_TIMEOUT_S)
        )
        return told

    def escape(self, reader: str, command: bytes) -> bytes:
        """Send one escape command to that reader; its reply. Raises ReaderFault when it is refused."""
        return self._worker().call(Order.ESCAPE, _json([reader, command.hex()]), READER_TIMEOUT_S)

    def show(self, now: Sequence[bytes], hold_s: float, then: Sequence[bytes]) -> None:
        """Ask for `now`, and for `then` after `hold_s`. Returns at once, never raises, promises nothing."""
        if not now and not then:
            return
        wish = _json([[part.hex() for part in now], round(hold_s * 1000), [part.hex() for part in then]])
        for worker in self._held[:1]:
            if worker.alive:
                with contextlib.suppress(ReaderFault):
                    worker.tell(Order.SHOW, wish)

    def close(self) -> None:
        """End the worker. The reader may be used again: it starts another."""
        _end_all(self._held)

    def _worker(self) -> Worker:
        if self._held and self._held[0].alive:
            return self._held[0]
        self._held.clear()
        self._is_new = True
        worker = Worker()
        self._held.append(worker)
        worker.call(Order.OPEN, _json([self.name, self._avoid]), READER_TIMEOUT_S)
        return worker


def _end_all(held: list[Worker]) -> None:
    for worker in held:
        worker.end()
    held.clear()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
