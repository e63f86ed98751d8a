"""The Transaction MAC: what the card signs at Commit, rebuilt from plain bytes. Never speaks to a card.

    SesTMMAC = CMAC(TMKey, 5A 00 01 00 80 ‖ TMC(4) ‖ UID(7))      TMC as Commit reports it
    SesTMENC = the same with A5
    TMV      = odd bytes of CMAC(SesTMMAC, TMI)
    TMI      = steps in the order the card executed them, each zero-padded to a multiple of 16:
               value   Cmd ‖ File ‖ Value(4) ‖ pad
               data    Cmd ‖ File ‖ First(3) ‖ Length(3) ‖ 0×8 ‖ Data ‖ pad

No published worked TMV exists, so `Reading` keeps every doubtful point switchable. Our choices where the
card's documents leave a byte open: WriteRecord and data commands carry offset and length in bytes,
ReadRecords carries record number and record count (the very header bytes of the command); a zero length or
count stands as the actual one; a value is the signed 32-bit content, LSB first; reading the Transaction MAC
file adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from fare.core.desfire.crypto import BLOCK_SIZE, MacKey, cbc_decrypt, truncate
from fare.core.desfire.opcodes import Opcode

TMC_SIZE = 4
TMV_SIZE = 8
MAX_TMC = 2**32 - 1

_UID_SIZE = 7
_MAC_LABEL = b"\x5a\x00\x01\x00\x80"
_ENC_LABEL = b"\xa5\x00\x01\x00\x80"


@dataclass(frozen=True, slots=True)
class Reading:
    """How the card is believed to feed its Transaction MAC input; the default is our reading.

    `backup_reads`, `backup_writes`: ReadData and WriteData of a backup file enter (the public datasheet
    describes a chip without such files). `record_reads`, `value_reads`: ReadRecords and GetValue enter.
    `record_numbers`: ReadRecords enters with record number and count; False: with offset and length in bytes.
    `abort_after_reads`: AbortTransaction empties the input and keeps the session, so a tap sends one before
    GetValue and every proof stands alone.
    """

    backup_reads: bool = True
    backup_writes: bool = True
    record_reads: bool = True
    value_reads: bool = True
    record_numbers: bool = True
    abort_after_reads: bool = False


OUR_READING = Reading()


def read_data_step(file_no: int, offset: int, data: bytes, reading: Reading = OUR_READING) -> bytes:
    """ReadData (AD) of a backup data file that returned `data`."""
    return _data_step(Opcode.READ_DATA, file_no, offset, len(data), data) if reading.backup_reads else b""


def write_data_step(file_no: int, offset: int, data: bytes, reading: Reading = OUR_READING) -> bytes:
    """WriteData (8D) to a backup data file."""
    return _data_step(Opcode.WRITE_DATA, file_no, offset, len(data), data) if reading.backup_writes else b""


def read_records_step(
    file_no: int, record_no: int, data: bytes, record_size: int, reading: Reading = OUR_READING
) -> bytes:
    """ReadRecords (AB) that returned whole records of `record_size` bytes as `data`."""
    if not reading.record_reads:
        return b""
    count = len(data) // record_size
    if reading.record_numbers:
        return _data_step(Opcode.READ_RECORDS, file_no, record_no, count, data)
    return _data_step(Opcode.READ_RECORDS, file_no, record_no * record_size, len(data), data)


def write_record_step(file_no: int, offset: int, data: bytes) -> bytes:
    """WriteRecord (8B) of `data` at a byte offset inside the new record."""
    return _data_step(Opcode.WRITE_RECORD, file_no, offset, len(data), data)


def get_value_step(file_no: int, value: int, reading: Reading = OUR_READING) -> bytes:
    """GetValue (6C) that returned the signed `value`."""
    return _value_step(Opcode.GET_VALUE, file_no, value) if reading.value_reads else b""


def debit_step(file_no: int, amount: int) -> bytes:
    """Debit (DC) of `amount`."""
    return _value_step(Opcode.DEBIT, file_no, amount)


def session_mac_key(tm_key: bytes, uid: bytes, tmc: int) -> bytes:
    """SesTMMAC, 16 bytes, for the commit that reported `tmc`."""
    return _session_key(_MAC_LABEL, tm_key, uid, tmc)


def session_enc_key(tm_key: bytes, uid: bytes, tmc: int) -> bytes:
    """SesTMENC, 16 bytes, for the commit that reported `tmc`."""
    return _session_key(_ENC_LABEL, tm_key, uid, tmc)


def tmv_under(ses_tm_mac: bytes, tmi: bytes) -> bytes:
    """The 8-byte Transaction MAC value of an input under an already derived session key."""
    return truncate(MacKey(ses_tm_mac).cmac(tmi))


def tmv(tm_key: bytes, uid: bytes, tmc: int, tmi: bytes) -> bytes:
    """The 8-byte Transaction MAC value a card with this key and UID reports beside `tmc`."""
    return tmv_under(session_mac_key(tm_key, uid, tmc), tmi)


def decipher_reader_id(ses_tm_enc: bytes, enciphered: bytes) -> bytes:
    """The previous reader's id out of EncTMRI (16 bytes): CBC, zero IV, no padding.

    The product commits none.
    """
    return cbc_decrypt(ses_tm_enc, enciphered)


def _session_key(label: bytes, tm_key: bytes, uid: bytes, tmc: int) -> bytes:
    if len(uid) != _UID_SIZE:
        raise ValueError(f"a card's UID has {_UID_SIZE} bytes, not {len(uid)}")
    return MacKey(tm_key).cmac(label + tmc.to_bytes(TMC_SIZE, "little") + uid)


def _value_step(ins: int, file_no: int, value: int) -> bytes:
    return bytes([ins, file_no]) + value.to_bytes(4, "little", signed=True) + bytes(10)


def _data_step(ins: int, file_no: int, first: int, length: int, data: bytes) -> bytes:
    header = bytes([ins, file_no]) + first.to_bytes(3, "little") + length.to_bytes(3, "little") + bytes(8)
    return header + data + bytes(-len(data) % BLOCK_SIZE)
