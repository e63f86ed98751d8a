"""The card's commands, typed: arguments in, parsed answers out. Never decides what to do with them.

Each is a conversation of one command (AF frames included). Numbers are LSB first. Inside a session everything
travels in CommMode.MAC, except where a command's nature is full: ChangeKey, ChangeKeySettings,
SetConfiguration and CreateTransactionMACFile. Files of the Mancard application are CommMode.MAC throughout,
so no file mode is asked for. SelectApplication is plain and ends whatever session the card had.

Readings of open bytes: ChangeKeySettings has no clear header; ChangeKey on the PICC master key names the key
`80` (number 0, type AES), inside an application the bare number.
"""

from __future__ import annotations

from dataclasses import dataclass

from fare.core.desfire import crypto
from fare.core.desfire.chip import Version
from fare.core.desfire.errors import MalformedAnswer, NoSuchApplication, NotACardOfThisSystem, NotWrapped
from fare.core.desfire.frames import UID_SIZE, Conversation, exchange
from fare.core.desfire.messaging import Ev2Session
from fare.core.desfire.opcodes import CommMode, Opcode

PICC_AES_KEY_NO = 0x80

_AES_KEYS_AND_KEY_SETS = 0x90
_KEY_SETS_PRESENT = 0x01
_AES_KEY_SIZE = 0x10
_TRANSACTION_MAC_AES = 0x02
_RETURN_PROOF = b"\x01"
_AES_KEY_SET = 0x02
_AES_KEYS = 0x80
_KEY_COUNT = 0x0F
_AID_SIZE = 3
_CONFIGURE_DEFAULT_KEY = 0x01
_LONGEST_KEY_SIZE = 24


@dataclass(frozen=True, slots=True)
class KeySettings:
    """GetKeySettings: the settings byte, how many keys, and whether they are AES keys."""

    settings: int
    number_of_keys: int
    aes: bool


@dataclass(frozen=True, slots=True)
class FileSettings:
    """GetFileSettings:

    file type, communication mode, access rights (two bytes as stored), and what the type adds.
    """

    file_type: int
    comm_mode: int
    access_rights: bytes
    details: bytes


def select_application(aid: bytes) -> Conversation[None]:
    """5A. NotACardOfThisSystem when the card has no such application or does not speak DESFire."""
    try:
        _empty(None, Opcode.SELECT_APPLICATION, (yield from exchange(Opcode.SELECT_APPLICATION, aid)))
    except NoSuchApplication as fault:
        raise NotACardOfThisSystem("no such application on it") from fault
    except NotWrapped as fault:
        raise NotACardOfThisSystem("it does not speak DESFire") from fault


def get_version(session: Ev2Session | None = None) -> Conversation[Version]:
    """60, three frames: hardware(7) ‖ software(7) ‖ UID(7) batch(5) week year."""
    raw = yield from _ask(session, Opcode.GET_VERSION)
    try:
        return Version.decode(raw)
    except ValueError as fault:
        raise _malformed(session, Opcode.GET_VERSION, str(fault)) from fault


def get_card_uid(session: Ev2Session) -> Conversation[bytes]:
    """51, answered in full mode: the real 7-byte UID, even of a chip that shows a random one."""
    answer = yield from session.command(Opcode.GET_CARD_UID, mode=CommMode.FULL)
    return _sized(session, Opcode.GET_CARD_UID, answer, UID_SIZE)


def get_key_settings(session: Ev2Session | None) -> Conversation[KeySettings]:
    """45: of the selected application, or of the PICC level."""
    answer = _sized(session, Opcode.GET_KEY_SETTINGS, (yield from _ask(session, Opcode.GET_KEY_SETTINGS)), 2)
    return KeySettings(answer[0], answer[1] & _KEY_COUNT, bool(answer[1] & _AES_KEYS))


def get_application_ids(session: Ev2Session | None) -> Conversation[tuple[bytes, ...]]:
    """6A at the PICC level: the AIDs on the card, 3 bytes each."""
    answer = yield from _ask(session, Opcode.GET_APPLICATION_IDS)
    if len(answer) % _AID_SIZE:
        raise _malformed(session, Opcode.GET_APPLICATION_IDS, f"{len(answer)} bytes")
    return tuple(answer[start : start + _AID_SIZE] for start in range(0, len(answer), _AID_SIZE))


def get_file_ids(session: Ev2Session | None) -> Conversation[tuple[int, ...]]:
    """6F: the numbers of the selected application's files."""
    return tuple((yield from _ask(session, Opcode.GET_FILE_IDS)))


