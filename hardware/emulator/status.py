"""The status bytes of the card and the one exception that carries them.

Inside the emulator a refused command is raised as :class:`CardRefusal`; it never leaves the emulator: on
the wire it is ``91 SS``, and the session and the pending transaction are gone.
"""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Second status byte of ``91 SS`` (first byte in native framing)."""

    OK = 0x00
    NO_CHANGES = 0x0C
    OUT_OF_MEMORY = 0x0E
    ILLEGAL_COMMAND = 0x1C
    INTEGRITY_ERROR = 0x1E
    NO_SUCH_KEY = 0x40
    LENGTH_ERROR = 0x7E
    PERMISSION_DENIED = 0x9D
    PARAMETER_ERROR = 0x9E
    APPLICATION_NOT_FOUND = 0xA0
    AUTHENTICATION_ERROR = 0xAE
    MORE_FRAMES = 0xAF
    BOUNDARY_ERROR = 0xBE
    COMMAND_ABORTED = 0xCA
    DUPLICATE = 0xDE
    EEPROM_ERROR = 0xEE
    FILE_NOT_FOUND = 0xF0


class CardRefusal(Exception):
    """The chip answers ``status`` and ends the session."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


def require(condition: bool, status: Status) -> None:
    """Refuse with ``status`` unless ``condition`` holds."""
    if not condition:
        raise CardRefusal(status)
