"""The file types of the card as immutable values: settings, committed contents and what a change makes of
them.

A file never changes: a write returns a new one, which the chip keeps aside until Commit or stores at once.
So a rollback is forgetting, and nothing half-written can exist.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hardware.emulator.session import CommMode
from hardware.emulator.status import Status, require

FREE = 0xE
NEVER = 0xF
TMC_LIMIT = 0xFFFFFFFF
READER_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do what: four nibbles, each a key number, E (free) or F (never)."""

    bits: int

    @property
    def read(self) -> int:
        return self.bits >> 12 & 0xF

    @property
    def write(self) -> int:
        return self.bits >> 8 & 0xF

    @property
    def read_write(self) -> int:
        return self.bits >> 4 & 0xF

    @property
    def change(self) -> int:
        return self.bits & 0xF

    @property
    def nibbles(self) -> tuple[int, int, int, int]:
        return self.read, self.write, self.read_write, self.change

    def to_bytes(self) -> bytes:
        return self.bits.to_bytes(2, "little")


def integer(value: int, length: int) -> bytes:
    """Unsigned, least significant byte first."""
    return value.to_bytes(length, "little")


def signed(value: int) -> bytes:
    """Four bytes, two's complement, least significant byte first."""
    return value.to_bytes(4, "little", signed=True)


@dataclass(frozen=True, slots=True)
class DataFile:
    """Standard (type 00, written at once) or backup (type 01, written at Commit) data."""

    comm: CommMode
    access: Access
    backup: bool
    data: bytes

    def settings(self) -> bytes:
        kind = bytes((1 if self.backup else 0, self.comm))
        return kind + self.access.to_bytes() + integer(len(self.data), 3)

    def read(self, offset: int, length: int) -> bytes:
        """``length`` 0 reads to the end; past the end is BE."""
        require(offset < len(self.data), Status.BOUNDARY_ERROR)
        end = offset + length if length else len(self.data)
        require(end <= len(self.data), Status.BOUNDARY_ERROR)
        return self.data[offset:end]

    def written(self, offset: int, data: bytes) -> DataFile:
        require(offset + len(data) <= len(self.data), Status.BOUNDARY_ERROR)
        return replace(self, data=self.data[:offset] + data + self.data[offset + len(data) :])

    @property
    def memory_bytes(self) -> int:
        return len(self.data) * (2 if self.backup else 1)


@dataclass(frozen=True, slots=True)
class ValueFile:
    """A signed 32-bit value between two limits. ``debited`` is the sum of debits in the open transaction."""

    comm: CommMode
    access: Access
    lower: int
    upper: int
    value: int
    options: int
    limited_credit: int = 0
    debited: int = 0

    @property
    def limited_credit_enabled(self) -> bool:
        return bool(self.options & 1)

    @property
    def free_get_value(self) -> bool:
        return bool(self.options & 2)

    def settings(self) -> bytes:
        limits = signed(self.lower) + signed(self.upper) + signed(self.limited_credit)
        return bytes((2, self.comm)) + self.access.to_bytes() + limits + bytes((self.options,))

    def debit(self, amount: int) -> ValueFile:
        require(amount >= 0, Status.PARAMETER_ERROR)
        require(self.value - amount >= self.lower, Status.BOUNDARY_ERROR)
        return replace(self, value=self.value - amount, debited=self.debited + amount)

    def credit(self, amount: int) -> ValueFile:
        require(amount >= 0, Status.PARAMETER_ERROR)
        require(self.value + amount <= self.upper, Status.BOUNDARY_ERROR)
        return replace(self, value=self.value + amount)

    def credit_limited(self, amount: int) -> ValueFile:
        require(self.limited_credit_enabled, Status.PERMISSION_DENIED)
        require(amount <= self.limited_credit, Status.BOUNDARY_ERROR)
        return replace(self.credit(amount), limited_credit=0)

    def committed(self) -> ValueFile:
        """The sum debited in this transaction is what LimitedCredit may give back later."""
        if not self.debited:
            return self
        return replace(self, limited_credit=min(self.debited, 0x7FFFFFFF), debited=0)

    @property
    def memory_bytes(self) -> int:
        return 32


@dataclass(frozen=True, slots=True)
class CyclicFile:
    """Fixed-size records, newest first in ``records``; one place is spare for the record being written."""

    comm: CommMode
    access: Access
    record_bytes: int
    max_records: int
    records: tuple[bytes, ...] = ()
    pending: bytes | None = None

    def settings(self) -> bytes:
        sizes = integer(self.record_bytes, 3) + integer(self.max_records, 3) + integer(len(self.records), 3)
        return bytes((4, self.comm)) + self.access.to_bytes() + sizes

    def read(self, newest: int, count: int) -> tuple[int, bytes]:
        """Records ``newest`` … ``newest + count - 1``, oldest first; ``count`` 0 means all older ones too.

        Returns the actual count and the bytes. An empty file or a record that is not there is BE.
        """
        require(newest < len(self.records), Status.BOUNDARY_ERROR)
        actual = count or len(self.records) - newest
        require(newest + actual <= len(self.records), Status.BOUNDARY_ERROR)
        return actual, b"".join(reversed(self.records[newest : newest + actual]))

    def written(self, offset: int, data: bytes) -> CyclicFile:
        """A second write in the same transaction goes into the same pending record."""
        require(offset + len(data) <= self.record_bytes, Status.BOUNDARY_ERROR)
        record = self.pending if self.pending is not None else bytes(self.record_bytes)
        return replace(self, pending=record[:offset] + data + record[offset + len(data) :])

    def committed(self) -> CyclicFile:
        if self.pending is None:
            return self
        kept = (self.pending, *self.records)[: self.max_records - 1]
        return replace(self, records=kept, pending=None)

    @property
    def memory_bytes(self) -> int:
        return self.record_bytes * self.max_records


@dataclass(frozen=True, slots=True)
class TransactionMacFile:
    """The Transaction MAC key, the last commit's counter and value; ``reader_id`` is the last TMRI."""

    comm: CommMode
    access: Access
    key: bytes
    key_version: int
    tmc: int = 0
    tmv: bytes = bytes(8)
    reader_id: bytes = bytes(READER_ID_BYTES)

    @property
    def data(self) -> bytes:
        return integer(self.tmc, 4) + self.tmv

    def settings(self) -> bytes:
        return bytes((5, self.comm)) + self.access.to_bytes() + bytes((2, self.key_version))

    @property
    def memory_bytes(self) -> int:
        return 64


File = DataFile | ValueFile | CyclicFile | TransactionMacFile