def free_memory(session: Ev2Session | None) -> Conversation[int]:
    """6E: bytes still free on the card."""
    answer = yield from _ask(session, Opcode.FREE_MEMORY)
    return int.from_bytes(_sized(session, Opcode.FREE_MEMORY, answer, 3), "little")


def format_picc(session: Ev2Session) -> Conversation[None]:
    """FC, under the PICC master key: every application and file is gone. Refused by every Mancard card."""
    yield from _tell(session, Opcode.FORMAT_PICC)


def get_key_version(session: Ev2Session | None, key_no: int) -> Conversation[int]:
    """64: the version byte of a key of the selected application."""
    answer = yield from _ask(session, Opcode.GET_KEY_VERSION, bytes([key_no]))
    return _sized(session, Opcode.GET_KEY_VERSION, answer, 1)[0]


def create_application(
    session: Ev2Session,
    aid: bytes,
    key_settings: int,
    number_of_keys: int,
    roll_key: int,
    key_set_version: int = 0,
) -> Conversation[None]:
    """CA: AES keys and two key sets, so that keys can be rolled later."""
    key_sets = bytes([_KEY_SETS_PRESENT, key_set_version, 2, _AES_KEY_SIZE, roll_key])
    header = aid + bytes([key_settings, _AES_KEYS_AND_KEY_SETS | number_of_keys]) + key_sets
    yield from _tell(session, Opcode.CREATE_APPLICATION, header)


def delete_application(session: Ev2Session, aid: bytes) -> Conversation[None]:
    """DA, under the PICC master key."""
    yield from _tell(session, Opcode.DELETE_APPLICATION, aid)


def create_std_data_file(
    session: Ev2Session, file_no: int, rights: bytes, size: int, comm_mode: CommMode = CommMode.MAC
) -> Conversation[None]:
    """CD: File Comm AR(2) Size(3); written at once, without a transaction."""
    header = bytes([file_no, comm_mode]) + rights + _u24(size)
    yield from _tell(session, Opcode.CREATE_STD_DATA_FILE, header)


def create_backup_data_file(
    session: Ev2Session, file_no: int, rights: bytes, size: int
) -> Conversation[None]:
    """CB: File Comm AR(2) Size(3)."""
    header = bytes([file_no, CommMode.MAC]) + rights + _u24(size)
    yield from _tell(session, Opcode.CREATE_BACKUP_DATA_FILE, header)


def create_value_file(
    session: Ev2Session, file_no: int, rights: bytes, lower: int, upper: int, value: int, options: int
) -> Conversation[None]:
    """CC: File Comm AR(2) Lower(4) Upper(4) Value(4) Opt; the three are signed."""
    header = (
        bytes([file_no, CommMode.MAC]) + rights + _i32(lower) + _i32(upper) + _i32(value) + bytes([options])
    )
    yield from _tell(session, Opcode.CREATE_VALUE_FILE, header)


def create_cyclic_record_file(
    session: Ev2Session, file_no: int, rights: bytes, record_size: int, max_records: int
) -> Conversation[None]:
    """C0: File Comm AR(2) RecSize(3) MaxRec(3); one record is spare."""
    header = bytes([file_no, CommMode.MAC]) + rights + _u24(record_size) + _u24(max_records)
    yield from _tell(session, Opcode.CREATE_CYCLIC_RECORD_FILE, header)


def create_transaction_mac_file(
    session: Ev2Session,
    file_no: int,
    rights: bytes,
    tm_key: bytes,
    key_version: int,
    comm_mode: int = CommMode.MAC,
) -> Conversation[None]:
    """CE, full: File Comm AR(2) 02 ‖ E(TMKey(16) ‖ Ver)."""
    header = bytes([file_no, comm_mode]) + rights + bytes([_TRANSACTION_MAC_AES])
    data = tm_key + bytes([key_version])
    yield from _tell(session, Opcode.CREATE_TRANSACTION_MAC_FILE, header, data, CommMode.FULL)


def delete_file(session: Ev2Session, file_no: int) -> Conversation[None]:
    """DF: the file is gone; a Transaction MAC file made anew would start its counter at 0."""
    yield from _tell(session, Opcode.DELETE_FILE, bytes([file_no]))


def change_file_settings(
    session: Ev2Session, file_no: int, comm_mode: CommMode, rights: bytes
) -> Conversation[None]:
    """5F, full: File ‖ E(Comm AR(2)). Every Mancard file refuses it."""
    data = bytes([comm_mode]) + rights
    yield from _tell(session, Opcode.CHANGE_FILE_SETTINGS, bytes([file_no]), data, CommMode.FULL)


