"""The Display port on a reader's own LED and buzzer, by the escape commands of its profile.

It never delays a tap and never fails one: a wish is handed over, and a reader that refuses it stays dark
(`mancard reader test` says so, and why).
"""

from __future__ import annotations

from readers.pcsc.profiles import Profile
from readers.pcsc.watched import WatchedReader
from readers.shown import Lamp, Shown


class ReaderLamps:
    """Shows green, amber or red for the profile's time, then idle again."""

    def __init__(self, reader: WatchedReader, profile: Profile) -> None:
        self._reader = reader
        self._hold_s = profile.hold_ms / 1000
        self._idle = profile.lamps.idle
        self._commands = {
            Lamp.GREEN: profile.lamps.green,
            Lamp.AMBER: profile.lamps.amber,
            Lamp.RED: profile.lamps.red,
        }

    def show(self, shown: Shown) -> None:
        """See the Display port."""
        commands = self._commands[shown.lamp]
        if commands:
            self._reader.show(commands, self._hold_s, self._idle)
