"""The names of the card's command bytes and communication modes. Never builds or sends a command.

Source: the public DESFire Light datasheet and application notes AN12196 and AN12343.
"""

from __future__ import annotations

from enum import IntEnum


class Opcode(IntEnum):
    """INS bytes of the native command set, as they stand in a wrapped `90 INS 00 00` command."""

    AUTHENTICATE_D40 = 0x0A
    CREDIT = 0x0C
    AUTHENTICATE_ISO = 0x1A
    LIMITED_CREDIT = 0x1C
    GET_KEY_SETTINGS = 0x45
    GET_CARD_UID = 0x51
    CHANGE_KEY_SETTINGS = 0x54
    ROLL_KEY_SET = 0x55
    INITIALIZE_KEY_SET = 0x56
    FINALIZE_KEY_SET = 0x57
    SELECT_APPLICATION = 0x5A
    SET_CONFIGURATION = 0x5C
    CHANGE_FILE_SETTINGS = 0x5F
    GET_VERSION = 0x60
    GET_KEY_VERSION = 0x64
    GET_APPLICATION_IDS = 0x6A
    GET_VALUE = 0x6C
    FREE_MEMORY = 0x6E
    GET_FILE_IDS = 0x6F
    AUTHENTICATE_EV2_FIRST = 0x71
    AUTHENTICATE_EV2_NON_FIRST = 0x77
    WRITE_RECORD = 0x8B
    WRITE_DATA = 0x8D
    ABORT_TRANSACTION = 0xA7
    READ_RECORDS = 0xAB
    READ_DATA = 0xAD
    MORE_FRAMES = 0xAF
    CREATE_CYCLIC_RECORD_FILE = 0xC0
    CHANGE_KEY = 0xC4
    CHANGE_KEY_EV2 = 0xC6
    COMMIT_TRANSACTION = 0xC7
    COMMIT_READER_ID = 0xC8
    CREATE_APPLICATION = 0xCA
    CREATE_BACKUP_DATA_FILE = 0xCB
    CREATE_VALUE_FILE = 0xCC
    CREATE_STD_DATA_FILE = 0xCD
    CREATE_TRANSACTION_MAC_FILE = 0xCE
    DELETE_APPLICATION = 0xDA
    DEBIT = 0xDC
    DELETE_FILE = 0xDF
    GET_FILE_SETTINGS = 0xF5
    FORMAT_PICC = 0xFC
    READ_CARD_UID = 0xCA00  # the reader's own `FF CA 00 00 00`; not a card command, named for error sentences


class CommMode(IntEnum):
    """How a command's data travels inside a session; the values are those of a file's settings byte."""

    PLAIN = 0
    MAC = 1
    FULL = 3


def command_name(ins: int) -> str:
    """A command's name for people, e.g. `ReadData (AD)`."""
    try:
        name = "".join(part.capitalize() for part in Opcode(ins).name.split("_"))
    except ValueError:
        return f"command {ins:02X}"
    return name if ins > 0xFF else f"{name} ({ins:02X})"
