"""A reader at a counter: one card after another is laid on it, a job is run with each. Knows no key.

Virtual cards are laid by their tray, one after the other; on a PC/SC reader a person lays each and takes it
away again. What a job needs of a card is one function, which never raises: a reader that fails is a card that
left, and `problem` says why.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final, Protocol, Self, TypeAlias

from fare.core.errors import OperatorError
from readers.addresses import Equipment, resolve
from readers.ports import Link, ReaderFault, Tray

Transmit: TypeAlias = Callable[[bytes], bytes]
Tell: TypeAlias = Callable[[str], None]
LAID_WITHIN_S: Final = 10.0
"""A card that a tray has laid is found within this; pcscd looks every 0.4 s."""
LOOK_S: Final = 0.5
"""How long one look for a card lasts: so long a Ctrl-C may wait."""
_ALREADY: Final = frozenset({"already_issued"})


class Ended(Protocol):
    """How a job ended: with `result`, or with `error`, one word. `sentences` say it to a person."""

    @property
    def result(self) -> Mapping[str, Any] | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def sentences(self) -> Sequence[str]: ...


Job: TypeAlias = Callable[[Transmit], Ended]


class LaidCard:
    """One card on the reader. `name` is a virtual card's, None for one that a person laid there."""

    def __init__(self, name: str | None, link: Link) -> None:
        self.name = name
        self.problem: str | None = None
        self._link = link

    def transmit(self, apdu: bytes) -> bytes:
        """One APDU and its reply; empty when the card or the reader is gone. Never raises."""
        try:
            return self._link.transmit(apdu)
        except ReaderFault as fault:
            self.problem = str(fault)
            return b""


@dataclass(frozen=True, slots=True)
class Row:
    """One card of a batch: its result, or one word and the sentence that say why there is none."""

    name: str
    result: Mapping[str, Any] | None
    error: str | None
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """The row as a report takes it."""
        return {"name": self.name, "result": self.result, "error": self.error, "sentence": self.sentence}


@dataclass(slots=True)
class Batch:
    """What became of a batch. `stopped`: a person ended it before its count was reached; `broken_off`: why it
    could not go on.
    """

    rows: list[Row] = field(default_factory=list[Row])
    stopped: bool = False
    broken_off: str | None = None

    @property
    def done(self) -> int:
        """Cards that are issued."""
        return sum(row.result is not None for row in self.rows)

    @property
    def failed(self) -> int:
        """Cards that are not."""
        return len(self.rows) - self.done


class Counter:
    """The reader at `address`, see `readers.addresses`. Raises OperatorError when there is none."""

    def __init__(self, address: str) -> None:
        self._equipment: Equipment = resolve(address)

    def close(self) -> None:
        """Let go of the reader."""
        self._equipment.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, job: Job, tell: Tell, *, only: str | None = None, passing: Collection[str] = ()) -> Ended:
        """Run a job with one card: the virtual one `only`, or the first whose job ends in no `passing` error.

        Raises OperatorError when no card can be laid, or several could and none was named.
        """
        tray = self._equipment.tray
        if tray is not None and only is None and not passing and len(tray.cards()) > 1:
            known = ", ".join(card.name for card in tray.cards())
            raise OperatorError(f"Several cards lie in that folder ({known}): name one with --card.")
        ended: Ended | None = None
        for card in self._laid(tell, threading.Event(), only):
            ended = job(card.transmit)
            if card.problem is not None:
                tell(card.problem)
            if tray is None or ended.error not in passing:
                break
        if ended is None:
            raise OperatorError(
                "There is no card to lay on the reader: make one with 'mancard emulator new'."
            )
        return ended

    def batch(self, job: Job, count: int, tell: Tell, show: Callable[[Batch], None]) -> Batch:
        """Run a job with card after card until `count` succeeded, the tray is empty, or a person stops it.

        A card that fails is named with its sentence and the batch goes on; an OperatorError of the job ends
        it, since the next card would meet the same. The first Ctrl-C ends the batch after the card that is
        under way, a second one at once.
        """
        batch = Batch()
        virtual = self._equipment.tray is not None
        with _stopped_by_a_person() as stop:
            for card in self._laid(tell, stop, None):
                try:
                    ended = job(card.transmit)
                except OperatorError as fault:
                    batch.broken_off = str(fault)
                    break
                if virtual and ended.error in _ALREADY:
                    continue  # a folder holds cards of earlier batches too
                name = card.name or f"card {len(batch.rows) + 1}"
                row = Row(
                    name,
                    ended.result,
                    ended.error,
                    " ".join([*ended.sentences, *filter(None, [card.problem])]),
                )
                batch.rows.append(row)
                told = f"{name} was not issued. {row.sentence}"
                if row.result is not None:
                    told = f"{name} is card {row.result['serial']}."
                tell(told)
                show(batch)
                if batch.done == count or stop.is_set():
                    break
            batch.stopped = stop.is_set() and batch.done < count
        return batch

    def _laid(self, tell: Tell, stop: threading.Event, only: str | None) -> Iterator[LaidCard]:
        tray = self._equipment.tray
        return self._by_person(tell, stop) if tray is None else self._by_tray(tray, tell, stop, only)

    def _by_tray(self, tray: Tray, tell: Tell, stop: threading.Event, only: str | None) -> Iterator[LaidCard]:
        names = [card.name for card in tray.cards() if only is None or card.name == only]
        if only is not None and not names:
            raise OperatorError(
                f"There is no card '{only}' in that folder: 'mancard emulator cards' lists them."
            )
        for name in names:
            if stop.is_set():
                return
            try:
                tray.place(name)
            except Exception as fault:  # noqa: BLE001 - the hands of a tray say in any exception why they cannot
                tell(f"{name}: {fault}.")
                continue
            try:
                link = self._found(LAID_WITHIN_S)
                if link is None:
                    tell(f"{name}: the reader does not find it: check that its service runs.")
                    continue
                yield from _one(name, link)
            finally:
                tray.remove()
            with contextlib.suppress(ReaderFault):
                self._equipment.reader.wait_for_removal(LAID_WITHIN_S)

    def _by_person(self, tell: Tell, stop: threading.Event) -> Iterator[LaidCard]:
        while not stop.is_set():
            tell(f"Lay a card on {self._equipment.reader.name}.")
            link = None
            while link is None and not stop.is_set():
                link = self._looked(tell, stop)
            if link is None:
                return
            yield from _one(None, link)
            if stop.is_set():
                return
            tell("Take it away.")
            while not stop.is_set():
                try:
                    if self._equipment.reader.wait_for_removal(LOOK_S):
                        break
                except ReaderFault:
                    break  # whatever lay there is gone with the reader

    def _looked(self, tell: Tell, stop: threading.Event) -> Link | None:
        try:
            return self._equipment.reader.wait_for_card(LOOK_S)
        except ReaderFault as fault:
            tell(str(fault))
            stop.wait(LOOK_S)  # the reader is being looked for again; no faster than people read
            return None

    def _found(self, within_s: float) -> Link | None:
        try:
            return self._equipment.reader.wait_for_card(within_s)
        except ReaderFault:
            return None


def _one(name: str | None, link: Link) -> Iterator[LaidCard]:
    try:
        yield LaidCard(name, link)
    finally:
        link.close()


@contextmanager
def _stopped_by_a_person() -> Generator[threading.Event]:
    """Set by the first Ctrl-C; the second is a KeyboardInterrupt as ever."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def first(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, first)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
