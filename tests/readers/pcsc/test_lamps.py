"""LED and buzzer: the right commands for each answer, the newest wish wins, a refusal harms nothing."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from typing import cast

from readers.display import AllDisplays, LastShown
from readers.pcsc.lamps import ReaderLamps
from readers.pcsc.profiles import LampCommands, Profile
from readers.pcsc.watched import WatchedReader
from readers.pcsc.worker import Lamps
from readers.shown import Lamp, Shown, ShownMedium

GREEN, RED, IDLE = b"\x01", b"\x02", b"\x03"
WAIT_S = 10.0


class Wishes:
    """What a reader is asked to show."""

    def __init__(self) -> None:
        self.shown: list[tuple[Sequence[bytes], float, Sequence[bytes]]] = []

    def show(self, now: Sequence[bytes], hold_s: float, then: Sequence[bytes]) -> None:
        self.shown.append((now, hold_s, then))


def answer(lamp: Lamp) -> Shown:
    return Shown(lamp, "ok", ShownMedium.CARD, 0)


def test_each_answer_shows_its_colour_and_then_idle() -> None:
    wishes = Wishes()
    profile = Profile("a", ("a",), hold_ms=700, lamps=LampCommands(green=(GREEN,), red=(RED,), idle=(IDLE,)))
    lamps = ReaderLamps(cast("WatchedReader", wishes), profile)
    last = LastShown()
    displays = AllDisplays(last, None, lamps)
    for lamp in (Lamp.GREEN, Lamp.AMBER, Lamp.RED):
        displays.show(answer(lamp))
    assert wishes.shown == [((GREEN,), 0.7, (IDLE,)), ((RED,), 0.7, (IDLE,))], (
        "amber is unknown to this reader"
    )
    assert last.now().shown == answer(Lamp.RED)


def test_the_newest_wish_is_shown_and_idle_comes_last() -> None:
    sent: queue.Queue[bytes] = queue.Queue()
    lamps = Lamps(lambda commands: sent.put(b"".join(commands)))
    lamps.start()
    lamps.show([GREEN], 60.0, [IDLE])
    assert sent.get(timeout=WAIT_S) == GREEN
    lamps.show([RED], 0.0, [IDLE])
    assert [sent.get(timeout=WAIT_S) for _ in range(2)] == [RED, IDLE]
    assert sent.empty(), "the green answer's idle was replaced by red"


def test_a_reader_that_refuses_does_not_stop_the_lamps() -> None:
    sent: queue.Queue[bytes] = queue.Queue()

    def refuse_green(commands: list[bytes]) -> None:
        if GREEN in commands:
            raise RuntimeError("refused")
        for command in commands:
            sent.put(command)

    lamps = Lamps(refuse_green)
    lamps.start()
    lamps.show([GREEN], 0.0, [IDLE])
    assert sent.get(timeout=WAIT_S) == IDLE
