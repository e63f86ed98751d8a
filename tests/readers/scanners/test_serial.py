"""USB scanners in serial mode, over a real pseudo-terminal."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from readers.ports import ScannerFault
from readers.scanners.lines import LINE_MAX_BYTES, SILENCE_S, Lines
from readers.scanners.serial import SerialLine
from readers.scanners.streaming import StreamingScanner
from tests.readers.scanners.plug import Plug


@pytest.fixture
def scanner(plug: Plug) -> Iterator[StreamingScanner]:
    made = StreamingScanner("serial:test", SerialLine(plug.path))
    assert made.read(0) is None  # opens it
    yield made
    made.close()


def test_texts_end_with_cr_or_lf_and_lose_their_aim_prefix(plug: Plug, scanner: StreamingScanner) -> None:
    plug.say(b"]Q1MC1:A B\r\n]Q3MC1:C\n\n\r]C1CODE128\r" + "سلام\n".encode())
    told = [scanner.read(1) for _ in range(4)]
    assert told == ["MC1:A B", "MC1:C", "]C1CODE128", "سلام"]
    assert scanner.read(0) is None


def test_any_slicing_gives_the_same_texts(plug: Plug, scanner: StreamingScanner) -> None:
    texts = [f"MC1:{n:03}{'X' * (n * 60)}" for n in range(6)]
    stream = b"".join(f"]Q1{text}\r\n".encode() for text in texts)
    draw = random.Random(1)
    for _ in range(20):
        told: list[str | None] = []
        rest = stream
        while rest:
            size = draw.choice((1, 2, 7, 64, 500))
            plug.say(rest[:size])
            rest = rest[size:]
            while (text := scanner.read(0)) is not None:
                told.append(text)
        while len(told) < len(texts):
            told.append(scanner.read(1))
        assert told == texts


def test_a_beginning_lapses_after_silence(plug: Plug, scanner: StreamingScanner) -> None:
    plug.say(b"MC1:HALF")
    assert scanner.read(2 * SILENCE_S) is None
    plug.say(b"MC1:WHOLE\r")
    assert scanner.read(1) == "MC1:WHOLE"
    assert (scanner.lines.left_unfinished, scanner.lines.unfinished) == (1, False)


def test_unplugging_is_a_fault_and_plugging_in_mends_it(plug: Plug, scanner: StreamingScanner) -> None:
    for _ in range(3):
        plug.say(b"before\r\nafter\r\nhal")
        assert scanner.read(1) == "before"
        plug.pull_out()
        assert scanner.read(1) == "after"  # it was read before
        with pytest.raises(ScannerFault, match="was lost: plug it in again"):
            scanner.read(1)
        with pytest.raises(ScannerFault, match=r"There is no scanner at .*: plug it in"):
            scanner.read(1)
        plug.put_in()
        assert scanner.read(0) is None
        plug.say(b"again\r")
        assert scanner.read(1) == "again"


def test_one_scanner_has_one_program(plug: Plug, scanner: StreamingScanner) -> None:
    second = StreamingScanner("serial:second", SerialLine(plug.path))
    with pytest.raises(ScannerFault, match="stop the program that holds it"):
        second.read(0)
    not_a_terminal = StreamingScanner("serial:file", SerialLine(Path(__file__)))
    with pytest.raises(ScannerFault, match="cannot be opened"):
        not_a_terminal.read(0)


# --- the lines alone ---


def taken(lines: Lines) -> list[str]:
    return list(iter(lines.take, None))


def test_what_is_too_long_is_dropped_whole_and_counted() -> None:
    for size, kept in ((LINE_MAX_BYTES, True), (LINE_MAX_BYTES + 1, False), (10 * LINE_MAX_BYTES, False)):
        for step in (1, 100, 10_000):
            lines = Lines()
            stream = b"A" * size + b"\rnext\r"
            for at in range(0, len(stream), step):
                lines.feed(stream[at : at + step])
            assert taken(lines) == (["A" * size] if kept else []) + ["next"]
            assert lines.too_long == (not kept)


def test_garbage_never_raises_and_nothing_grows() -> None:
    draw = random.Random(2)
    lines = Lines()
    for _ in range(500):
        lines.feed(draw.randbytes(4096))
        if draw.random() < 0.2:
            lines.lapse()
    waiting = taken(lines)
    assert 0 < len(waiting) <= 8
    assert lines.overrun > 0
    lines.feed(b"rest of garbage\nMC1:GOOD\n")
    assert taken(lines)[-1] == "MC1:GOOD"


def test_a_lapse_ends_a_line_that_was_too_long() -> None:
    lines = Lines()
    lines.feed(b"A" * 600)
    assert lines.unfinished
    lines.lapse()
    lines.feed(b"MC1:X\r")
    assert taken(lines) == ["MC1:X"]
