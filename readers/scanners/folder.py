"""Pictures as they appear in a folder, each once: for tests, and for a camera program that leaves files.

Whoever writes one writes it under a name that begins with a dot or ends in .tmp or .part, and renames it:
what appears is whole. It never removes or changes a file.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from readers.ports import ScannerFault
from readers.scanners.frames import Frame, UnreadablePicture, read_picture

LOOK_S: Final = 0.1
MOST_BYTES: Final = 40_000_000
ENDINGS: Final = (".png", ".jpg", ".jpeg", ".ppm", ".pgm")

_Look = tuple[int, int, int, str]
"""Time of change, inode, size and name: a file that was replaced is another one."""


class FolderFrames:
    """See the FrameSource port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: set[_Look] = set()
        self._new: list[_Look] = []

    def next_frame(self, timeout_s: float) -> Frame | None:
        """The next picture in the order of their times."""
        deadline_s = time.monotonic() + timeout_s
        while not self._new and not self._look():
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return None
            time.sleep(min(LOOK_S, left_s))
        _, _, size, name = self._new.pop(0)
        if size > MOST_BYTES:
            raise UnreadablePicture(f"a file of {size} bytes is too large")
        try:
            data = (self._folder / name).read_bytes()
        except OSError as fault:
            raise UnreadablePicture(f"{name} cannot be read ({fault.strerror})") from fault
        return read_picture(data)

    def close(self) -> None:
        """Nothing is held between two looks."""

    def _look(self) -> bool:
        try:
            with os.scandir(self._folder) as entries:
                there = {look for entry in entries if (look := _look_of(entry)) is not None}
        except OSError as fault:
            raise ScannerFault(
                f"There is no folder {self._folder} with pictures: make it, or give another --scanner."
            ) from fault
        self._new = sorted(there - self._seen)
        self._seen = there  # what has gone is forgotten, so that this cannot grow
        return bool(self._new)


def _look_of(entry: os.DirEntry[str]) -> _Look | None:
    if entry.name.startswith(".") or not entry.name.lower().endswith(ENDINGS):
        return None
    try:
        if not entry.is_file(follow_symlinks=False):
            return None  # a pipe would hold the scanner for ever
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return None  # it left between two looks
    return found.st_mtime_ns, found.st_ino, found.st_size, entry.name
