"""Commands that create, list and re-permit files. Never touches a file's contents."""

from __future__ import annotations

from dataclasses import replace

from hardware.emulator.chip import Chip
from hardware.emulator.files import (
    FREE,
    NEVER,
    Access,
    CyclicFile,
    DataFile,
    File,
    TransactionMacFile,
    ValueFile,
)
from hardware.emulator.session import CommMode
from hardware.emulator.state import FREE_CREATE_DELETE, FREE_LISTING, KEY_BYTES
from hardware.emulator.status import CardRefusal, Status, require

LAST_FILE_NO = 0x1F
AES_TRANSACTION_MAC = 0x02
INS_CREATE_BACKUP = 0xCB


def _may_create(chip: Chip) -> None:
    _ = chip.application
    if not chip.key_settings & FREE_CREATE_DELETE:
        chip.require_master()


def _comm(byte: int) -> CommMode:
    try:
        return CommMode(byte)
    except ValueError:
        raise CardRefusal(Status.PARAMETER_ERROR) from None


def _access(chip: Chip, data: bytes) -> Access:
    access = Access(int.from_bytes(data, "little"))
    known = len(chip.keys())
    valid = all(nibble < known or nibble in (FREE, NEVER) for nibble in access.nibbles)
    require(valid, Status.PARAMETER_ERROR)
    return access


def _add(chip: Chip, file_no: int, file: File) -> None:
    require(file_no <= LAST_FILE_NO, Status.PARAMETER_ERROR)
    require(file_no not in chip.files(), Status.DUPLICATE)
    chip.store_application(chip.application.with_files({file_no: file}))


def create_data_file(chip: Chip, ins: int, data: bytes) -> bytes:
    """CD (standard) and CB (backup): File Comm AR(2) Size(3); contents start as zeros."""
    mode = chip.command_mode
    plain = chip.unwrap_exactly(mode, ins, data, 7, 7)
    _may_create(chip)
    size = int.from_bytes(plain[4:7], "little")
    require(size > 0, Status.PARAMETER_ERROR)
    require(size <= 0x2000, Status.OUT_OF_MEMORY)
    file = DataFile(_comm(plain[1]), _access(chip, plain[2:4]), ins == INS_CREATE_BACKUP, bytes(size))
    _add(chip, plain[0], file)
    return chip.wrap(mode)


def create_value_file(chip: Chip, ins: int, data: bytes) -> bytes:
    """CC File Comm AR(2) Lower(4) Upper(4) Value(4) Options: bit 0 LimitedCredit, bit 1 free GetValue."""
    mode = chip.command_mode
    plain = chip.unwrap_exactly(mode, ins, data, 17, 17)
    _may_create(chip)
    lower, upper, value = (int.from_bytes(plain[at : at + 4], "little", signed=True) for at in (4, 8, 12))
    require(lower <= value <= upper and plain[16] <= 3, Status.PARAMETER_ERROR)
    file = ValueFile(_comm(plain[1]), _access(chip, plain[2:4]), lower, upper, value, plain[16])
    _add(chip, plain[0], file)
    return chip.wrap(mode)


def create_cyclic_file(chip: Chip, ins: int, data: bytes) -> bytes:
    """C0 File Comm AR(2) RecSize(3) MaxRec(3): at least two records, one of them spare."""
    mode = chip.command_mode
    plain = chip.unwrap_exactly(mode, ins, data, 10, 10)
    _may_create(chip)
    record_bytes = int.from_bytes(plain[4:7], "little")
    max_records = int.from_bytes(plain[7:10], "little")
    require(record_bytes > 0 and max_records >= 2, Status.PARAMETER_ERROR)
    require(record_bytes * max_records <= 0x2000, Status.OUT_OF_MEMORY)
    file = CyclicFile(_comm(plain[1]), _access(chip, plain[2:4]), record_bytes, max_records)
    _add(chip, plain[0], file)
    return chip.wrap(mode)


def create_transaction_mac_file(chip: Chip, ins: int, data: bytes) -> bytes:
    """CE File Comm AR(2) 02 ‖ E(Key(16)‖Ver): always by the master key; one to an application."""
    plain = chip.unwrap_exactly(CommMode.FULL, ins, data, 5, 5 + KEY_BYTES + 1)
    _ = chip.application
    chip.require_master()
    access = _access(chip, plain[2:4])
    require(plain[4] == AES_TRANSACTION_MAC and access.write == NEVER, Status.PARAMETER_ERROR)
    require(chip.transaction_mac_file() is None, Status.DUPLICATE)
    file = TransactionMacFile(_comm(plain[1]), access, plain[5:21], plain[21])
    _add(chip, plain[0], file)
    return chip.wrap(CommMode.FULL)


def delete_file(chip: Chip, ins: int, data: bytes) -> bytes:
    """DF File: as creating one; what was pending for it is forgotten."""
    mode = chip.command_mode
    plain = chip.unwrap_exactly(mode, ins, data, 1, 1)
    _may_create(chip)
    chip.file(plain[0])
    chip.store_application(chip.application.without_file(plain[0]))
    chip.transaction.pending.pop(plain[0], None)
    return chip.wrap(mode)


def get_file_ids(chip: Chip, ins: int, data: bytes) -> bytes:
    """6F: the numbers of all files."""
    mode = chip.command_mode
    chip.unwrap_exactly(mode, ins, data, 0, 0)
    files = chip.files()
    if not chip.key_settings & FREE_LISTING:
        chip.require_master()
    return chip.wrap(mode, bytes(sorted(files)))


def get_file_settings(chip: Chip, ins: int, data: bytes) -> bytes:
    """F5 File: type, mode, access rights and the limits of the type."""
    mode = chip.command_mode
    plain = chip.unwrap_exactly(mode, ins, data, 1, 1)
    file = chip.file(plain[0])
    if not chip.key_settings & FREE_LISTING:
        chip.require_master()
    return chip.wrap(mode, file.settings())


def change_file_settings(chip: Chip, ins: int, data: bytes) -> bytes:
    """5F File E(Comm AR(2)): by the Change right, enciphered unless that right is free."""
    require(len(data) >= 1, Status.LENGTH_ERROR)
    file = chip.file(data[0])
    mode = chip.granted((file.access.change,), CommMode.FULL)
    plain = chip.unwrap_exactly(mode, ins, data, 1, 4)
    comm, access = _comm(plain[1]), _access(chip, plain[2:4])
    if isinstance(file, TransactionMacFile):
        require(access.write == NEVER, Status.PARAMETER_ERROR)
    changed = replace(file, comm=comm, access=access)
    chip.store_application(chip.application.with_files({plain[0]: changed}))
    # A pending copy still carries the old rights: nothing half-done survives a change of rights.
    chip.transaction.pending.pop(plain[0], None)
    return chip.wrap(mode)
