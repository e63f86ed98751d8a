"""Chips that are no DESFire, as far as a fare reader gets with them: it learns their name and UID.

They keep no secret, hold no application and never change. MIFARE Plus and NTAG 424 DNA answer GetVersion;
MIFARE Classic and Ultralight have no ISO 14443-4 and answer nothing that is meant for the card.
"""

from __future__ import annotations

from hardware.emulator.kinds import ChipKind, version_frames
from hardware.emulator.state import CardState
from hardware.emulator.status import Status

TORN = b""
GET_UID = bytes.fromhex("FFCA000000")
GET_VERSION, CONTINUE = bytes.fromhex("9060000000"), bytes.fromhex("90AF000000")
FUNCTION_NOT_SUPPORTED = b"\x6a\x81"
CLASS_NOT_SUPPORTED = b"\x6e\x00"
READER_CLA = 0xFF
WRAPPED_CLA = 0x90


class OtherChip:
    """Stands where a :class:`hardware.emulator.card.VirtualCard` may lie. ``transmit`` never raises."""

    def __init__(self, state: CardState) -> None:
        self._state = state
        self._powered = True
        self._due_frames: list[bytes] = []

    @property
    def state(self) -> CardState:
        return self._state

    @property
    def uid(self) -> bytes:
        return self._state.uid

    @property
    def atr(self) -> bytes:
        return self._state.kind.traits.atr

    @property
    def powered(self) -> bool:
        return self._powered

    def power(self, on: bool) -> None:
        """Switch the field."""
        self._powered = on
        self._due_frames = []

    def transmit(self, apdu: bytes) -> bytes:
        """UID and GetVersion (wrapped or native), as the kind has them; ``b""`` when there is no field."""
        if not self._powered:
            return TORN
        if apdu[:1] == bytes((READER_CLA,)):
            return self.uid + b"\x90\x00" if apdu == GET_UID else FUNCTION_NOT_SUPPORTED
        kind: ChipKind = self._state.kind
        if not kind.traits.version:
            return CLASS_NOT_SUPPORTED
        wrapped = apdu[:1] == bytes((WRAPPED_CLA,))
        answer, status = self._version(apdu, wrapped)
        return answer + bytes((0x91, status)) if wrapped else bytes((status,)) + answer

    def _version(self, apdu: bytes, wrapped: bool) -> tuple[bytes, Status]:
        if apdu == (GET_VERSION if wrapped else b"\x60"):
            self._due_frames = version_frames(self._state.kind, self.uid)
        elif apdu != (CONTINUE if wrapped else b"\xaf") or not self._due_frames:
            self._due_frames = []
            return b"", Status.ILLEGAL_COMMAND
        frame = self._due_frames.pop(0)
        return frame, Status.MORE_FRAMES if self._due_frames else Status.OK
