"""What an authentication leaves behind, whichever of the card's three kinds of secure messaging it opened.

A session unwraps commands and wraps responses in the three communication modes. It never decides who may do
what: that is :mod:`hardware.emulator.chip`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from hardware.emulator.status import Status, require


class CommMode(IntEnum):
    """Communication mode as stored in a file's settings."""

    PLAIN = 0
    MAC = 1
    FULL = 3


# SetConfiguration: 00 flags, 01 the default key (24 bytes and its version).
CONFIGURATION_BYTES = {0x00: 1, 0x01: 25}


def configuration_bytes(option: bytes) -> int:
    """How much data SetConfiguration has behind its option; 9E for one that this card does not know."""
    require(len(option) == 1, Status.LENGTH_ERROR)
    require(option[0] in CONFIGURATION_BYTES, Status.PARAMETER_ERROR)
    return CONFIGURATION_BYTES[option[0]]


class Session(Protocol):
    """The chip's side of one authenticated conversation.

    Every command that is answered goes through ``unwrap`` once and then, unless it ends the session, through
    ``wrap`` once: both move the session on.
    """

    @property
    def key_no(self) -> int:
        """The one key this session stands for."""
        ...

    def unwrap(self, mode: CommMode, ins: int, data: bytes, header_bytes: int) -> bytes:
        """Header and plain data of a command; a wrong MAC, checksum or padding is 1E, a wrong length 7E."""
        ...

    def wrap(self, mode: CommMode, payload: bytes) -> bytes:
        """The response data as it travels."""
        ...

    def wire_bytes(self, mode: CommMode, plain_bytes: int) -> int:
        """How many bytes that much data of a write becomes on the wire, MAC included, header excluded."""
        ...
