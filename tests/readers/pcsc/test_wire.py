"""Frames between validator and worker: whole ones come out however they arrive, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.pcsc.wire import BrokenFrame, Frames, frame, milliseconds, seconds


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=80)), max_size=5), st.integers(1, 40))
def test_frames_survive_any_cutting(sent: list[tuple[int, bytes]], piece: int) -> None:
    stream = b"".join(frame(*one) for one in sent)
    frames = Frames(100)
    arrived: list[tuple[int, bytes]] = []
    for at in range(0, len(stream), piece):
        frames.feed(stream[at : at + piece])
        while (one := frames.take()) is not None:
            arrived.append(one)
    assert arrived == sent


def test_a_length_that_no_frame_has_is_refused() -> None:
    for head in (b"\0\0\0\0", b"\0\0\0\x66", b"hell"):
        frames = Frames(100)
        frames.feed(head + b"o, who are you?")
        with pytest.raises(BrokenFrame):
            frames.take()


def test_times_keep_their_milliseconds() -> None:
    assert [seconds(milliseconds(time_s)) for time_s in (0.0, 0.25, 12.0, -1.0)] == [0.0, 0.25, 12.0, 0.0]
