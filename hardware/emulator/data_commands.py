"""Commands that read and write files and close the transaction: what a tap is made of.

Writes to backup, value and record files wait in the open transaction; Commit stores all of them, the
transaction counter and the Transaction MAC value in one step. Reads always show what is committed.
"""

from __future__ import annotations

from hardware.emulator.chip import Chip
from hardware.emulator.crypto import encrypt_cbc, transaction_keys
from hardware.emulator.files import (
    FREE,
    NEVER,
    READER_ID_BYTES,
    TMC_LIMIT,
    CyclicFile,
    DataFile,
    File,
    TransactionMacFile,
    ValueFile,
    signed,
)
from hardware.emulator.kinds import ChipKind
from hardware.emulator.session import CommMode
from hardware.emulator.status import CardRefusal, Status, require
from hardware.emulator.transaction import (
    Transaction,
    data_step,
    reader_id_step,
    transaction_mac_value,
    value_step,
)

HEADER_BYTES = 7
INS_WRITE_RECORD = frozenset((0x8B, 0x3B))
INS_DEBIT = 0xDC
INS_CREDIT = 0x0C
RETURN_PROOF = 0x01


def _head(data: bytes) -> tuple[int, int, int]:
    """File, offset (or record number), length (or count) of a read or write."""
    require(len(data) >= HEADER_BYTES, Status.LENGTH_ERROR)
    return data[0], int.from_bytes(data[1:4], "little"), int.from_bytes(data[4:7], "little")


def read_data(chip: Chip, ins: int, data: bytes) -> bytes:
    """AD, BD File Off(3) Len(3): length 0 reads to the end."""
    file_no, offset, length = _head(data)
    file = chip.file(file_no)
    if isinstance(file, TransactionMacFile):
        mode = chip.granted((file.access.read,), file.comm)
        enters = chip.reading.transaction_mac_file_reads_enter
        # Its bytes are read like those of any data file.
        source = DataFile(file.comm, file.access, False, file.data)
    else:
        if not isinstance(file, DataFile):
            raise CardRefusal(Status.PERMISSION_DENIED)
        mode = chip.granted((file.access.read, file.access.read_write), file.comm)
        enters = chip.reading.backup_reads_enter if file.backup else chip.reading.standard_reads_enter
        source = file
    chip.unwrap_exactly(mode, ins, data, HEADER_BYTES, HEADER_BYTES)
    read = source.read(offset, length)
    entered = len(read) if chip.reading.zero_length_replaced else length
    chip.enter_mac_input(enters, lambda: data_step(ins, file_no, offset, entered, read))
    return chip.wrap(mode, read)


def read_records(chip: Chip, ins: int, data: bytes) -> bytes:
    """AB, BB File Record(3) Count(3): record 0 is the newest; several come oldest first."""
    file_no, newest, count = _head(data)
    file = chip.file(file_no)
    if not isinstance(file, CyclicFile):
        raise CardRefusal(Status.PERMISSION_DENIED)
    mode = chip.granted((file.access.read, file.access.read_write), file.comm)
    chip.unwrap_exactly(mode, ins, data, HEADER_BYTES, HEADER_BYTES)
    actual, read = file.read(newest, count)
    entered = actual if chip.reading.zero_length_replaced else count
    chip.enter_mac_input(
        chip.reading.record_reads_enter, lambda: data_step(ins, file_no, newest, entered, read)
    )
    return chip.wrap(mode, read)


def _write_target(chip: Chip, ins: int, file_no: int) -> tuple[DataFile | CyclicFile, CommMode]:
    file = chip.pending(file_no)
    fits = isinstance(file, CyclicFile) if ins in INS_WRITE_RECORD else isinstance(file, DataFile)
    if not fits or isinstance(file, ValueFile | TransactionMacFile):
        raise CardRefusal(Status.PERMISSION_DENIED)
    return file, chip.granted((file.access.write, file.access.read_write), file.comm)


def write_wire_bytes(chip: Chip, ins: int, data: bytes) -> int:
    """How long the whole command data of a write will be: fewer bytes mean that frames are still due."""
    file_no, _, length = _head(data)
    _, mode = _write_target(chip, ins, file_no)
    return HEADER_BYTES + chip.wire_bytes(mode, length)


def write(chip: Chip, ins: int, data: bytes) -> bytes:
    """8D, 3D (data), 8B, 3B (record) File Off(3) Len(3) Data: only standard data is stored at once."""
    file_no, offset, length = _head(data)
    file, mode = _write_target(chip, ins, file_no)
    plain = chip.unwrap(mode, ins, data, HEADER_BYTES)
    written = plain[HEADER_BYTES:]
    require(length > 0 and len(written) == length, Status.LENGTH_ERROR)
    changed = file.written(offset, written)
    immediate = isinstance(file, DataFile) and not file.backup
    if immediate:
        chip.store_application(chip.application.with_files({file_no: changed}))
        enters = chip.reading.standard_writes_enter
    else:
        chip.transaction.pending[file_no] = changed
        enters = chip.reading.backup_writes_enter or isinstance(file, CyclicFile)
    chip.enter_mac_input(enters, lambda: data_step(ins, file_no, offset, length, written))
    return chip.wrap(mode)


