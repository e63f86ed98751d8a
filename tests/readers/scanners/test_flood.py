"""A scanner that babbles for ten megabytes, and one that repeats itself: cards ride, nothing grows."""

from __future__ import annotations

import os
import random
import sys
import threading
import time

from fare.core.tap import Outcome
from readers.scanners.serial import SerialLine
from readers.scanners.serving import BURST, PER_SECOND, ScannerThreads
from readers.scanners.streaming import StreamingScanner
from readers.shown import Lamp
from tests.readers.bus import NOW_S, Bus
from tests.readers.scanners.plug import Plug

FLOOD_BYTES = 10_000_000
CARD_TAPS = 5


def babble(plug: Plug, cards_done: threading.Event, sent: list[int]) -> None:
    """Lines of every length and garbage, at least `FLOOD_BYTES` and at least until the cards are done."""
    draw = random.Random(5)
    blocks = [b"\r\n".join(draw.randbytes(draw.randrange(1, 700)) for _ in range(300)) for _ in range(4)]
    blocks.append(b"".join(b"MC1:%d\r" % n for n in range(10_000)))
    while sent[0] < FLOOD_BYTES or not cards_done.is_set():
        rest = memoryview(blocks[draw.randrange(len(blocks))])
        while rest:
            written = os.write(plug.master, rest)
            sent[0] += written
            rest = rest[written:]


def test_ten_megabytes_of_noise_leave_the_cards_their_turn(bus: Bus, plug: Plug) -> None:
    scanner = StreamingScanner("serial:flood", SerialLine(plug.path))
    assert scanner.read(0) is None
    threads = ScannerThreads([scanner], bus.process.scan)
    cards_done, sent = threading.Event(), [0]
    flood = threading.Thread(target=babble, args=(plug, cards_done, sent))
    blocks_before, began_s = sys.getallocatedblocks(), time.monotonic()
    threads.start()
    flood.start()
    try:
        for _ in range(CARD_TAPS):
            bus.clock.pass_s(600)
            assert bus.tap("one").lamp is Lamp.GREEN
    finally:
        cards_done.set()
        flood.join()
        took_s = time.monotonic() - began_s
        problem = threads.problem
        threads.stop()
    assert sent[0] >= FLOOD_BYTES
    assert scanner.lines.overrun + scanner.lines.too_long > 1000
    assert "says more than people can show" in problem
    taps = bus.journalled()
    assert [tap.outcome for tap in taps].count(Outcome.ACCEPTED) == CARD_TAPS
    assert len(taps) - CARD_TAPS <= BURST + PER_SECOND * (took_s + 1)
    assert sys.getallocatedblocks() - blocks_before < 50_000  # ten megabytes held in lines would be 250,000


def test_a_ticket_repeated_many_times_is_presented_once(bus: Bus, plug: Plug) -> None:
    scanner = StreamingScanner("serial:repeats", SerialLine(plug.path))
    assert scanner.read(0) is None
    ticket, other = (bus.issuer.phone().ticket_text(NOW_S, 1) for _ in range(2))
    scanned: list[str] = []
    heard = threading.Event()

    def scan(text: str) -> None:
        scanned.append(text)
        bus.process.scan(text)
        if text == other:
            heard.set()

    threads = ScannerThreads([scanner], scan)
    threads.start()
    try:
        for _ in range(20):
            os.write(plug.master, f"]Q1{ticket}\r\n".encode())
        os.write(plug.master, f"]Q1{other}\r\n".encode())
        assert heard.wait(10)
    finally:
        threads.stop()
    assert scanned == [ticket, other]
    assert [tap.outcome for tap in bus.journalled()] == [Outcome.ACCEPTED] * 2
