"""The chip between power-on and power-off: selection, session, open transaction, and the rules every command
shares.

State reaches the non-volatile memory only through :meth:`Chip.store`, which calls ``save`` before anything
counts as written: a command whose state could not be saved has not happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hardware.emulator.files import FREE, NEVER, File, TransactionMacFile
from hardware.emulator.session import CommMode, Session
from hardware.emulator.state import KEY_BYTES, MASTER_KEY, PICC_AID, Application, CardKey, CardState
from hardware.emulator.status import CardRefusal, Status, require
from hardware.emulator.transaction import Transaction, TransactionMacReading

Save = Callable[[CardState], None]
RandomBytes = Callable[[int], bytes]
# The second half of an authentication: what to do with the data of ``AF``.
Challenge = Callable[["Chip", bytes], bytes]


class Chip:
    """Volatile context plus guarded access to the stored state."""

    def __init__(
        self, state: CardState, save: Save, reading: TransactionMacReading, random_bytes: RandomBytes
    ) -> None:
        self.state = state
        self.reading = reading
        self.random_bytes = random_bytes
        self._save = save
        self.selected = PICC_AID
        self.session: Session | None = None
        self.challenge: Challenge | None = None
        self.transaction = Transaction()

    # --- volatile context ---

    def reset(self) -> None:
        """Power-on, power-off or reset: nothing volatile survives."""
        self.select(PICC_AID)

    def select(self, aid: bytes) -> None:
        """Choose an application; authentication and transaction are gone."""
        self.selected = aid
        self.end_session()

    def end_session(self) -> None:
        self.session = None
        self.challenge = None
        self.transaction = Transaction()

    # --- stored state ---

    def store(self, state: CardState) -> None:
        """Make ``state`` the card's memory, durable first; EE when it cannot be saved."""
        try:
            self._save(state)
        except OSError:
            raise CardRefusal(Status.EEPROM_ERROR) from None
        self.state = state

    def store_application(self, application: Application) -> None:
        self.store(self.state.with_application(application))

    @property
    def at_card_level(self) -> bool:
        return self.selected == PICC_AID

    @property
    def application(self) -> Application:
        """The selected application; 9D at card level, where the command has no meaning."""
        require(not self.at_card_level, Status.PERMISSION_DENIED)
        return self.state.applications[self.selected]

    def keys(self) -> tuple[CardKey, ...]:
        """Active keys of what is selected."""
        return (self.state.picc_key,) if self.at_card_level else self.application.keys

    def key(self, key_no: int) -> CardKey:
        keys = self.keys()
        require(key_no < len(keys), Status.NO_SUCH_KEY)
        return keys[key_no]

    @property
    def key_settings(self) -> int:
        return self.state.picc_settings if self.at_card_level else self.application.key_settings

    def file(self, file_no: int) -> File:
        file = self.application.files.get(file_no)
        if file is None:
            raise CardRefusal(Status.FILE_NOT_FOUND)
        return file

    def pending(self, file_no: int) -> File:
        """The file as the open transaction would leave it."""
        return self.transaction.pending.get(file_no) or self.file(file_no)

    def files(self) -> Mapping[int, File]:
        return self.application.files

    def transaction_mac_file(self) -> tuple[int, TransactionMacFile] | None:
        for number, file in self.application.files.items():
            if isinstance(file, TransactionMacFile):
                return number, file
        return None

    def enter_mac_input(self, enters: bool, step: Callable[[], bytes]) -> None:
        """Add one step to the Transaction MAC input, if the application has such a file."""
        if enters and self.transaction_mac_file() is not None:
            self.transaction.mac_input.append(step())

    # --- permission ---

    def is_master(self) -> bool:
        """Is the master key of what is selected authenticated?"""
        return self.session is not None and self.session.key_no == MASTER_KEY

    def require_master(self) -> None:
        require(self.is_master(), Status.AUTHENTICATION_ERROR)

    def granted(self, nibbles: tuple[int, ...], mode: CommMode) -> CommMode:
        """The mode a file command travels in, or its refusal.

        ``nibbles`` are the rights any of which grants it. A free one forces plain; all F is 9D, otherwise AE.
        """
        require(any(nibble != NEVER for nibble in nibbles), Status.PERMISSION_DENIED)
        if FREE in nibbles:
            return CommMode.PLAIN
        authenticated = self.session is not None and self.session.key_no in nibbles
        require(authenticated, Status.AUTHENTICATION_ERROR)
        return mode

    # --- secure messaging ---

    @property
    def command_mode(self) -> CommMode:
        """Mode of the commands that belong to no file: MACed inside a session, plain outside.

        What MACed means is the session's affair: D40 has no MAC at card level, EV1 none on these commands.
        """
        return CommMode.PLAIN if self.session is None else CommMode.MAC

    def unwrap(self, mode: CommMode, ins: int, data: bytes, header_bytes: int) -> bytes:
        if self.session is None:
            require(mode is CommMode.PLAIN, Status.AUTHENTICATION_ERROR)
            return data
        return self.session.unwrap(mode, ins, data, header_bytes)

    def wrap(self, mode: CommMode, payload: bytes = b"") -> bytes:
        return payload if self.session is None else self.session.wrap(mode, payload)

    def wire_bytes(self, mode: CommMode, plain_bytes: int) -> int:
        """How long that much data of a write is on the wire."""
        return plain_bytes if self.session is None else self.session.wire_bytes(mode, plain_bytes)

    def unwrap_exactly(self, mode: CommMode, ins: int, data: bytes, header_bytes: int, size: int) -> bytes:
        """:meth:`unwrap`, refusing any other plain length than ``size`` with 7E."""
        plain = self.unwrap(mode, ins, data, header_bytes)
        require(len(plain) == size, Status.LENGTH_ERROR)
        return plain


def fresh_keys(count: int) -> tuple[CardKey, ...]:
    """Keys of a set that is not in use: all zero, version 0."""
    return (CardKey(bytes(KEY_BYTES), 0),) * count