def change_other_key(
    session: Ev2Session, key_no: int, new_key: bytes, new_version: int, old_key: bytes
) -> Conversation[None]:
    """C4 for a key that is not the session's: E((New ⊕ Old) ‖ Ver ‖ JAMCRC(New))."""
    data = _key_exchange(new_key, new_version, old_key)
    yield from _tell(session, Opcode.CHANGE_KEY, bytes([key_no]), data, CommMode.FULL)


def change_own_key(session: Ev2Session, key_no: int, new_key: bytes, new_version: int) -> Conversation[None]:
    """C4 for the session's own key: E(New ‖ Ver); answered without a MAC, and the session is over."""
    yield from session.last_command(Opcode.CHANGE_KEY, bytes([key_no]), new_key + bytes([new_version]))


def initialize_key_set(session: Ev2Session, key_set: int) -> Conversation[None]:
    """56: make a key set of AES keys afresh; it is not in use until it is rolled to."""
    yield from _tell(session, Opcode.INITIALIZE_KEY_SET, bytes([key_set, _AES_KEY_SET]))


def change_key_in_set(
    session: Ev2Session, key_set: int, key_no: int, new_key: bytes, new_version: int, old_key: bytes
) -> Conversation[None]:
    """C6 for a key of a set that is not in use: E((New ⊕ Old) ‖ Ver ‖ JAMCRC(New)) after set and number."""
    header = bytes([key_set, key_no])
    data = _key_exchange(new_key, new_version, old_key)
    yield from _tell(session, Opcode.CHANGE_KEY_EV2, header, data, CommMode.FULL)


def finalize_key_set(session: Ev2Session, key_set: int, version: int) -> Conversation[None]:
    """57: give a key set its version; only then can it be rolled to."""
    yield from _tell(session, Opcode.FINALIZE_KEY_SET, bytes([key_set, version]))


def roll_key_set(session: Ev2Session, key_set: int) -> Conversation[None]:
    """55, under the roll key: from now on this set is in use, and the session is over.

    Whether a chip still signs that answer is not published: a MAC is checked where there is one, and the
    caller proves the outcome by authenticating under a new key.
    """
    yield from session.last_command(
        Opcode.ROLL_KEY_SET, bytes([key_set]), mode=CommMode.MAC, mac_allowed=True
    )


def change_key_settings(session: Ev2Session, key_settings: int) -> Conversation[None]:
    """54, full: the key settings of the card, or of the selected application."""
    yield from _tell(session, Opcode.CHANGE_KEY_SETTINGS, b"", bytes([key_settings]), CommMode.FULL)


def set_default_key(session: Ev2Session, key: bytes, version: int) -> Conversation[None]:
    """5C option 01, full: the key new applications begin with; 24 bytes of key and its version."""
    data = key.ljust(_LONGEST_KEY_SIZE, b"\x00") + bytes([version])
    yield from set_configuration(session, _CONFIGURE_DEFAULT_KEY, data)


def set_configuration(session: Ev2Session, option: int, data: bytes) -> Conversation[None]:
    """5C, full: Option ‖ E(data)."""
    yield from _tell(session, Opcode.SET_CONFIGURATION, bytes([option]), data, CommMode.FULL)


def get_file_settings(session: Ev2Session | None, file_no: int) -> Conversation[FileSettings]:
    """F5: Type Comm AR(2) and what the file type adds."""
    answer = yield from _ask(session, Opcode.GET_FILE_SETTINGS, bytes([file_no]))
    if len(answer) < 4:
        raise _malformed(session, Opcode.GET_FILE_SETTINGS, f"only {len(answer)} bytes")
    return FileSettings(answer[0], answer[1], answer[2:4], answer[4:])


def read_data(session: Ev2Session, file_no: int, offset: int, length: int) -> Conversation[bytes]:
    """AD: `length` bytes (never 0) of a data or Transaction MAC file."""
    header = bytes([file_no]) + _u24(offset) + _u24(length)
    return _sized(session, Opcode.READ_DATA, (yield from session.command(Opcode.READ_DATA, header)), length)


def write_data(session: Ev2Session, file_no: int, offset: int, data: bytes) -> Conversation[None]:
    """8D: pending until Commit on a backup file."""
    yield from _tell(session, Opcode.WRITE_DATA, bytes([file_no]) + _u24(offset) + _u24(len(data)), data)


def read_records(
    session: Ev2Session, file_no: int, record_no: int, count: int, record_size: int
) -> Conversation[bytes]:
    """AB: `count` records (never 0); number 0 is the newest, and several come oldest first."""
    header = bytes([file_no]) + _u24(record_no) + _u24(count)
    answer = yield from session.command(Opcode.READ_RECORDS, header)
    return _sized(session, Opcode.READ_RECORDS, answer, count * record_size)


