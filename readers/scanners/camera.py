"""A camera as a scanner: QR codes in its frames, through zxing-cpp. It keeps no picture.

At most `FRAMES_PER_S` frames are searched, and at most half of the time: the processor is for the cards. A
frame that cannot be read is counted and costs nothing else; a code that holds no text is no ticket and is
passed over.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import zxingcpp

from readers.scanners.frames import Frame, FrameSource, UnreadablePicture

FRAMES_PER_S: Final = 10
MOST_CODES: Final = 8
"""Of one frame: a wall of codes is not a rider."""


class CameraScanner:
    """See the ScannerEngine port. `clock` and `wait` (seconds) and `search` differ only in tests."""

    def __init__(
        self,
        name: str,
        source: FrameSource,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
        search: Callable[[Frame], list[str]] | None = None,
    ) -> None:
        self.name = name
        self._search = texts_in if search is None else search
        self.unreadable = 0
        """Frames that could not be read."""
        self._source = source
        self._clock = clock
        self._wait = wait
        self._texts: deque[str] = deque(maxlen=MOST_CODES)
        self._next_look_s = float("-inf")

    def read(self, timeout_s: float) -> str | None:
        """See the port. One frame may give several texts; while a code stays in view, each frame gives it."""
        deadline_s = self._clock() + timeout_s
        while not self._texts:
            now_s = self._clock()
            if now_s < self._next_look_s:
                self._wait(max(0.0, min(self._next_look_s, deadline_s) - now_s))
                if deadline_s < self._next_look_s:
                    return None
            self._look(max(0.0, deadline_s - self._clock()))
            if not self._texts and self._clock() >= deadline_s:
                return None
        return self._texts.popleft()

    def close(self) -> None:
        """See the port."""
        self._texts.clear()
        self._source.close()

    def _look(self, timeout_s: float) -> None:
        try:
            frame = self._source.next_frame(timeout_s)
        except UnreadablePicture:
            self.unreadable += 1
            frame = None
        began_s = self._clock()
        if frame is not None:
            self._texts.extend(self._search(frame))
        ended_s = self._clock()
        # A slow processor rests as long as it has searched: never more than half of it goes to a camera.
        self._next_look_s = max(began_s + 1 / FRAMES_PER_S, ended_s + (ended_s - began_s))


def texts_in(frame: Frame) -> list[str]:
    """The texts of the QR codes in one frame, at most `MOST_CODES`; empty for one that cannot be searched."""
    # Made anew each time: one kept in a module makes the library complain on stderr when the program ends.
    qr_codes = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    pixels = memoryview(frame.grey).cast("B", (frame.height, frame.width))
    try:
        found = zxingcpp.read_barcodes(pixels, formats=qr_codes)
    except Exception:  # noqa: BLE001 - a decoder written in C++ meets every picture there is
        return []
    texts = [code.text for code in found if code.valid and code.content_type is zxingcpp.ContentType.Text]
    return [text for text in texts if text][:MOST_CODES]
