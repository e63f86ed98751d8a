"""The Mancard application on the card: numbers, sizes and rights, written once. Never a command.

| file | type              | holds                              | R W RW C |
|------|-------------------|------------------------------------|----------|
| 01   | backup data, 128  | the entitlement with its signature | 1 1 2 F  |
| 02   | value             | `spent`, as upper limit − value    | 1 1 F F  |
| 03   | cyclic, 32 × 7    | the last six taps (one is spare)   | 1 1 F F  |
| 0F   | Transaction MAC   | TMC ‖ TMV of the last commit       | 1 F F F  |

Every file is CommMode.MAC. Debit is reachable by k1 alone and Credit by no key: the purse only ever goes
down. Choices this page makes where the card's documents leave room: the AID; the roll key is k0 (no validator
knows it); the active key set starts at version 0.
"""

from __future__ import annotations

from typing import Final

AID: Final = bytes.fromhex("F54D43")
PICC_AID: Final = bytes(3)

ENTITLEMENT_FILE: Final = 0x01
VALUE_FILE: Final = 0x02
RECORD_FILE: Final = 0x03
PROOF_FILE: Final = 0x0F

ENTITLEMENT_SIZE: Final = 128
RECORD_SIZE: Final = 32
MAX_RECORDS: Final = 7
PROOF_SIZE: Final = 12

VALUE_LOWER_LIMIT: Final = -(2**31)
VALUE_UPPER_LIMIT: Final = 2**31 - 1
VALUE_OPTIONS: Final = 0x00  # no LimitedCredit, no free GetValue
MAX_DEBIT_RIAL: Final = 2**31 - 1

ISSUER_KEY: Final = 0
VALIDATOR_KEY: Final = 1
LOAD_KEY: Final = 2
NUMBER_OF_KEYS: Final = 3
ROLL_KEY: Final = ISSUER_KEY

# Key settings: only the master key changes keys, creates and deletes; both stay changeable.
APPLICATION_KEY_SETTINGS: Final = 0x09
PICC_KEY_SETTINGS: Final = 0x09
# SetConfiguration option 00, bit 0: FormatPICC disabled. Bit 1 (random UID) would break key diversification.
PICC_CONFIGURATION: Final = b"\x01"

_NEVER = 0xF


def access_rights(read: int, write: int, read_write: int, change: int) -> bytes:
    """A file's access rights as two bytes, LSB first: R<<12 | W<<8 | RW<<4 | Change."""
    return (read << 12 | write << 8 | read_write << 4 | change).to_bytes(2, "little")


ENTITLEMENT_RIGHTS: Final = access_rights(VALIDATOR_KEY, VALIDATOR_KEY, LOAD_KEY, _NEVER)
VALUE_RIGHTS: Final = access_rights(VALIDATOR_KEY, VALIDATOR_KEY, _NEVER, _NEVER)
RECORD_RIGHTS: Final = access_rights(VALIDATOR_KEY, VALIDATOR_KEY, _NEVER, _NEVER)
PROOF_RIGHTS: Final = access_rights(VALIDATOR_KEY, _NEVER, _NEVER, _NEVER)


def spent_from_value(value: int) -> int:
    """Rial ever debited, from the value file's signed content (0 … 2³²−1)."""
    return VALUE_UPPER_LIMIT - value


def value_from_spent(spent_rial: int) -> int:
    """The value file's signed content when `spent_rial` was ever debited; ValueError outside 0 … 2³²−1."""
    if not 0 <= spent_rial <= VALUE_UPPER_LIMIT - VALUE_LOWER_LIMIT:
        raise ValueError(f"a card cannot have spent {spent_rial} rial")
    return VALUE_UPPER_LIMIT - spent_rial
