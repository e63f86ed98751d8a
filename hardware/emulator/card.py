"""The virtual card: APDUs in, APDUs out. A strict MIFARE DESFire EV3 with AES and EV2 secure messaging, and
beside them what older clients and a card as delivered need: EV1 messaging and the DES master key.

It imports nothing of the fare system and never trusts it: rights, modes, counters, boundaries and tearing
are checked as the chip would. Wrapped framing (``90 INS 00 00 [Lc data] 00`` → ``data 91 SS``), native
framing (``INS data`` → ``SS data``) and the reader's ``FF CA 00 00 00`` (→ UID 90 00) are served side by
side. A torn card answers ``b""``.

Where the public description leaves a byte open, this card chooses:

- Transaction MAC input of ReadRecords and WriteRecord: ``Off`` is the record number (read) or the byte
  offset in the record (write), ``Len`` the record count (read; 0 replaced by the actual count) or the byte
  length (write). The command byte enters as sent (AD or BD). Reads of standard files enter too.
  CommitReaderID enters as ``C8‖TMRI‖pad 15``.
- AuthenticateEV2First and every older authentication roll back an open transaction and empty the MAC input;
  EV2NonFirst keeps both and needs an EV2 session.
- An EV1 session meets the same rights and builds the same MAC input. What is published for EV2 sessions alone
  (ChangeKeyEV2, key sets, CreateTransactionMACFile, CommitReaderID) is 9D inside an older one.
- DES is the delivered master key and nothing else: no application has DES keys, and none can be set.
- Reads and GetValue answer committed contents, never pending ones. A second WriteRecord goes into the same
  pending record; bytes of it that were not written are zero.
- Commit with nothing pending is 0C (an error like others: the session ends), even after reads. Commit
  option 01 without a Transaction MAC file is 9D; an option above 01 is 9E; TMC at its limit is BE. Abort
  needs nothing pending and answers 00.
- Reading 0F takes the R right alone; TMC and TMV read as zero before the first commit.
- A command that finds another one unfinished (authentication, or frames still due) is CA. ``AF`` out of the
  blue is CA.
- ChangeKey at card level names the key 80 (AES); 00 would be a DES key and is 9E. The PICC key settings
  start as 0F.
- A right that is F on every path is 9D, any other missing right AE. A free right (E) among those that would
  grant forces plain mode even inside a session. A file of the wrong type is 9D.
- Commands that belong to no file are MACed inside a session and plain outside; ChangeKeySettings and
  SetConfiguration are enciphered. SetConfiguration knows option 00, of which it refuses a random UID with 9E,
  and option 01, the default key: its first 16 bytes and its version are those of every key of an application
  created afterwards, key sets not in use excepted; the 8 bytes between them are for longer keys and ignored.
- Legacy reads (BD, BB) come in frames of 59 bytes, GetVersion in 7 + 7 + the rest, anything longer than 253
  bytes in frames of 253, unless another size was ordered. Writes may be sent in frames of any size, continued
  by ``AF``.
- An EV1 lacks what EV2 brought (1C), key sets at CreateApplication (9E) and Commit's option (7E).
- DeleteFile and DeleteApplication give their memory back at once, the chip only when it is formatted. There
  is no linear record file, UpdateRecord or ClearRecordFile (1C).
- SelectApplication of an unknown AID leaves the card level selected. One AID only, no ISO names, no
  delegated ones.
- RollKeySet renumbers: the set rolled to becomes 0 and those before it move to the end; its version must be
  higher.
- A malformed wrapper (CLA, P1 P2, Lc, Le) answers 6E 00, 6A 86 or 67 00 and ends the session.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from hardware.emulator import (
    authentication,
    card_commands,
    data_commands,
    file_commands,
    key_commands,
    legacy_authentication,
)
from hardware.emulator.chip import Chip, RandomBytes, Save
from hardware.emulator.ev2_session import Ev2Session
from hardware.emulator.kinds import VERSION_FRAME_BYTES, ChipKind
from hardware.emulator.state import DELIVERED_KEY, CardKey, CardState
from hardware.emulator.status import CardRefusal, Status, require
from hardware.emulator.transaction import DEFAULT_READING, TransactionMacReading

Command = Callable[[Chip, int, bytes], bytes]

TORN = b""
GET_UID = bytes.fromhex("FFCA000000")
WRAPPED_CLA = 0x90
READER_CLA = 0xFF
ISO_CLA = 0x00
INS_CONTINUE = 0xAF
INS_GET_VERSION = 0x60
LEGACY_READS = frozenset((0xBD, 0xBB))
AUTHENTICATIONS = frozenset((0x71, 0x77, 0xAA, 0x1A, 0x0A))
SINCE_EV2 = frozenset((0x71, 0x77, 0xAD, 0xAB, 0x8D, 0x8B, 0xC6, 0x55, 0x56, 0x57, 0xCE, 0xC8))
# Published for EV2 sessions alone: ChangeKeyEV2, key sets, CreateTransactionMACFile, CommitReaderID.
EV2_SESSION_ONLY = frozenset((0xC6, 0x55, 0x56, 0x57, 0xCE, 0xC8))
CHAINED_WRITES = frozenset((0x8D, 0x3D, 0x8B, 0x3B))
LEGACY_FRAME_BYTES = 59
FRAME_BYTES = 253

COMMANDS: dict[int, Command] = {
    0x5A: card_commands.select_application,
    0x71: authentication.authenticate_first,
    0x77: authentication.authenticate_non_first,
    0xAA: legacy_authentication.authenticate_aes,
    0x1A: legacy_authentication.authenticate_iso,
    0x0A: legacy_authentication.authenticate_d40,
    0x60: card_commands.get_version,
    0x51: card_commands.get_card_uid,
    0x6A: card_commands.get_application_ids,
    0x6E: card_commands.free_memory,
    0xCA: card_commands.create_application,
    0xDA: card_commands.delete_application,
    0xFC: card_commands.format_card,
    0x5C: card_commands.set_configuration,
    0x45: card_commands.get_key_settings,
    0x54: card_commands.change_key_settings,
    0x64: key_commands.get_key_version,
    0xC4: key_commands.change_key,
    0xC6: key_commands.change_key_in_set,
    0x56: key_commands.initialize_key_set,
    0x57: key_commands.finalize_key_set,
    0x55: key_commands.roll_key_set,
    0xCD: file_commands.create_data_file,
    0xCB: file_commands.create_data_file,
    0xCC: file_commands.create_value_file,
    0xC0: file_commands.create_cyclic_file,
    0xCE: file_commands.create_transaction_mac_file,
    0xDF: file_commands.delete_file,
    0x6F: file_commands.get_file_ids,
    0xF5: file_commands.get_file_settings,
    0x5F: file_commands.change_file_settings,
    0xAD: data_commands.read_data,
    0xBD: data_commands.read_data,
    0xAB: data_commands.read_records,
    0xBB: data_commands.read_records,
    0x8D: data_commands.write,
    0x3D: data_commands.write,
    0x8B: data_commands.write,
    0x3B: data_commands.write,
    0x6C: data_commands.get_value,
    0xDC: data_commands.change_value,
    0x0C: data_commands.change_value,
    0x1C: data_commands.change_value,
    0xC8: data_commands.commit_reader_id,
    0xC7: data_commands.commit_transaction,
    0xA7: data_commands.abort_transaction,
}


def _not_saved(state: CardState) -> None:
    """A card without an image keeps its memory in the object alone."""


class VirtualCard:
    """One card in a field. ``transmit`` never raises: whatever is wrong is a status word.

    ``save`` receives the new memory before the reply to the command that changed it is returned.
    ``frame_bytes`` is how much data one answer carries, for every command but GetVersion; None leaves it as
    the module's text says.
    """

    def __init__(
        self,
        state: CardState,
        save: Save = _not_saved,
        *,
        reading: TransactionMacReading = DEFAULT_READING,
        random_bytes: RandomBytes = os.urandom,
        frame_bytes: int | None = None,
    ) -> None:
        if not state.kind.is_desfire:
            raise ValueError(f"a chip of the kind {state.kind.value!r} is no DESFire")
        if frame_bytes is not None and frame_bytes < 1:
            raise ValueError(f"a frame has at least one byte, not {frame_bytes}")
        self._chip = Chip(state, save, reading, random_bytes)
        self._frame_bytes = frame_bytes
        self._powered = True
        self._due_frames: list[bytes] = []
        self._partial: tuple[int, bytes, int] | None = None

    @classmethod
    def factory(
        cls,
        uid: bytes,
        *,
        reading: TransactionMacReading = DEFAULT_READING,
        random_bytes: RandomBytes = os.urandom,
        des_master: bool = False,
        kind: ChipKind = ChipKind.EV3,
        frame_bytes: int | None = None,
    ) -> VirtualCard:
        """A blank card with a master key of zeros: AES, or two-key triple DES as the chip is delivered.

        ``uid`` is 7 bytes; anything else is a ValueError.
        """
        if len(uid) != kind.uid_bytes:
            raise ValueError(f"a card's UID has {kind.uid_bytes} bytes, not {len(uid)}")
        state = CardState(uid, DELIVERED_KEY if des_master else CardKey(), kind=kind)
        return cls(state, reading=reading, random_bytes=random_bytes, frame_bytes=frame_bytes)

    @property
    def state(self) -> CardState:
        """What the card would still know without power."""
        return self._chip.state

    @property
    def uid(self) -> bytes:
        return self._chip.state.uid

    @property
    def atr(self) -> bytes:
        """What a PC/SC reader answers for it."""
        return self._chip.state.kind.traits.atr

    @property
    def powered(self) -> bool:
        return self._powered

    def power(self, on: bool) -> None:
        """Switch the field; on, off and reset all forget session, frames and uncommitted writes."""
        self._powered = on
        self._forget_frames()
        self._chip.reset()

    def transmit(self, apdu: bytes) -> bytes:
        """Answer one APDU; ``b""`` when there is no field."""
        if not self._powered:
            return TORN
        if apdu[:1] == bytes((READER_CLA,)):
            return self.uid + b"\x90\x00" if apdu == GET_UID else b"\x6a\x81"
        if apdu[:1] == bytes((WRAPPED_CLA,)):
            return self._wrapped(apdu)
        if not apdu or apdu[0] == ISO_CLA:
            self._refuse()
            return b"\x6e\x00" if apdu else b"\x67\x00"
        data, status = self._run(apdu[0], apdu[1:])
        return bytes((status,)) + data

    def _wrapped(self, apdu: bytes) -> bytes:
        if len(apdu) < 5:
            self._refuse()
            return b"\x67\x00"
        if apdu[2:4] != b"\x00\x00":
            self._refuse()
            return b"\x6a\x86"
        data = b""
        if len(apdu) > 5:
            data = apdu[5:-1]
        if len(data) != (apdu[4] if len(apdu) > 5 else 0) or apdu[-1] != 0:
            self._refuse()
            return b"\x67\x00"
        answer, status = self._run(apdu[1], data)
        return answer + bytes((0x91, status))

    def _refuse(self) -> None:
        self._forget_frames()
        self._chip.end_session()

    def _forget_frames(self) -> None:
        self._due_frames = []
        self._partial = None

    def _run(self, ins: int, data: bytes) -> tuple[bytes, Status]:
        """One command or continuation; every refusal ends the session and the transaction."""
        try:
            return self._continue(data) if ins == INS_CONTINUE else self._start(ins, data)
        except CardRefusal as refusal:
            self._refuse()
            return b"", refusal.status

    def _start(self, ins: int, data: bytes) -> tuple[bytes, Status]:
        unfinished = self._due_frames or self._partial or self._chip.challenge
        require(not unfinished, Status.COMMAND_ABORTED)
        command = COMMANDS.get(ins)
        unknown = ins in SINCE_EV2 and self._chip.state.kind is ChipKind.EV1
        if command is None or unknown:
            raise CardRefusal(Status.ILLEGAL_COMMAND)
        if ins in CHAINED_WRITES:
            expected = data_commands.write_wire_bytes(self._chip, ins, data)
            return self._collect(ins, data, expected)
        if ins in EV2_SESSION_ONLY:
            older = not isinstance(self._chip.session, Ev2Session | None)
            require(not older, Status.PERMISSION_DENIED)
        answer = command(self._chip, ins, data)
        if ins in AUTHENTICATIONS:
            return answer, Status.MORE_FRAMES
        return self._send(_frames(ins, answer, self._frame_bytes))

    def _continue(self, data: bytes) -> tuple[bytes, Status]:
        challenge = self._chip.challenge
        if challenge is not None:
            self._chip.challenge = None
            return challenge(self._chip, data), Status.OK
        if self._partial is not None:
            ins, collected, expected = self._partial
            self._partial = None
            require(bool(data), Status.LENGTH_ERROR)
            return self._collect(ins, collected + data, expected)
        require(bool(self._due_frames), Status.COMMAND_ABORTED)
        require(not data, Status.LENGTH_ERROR)
        return self._send(self._due_frames)

    def _collect(self, ins: int, data: bytes, expected: int) -> tuple[bytes, Status]:
        require(len(data) <= expected, Status.LENGTH_ERROR)
        if len(data) < expected:
            self._partial = (ins, data, expected)
            return b"", Status.MORE_FRAMES
        return COMMANDS[ins](self._chip, ins, data), Status.OK

    def _send(self, frames: list[bytes]) -> tuple[bytes, Status]:
        self._due_frames = frames[1:]
        return frames[0], Status.MORE_FRAMES if self._due_frames else Status.OK


def _frames(ins: int, answer: bytes, frame_bytes: int | None) -> list[bytes]:
    """Cut a response as the chip sends it; always at least one frame."""
    if ins == INS_GET_VERSION:
        first, second = VERSION_FRAME_BYTES, 2 * VERSION_FRAME_BYTES
        return [answer[:first], answer[first:second], answer[second:]]
    size = frame_bytes or (LEGACY_FRAME_BYTES if ins in LEGACY_READS else FRAME_BYTES)
    return [answer[at : at + size] for at in range(0, len(answer), size)] or [b""]
