"""What a running process adds to its log, line by line. It only reads, and never what was there before."""

from __future__ import annotations

from pathlib import Path


class LogLines:
    """The lines appended to a file since this was made; half a line waits for its end."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_bytes = file.stat().st_size if file.exists() else 0

    def fresh(self) -> list[str]:
        """The whole lines that came since the last call."""
        try:
            with self._file.open("rb") as log:
                log.seek(self._read_bytes)
                fresh = log.read()
        except OSError:
            return []
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        return whole.decode(errors="replace").splitlines()