def get_value(chip: Chip, ins: int, data: bytes) -> bytes:
    """6C File: the committed value, whatever is pending."""
    require(len(data) >= 1, Status.LENGTH_ERROR)
    file = chip.file(data[0])
    if not isinstance(file, ValueFile):
        raise CardRefusal(Status.PERMISSION_DENIED)
    rights = (file.access.read, file.access.write, file.access.read_write)
    mode = chip.granted((*rights, FREE) if file.free_get_value else rights, file.comm)
    chip.unwrap_exactly(mode, ins, data, 1, 1)
    value = signed(file.value)
    chip.enter_mac_input(chip.reading.get_value_enters, lambda: value_step(ins, data[0], value))
    return chip.wrap(mode, value)


def change_value(chip: Chip, ins: int, data: bytes) -> bytes:
    """DC Debit, 0C Credit, 1C LimitedCredit: File Amount(4). Credit needs the RW right, the others any."""
    require(len(data) >= 1, Status.LENGTH_ERROR)
    file = chip.pending(data[0])
    if not isinstance(file, ValueFile):
        raise CardRefusal(Status.PERMISSION_DENIED)
    access = file.access
    rights = (access.read_write,) if ins == INS_CREDIT else (access.read, access.write, access.read_write)
    mode = chip.granted(rights, file.comm)
    plain = chip.unwrap_exactly(mode, ins, data, 1, 5)
    amount = int.from_bytes(plain[1:5], "little", signed=True)
    if ins == INS_DEBIT:
        changed = file.debit(amount)
    elif ins == INS_CREDIT:
        changed = file.credit(amount)
    else:
        changed = file.credit_limited(amount)
    chip.transaction.pending[plain[0]] = changed
    chip.enter_mac_input(True, lambda: value_step(ins, plain[0], plain[1:5]))
    return chip.wrap(mode)


def commit_reader_id(chip: Chip, ins: int, data: bytes) -> bytes:
    """C8 TMRI(16): name the reader inside the proof; answers the previous reader's name, enciphered."""
    found = chip.transaction_mac_file()
    if found is None:
        raise CardRefusal(Status.PERMISSION_DENIED)
    _, file = found
    mode = chip.granted((file.access.read_write,), CommMode.MAC)
    plain = chip.unwrap_exactly(mode, ins, data, 0, READER_ID_BYTES)
    require(chip.transaction.reader_id is None and file.tmc < TMC_LIMIT, Status.PERMISSION_DENIED)
    _, ses_enc = transaction_keys(file.key, file.tmc + 1, chip.state.uid)
    chip.transaction.reader_id = plain
    chip.enter_mac_input(True, lambda: reader_id_step(ins, plain))
    return chip.wrap(mode, encrypt_cbc(ses_enc, file.reader_id))


def commit_transaction(chip: Chip, ins: int, data: bytes) -> bytes:
    """C7 [Option]: store everything pending at once; option 01 answers TMC(4) ‖ TMV(8)."""
    mode = chip.command_mode
    plain = chip.unwrap(mode, ins, data, 1)
    require(len(plain) <= (0 if chip.state.kind is ChipKind.EV1 else 1), Status.LENGTH_ERROR)
    option = plain[0] if plain else 0
    require(option <= RETURN_PROOF, Status.PARAMETER_ERROR)
    application = chip.application
    require(bool(chip.transaction.pending), Status.NO_CHANGES)
    changed: dict[int, File] = {}
    for file_no, file in chip.transaction.pending.items():
        changed[file_no] = file.committed() if isinstance(file, ValueFile | CyclicFile) else file
    proof = b""
    found = chip.transaction_mac_file()
    if found is None:
        require(option == 0, Status.PERMISSION_DENIED)
    else:
        proven = _proven(chip, found[1])
        changed[found[0]] = proven
        proof = proven.data if option == RETURN_PROOF else b""
    chip.store_application(application.with_files(changed))
    chip.transaction = Transaction()
    return chip.wrap(mode, proof)


def _proven(chip: Chip, file: TransactionMacFile) -> TransactionMacFile:
    """The Transaction MAC file as this commit leaves it."""
    reader_id = chip.transaction.reader_id
    require(file.access.read_write == NEVER or reader_id is not None, Status.PERMISSION_DENIED)
    require(file.tmc < TMC_LIMIT, Status.BOUNDARY_ERROR)
    tmc = file.tmc + 1
    tmv = transaction_mac_value(file.key, tmc, chip.state.uid, b"".join(chip.transaction.mac_input))
    return TransactionMacFile(
        file.comm, file.access, file.key, file.key_version, tmc, tmv, reader_id or file.reader_id
    )


def abort_transaction(chip: Chip, ins: int, data: bytes) -> bytes:
    """A7: forget everything pending; what else it forgets is a switchable reading."""
    mode = chip.command_mode
    chip.unwrap_exactly(mode, ins, data, 0, 0)
    _ = chip.application
    kept = [] if chip.reading.abort_empties_input else chip.transaction.mac_input
    response = chip.wrap(mode)
    chip.transaction = Transaction(mac_input=kept)
    if not chip.reading.abort_keeps_session:
        chip.session = None
    return response
