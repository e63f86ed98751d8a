"""The open transaction of one application: pending files and the input of the Transaction MAC.

The layout of the input is published for DESFire Light only, which has no backup files: what the EV3 adds
for them is a reading, switchable in :class:`TransactionMacReading` until a real card has been read. Never
writes anything itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hardware.emulator.crypto import BLOCK_BYTES, short_mac, transaction_keys
from hardware.emulator.files import File


@dataclass(frozen=True, slots=True)
class TransactionMacReading:
    """How this card builds the Transaction MAC input and what Abort does to it."""

    backup_reads_enter: bool = True
    standard_reads_enter: bool = True
    record_reads_enter: bool = True
    get_value_enters: bool = True
    backup_writes_enter: bool = True
    standard_writes_enter: bool = True
    transaction_mac_file_reads_enter: bool = False
    zero_length_replaced: bool = True
    abort_empties_input: bool = True
    abort_keeps_session: bool = True


DEFAULT_READING = TransactionMacReading()


@dataclass(slots=True)
class Transaction:
    """Volatile: what Commit would store, and what it would prove."""

    pending: dict[int, File] = field(default_factory=dict[int, File])
    mac_input: list[bytes] = field(default_factory=list[bytes])
    reader_id: bytes | None = None


def padded(step: bytes) -> bytes:
    """Zero-padded to a block boundary."""
    return step + bytes(-len(step) % BLOCK_BYTES)


def value_step(ins: int, file_no: int, value: bytes) -> bytes:
    """GetValue, Debit, Credit, LimitedCredit: ``Cmd‖File‖Value(4)‖pad``."""
    return padded(bytes((ins, file_no)) + value)


def data_step(ins: int, file_no: int, offset: int, length: int, data: bytes) -> bytes:
    """Reads and writes of data and records: ``Cmd‖File‖Off(3)‖Len(3)‖pad 8‖Data‖pad``."""
    head = bytes((ins, file_no)) + offset.to_bytes(3, "little") + length.to_bytes(3, "little")
    return padded(head) + padded(data)


def reader_id_step(ins: int, reader_id: bytes) -> bytes:
    """CommitReaderID: ``Cmd‖TMRI(16)‖pad 15``."""
    return padded(bytes((ins,)) + reader_id)


def transaction_mac_value(tm_key: bytes, tmc: int, uid: bytes, mac_input: bytes) -> bytes:
    """TMV: 8 bytes, the odd positions of the CMAC under SesTMMAC of the counter that Commit reports."""
    ses_mac, _ = transaction_keys(tm_key, tmc, uid)
    return short_mac(ses_mac, mac_input)
