"""A serial scanner that can be unplugged."""

from __future__ import annotations

import os
from pathlib import Path


class Plug:
    """A pseudo-terminal behind a name that stays, as udev's by-id names do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.master = -1
        self.put_in()

    def put_in(self) -> None:
        self.master, slave = os.openpty()
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(slave))
        self._slave = slave

    def pull_out(self) -> None:
        self.path.unlink(missing_ok=True)
        for handle in (self.master, self._slave):
            os.close(handle)
        self.master = -1

    def say(self, data: bytes) -> None:
        os.write(self.master, data)