def read_all_records(session: Ev2Session, file_no: int, record_size: int) -> Conversation[tuple[bytes, ...]]:
    """AB with count 0: every record the file holds, newest first here (the card sends them oldest first)."""
    answer = yield from session.command(Opcode.READ_RECORDS, bytes([file_no]) + _u24(0) + _u24(0))
    if not answer or len(answer) % record_size:
        raise _malformed(session, Opcode.READ_RECORDS, f"{len(answer)} bytes in records of {record_size}")
    return tuple(
        answer[start : start + record_size] for start in range(len(answer) - record_size, -1, -record_size)
    )


def write_record(session: Ev2Session, file_no: int, offset: int, data: bytes) -> Conversation[None]:
    """8B: a new record, pending until Commit; one per transaction."""
    yield from _tell(session, Opcode.WRITE_RECORD, bytes([file_no]) + _u24(offset) + _u24(len(data)), data)


def get_value(session: Ev2Session, file_no: int) -> Conversation[int]:
    """6C: the signed content of a value file."""
    answer = yield from session.command(Opcode.GET_VALUE, bytes([file_no]))
    return int.from_bytes(_sized(session, Opcode.GET_VALUE, answer, 4), "little", signed=True)


def debit(session: Ev2Session, file_no: int, amount: int) -> Conversation[None]:
    """DC: pending until Commit; `amount` is 0 … 2³¹−1."""
    yield from _tell(session, Opcode.DEBIT, bytes([file_no]), _i32(amount))


def credit(session: Ev2Session, file_no: int, amount: int) -> Conversation[None]:
    """0C: refused by every Mancard card; here so that the refusal can be shown."""
    yield from _tell(session, Opcode.CREDIT, bytes([file_no]), _i32(amount))


def limited_credit(session: Ev2Session, file_no: int, amount: int) -> Conversation[None]:
    """1C: refused by every Mancard card; here so that the refusal can be shown."""
    yield from _tell(session, Opcode.LIMITED_CREDIT, bytes([file_no]), _i32(amount))


def commit_transaction(session: Ev2Session) -> Conversation[bytes]:
    """C7 with option 01: TMC(4) ‖ TMV(8)."""
    answer = yield from session.command(Opcode.COMMIT_TRANSACTION, _RETURN_PROOF)
    return _sized(session, Opcode.COMMIT_TRANSACTION, answer, 12)


def abort_transaction(session: Ev2Session) -> Conversation[None]:
    """A7: forget what is pending."""
    yield from _tell(session, Opcode.ABORT_TRANSACTION)


def commit_reader_id(session: Ev2Session, reader_id: bytes) -> Conversation[bytes]:
    """C8: name the reader (16 bytes) of the commit that follows; answers EncTMRI (16) of the one before.

    A Transaction MAC file whose RW right is F needs none, as Mancard's; see
    `transaction_mac.decipher_reader_id`.
    """
    answer = yield from session.command(Opcode.COMMIT_READER_ID, b"", reader_id)
    return _sized(session, Opcode.COMMIT_READER_ID, answer, crypto.BLOCK_SIZE)


def _ask(session: Ev2Session | None, ins: int, header: bytes = b"") -> Conversation[bytes]:
    if session is None:
        return (yield from exchange(ins, header))
    return (yield from session.command(ins, header))


def _tell(
    session: Ev2Session, ins: int, header: bytes = b"", data: bytes = b"", mode: CommMode = CommMode.MAC
) -> Conversation[None]:
    _empty(session, ins, (yield from session.command(ins, header, data, mode)))


def _empty(session: Ev2Session | None, ins: int, answer: bytes) -> None:
    if answer:
        raise _malformed(session, ins, "data where none belongs")


def _sized(session: Ev2Session | None, ins: int, answer: bytes, size: int) -> bytes:
    if len(answer) != size:
        raise _malformed(session, ins, f"{len(answer)} bytes instead of {size}")
    return answer


def _malformed(session: Ev2Session | None, ins: int, what: str) -> MalformedAnswer:
    """The fault to raise. Its MAC was right, so the session still stood: it ends like after any error."""
    if session is not None:
        session.end()
    return MalformedAnswer(ins, what)


def _key_exchange(new_key: bytes, new_version: int, old_key: bytes) -> bytes:
    mixed = bytes(new ^ old for new, old in zip(new_key, old_key, strict=True))
    return mixed + bytes([new_version]) + crypto.jamcrc(new_key)


def _u24(number: int) -> bytes:
    return number.to_bytes(3, "little")


def _i32(number: int) -> bytes:
    return number.to_bytes(4, "little", signed=True)
