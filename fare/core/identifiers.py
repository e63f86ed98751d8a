"""The numbers by which things and people are named, as types, and how people's spellings of them are read.

A parse function returns the one canonical value or raises an `InvalidIdentifier` whose sentence says what is
wrong and what to do. The sentence never repeats the value: it may reach a log, and these numbers identify
people.
"""

from __future__ import annotations

import re
from typing import Final, NewType

from fare.core.money import normalise_digits

DeviceId = NewType("DeviceId", int)
"""A validator, 1 to `MAX_DEVICE_ID`."""
CardSerial = NewType("CardSerial", int)
"""The issuer's own number of a card, 1 to 2**32 - 1; the chip's UID is another thing."""
CardUid = NewType("CardUid", bytes)
"""The chip's fixed number, 7 bytes."""
Cti = NewType("Cti", bytes)
"""A phone entitlement, 8 random bytes."""
NationalId = NewType("NationalId", str)
"""Iranian national ID: 10 ASCII digits, the last one checks the others."""
Mobile = NewType("Mobile", str)
"""Iranian mobile number in its national form: `09` and 9 ASCII digits."""
Iban = NewType("Iban", str)
"""Iranian IBAN (sheba): `IR` and 24 ASCII digits."""

MAX_DEVICE_ID: Final = 0xFF_FFFF
"""A card's record carries the device in three bytes; 0 stands there for personalisation."""
_UINT32_MAX: Final = 0xFFFF_FFFF
# Blanks, and the invisible marks that right-to-left keyboards and copied web pages leave in a number.
_FILLER: Final = re.compile(r"[\s\-\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")
_TEN_DIGITS: Final = re.compile(r"[0-9]{10}")
_MOBILE: Final = re.compile(r"(?:\+98|0098|98|0)?(9[0-9]{9})")
_IRANIAN_IBAN: Final = re.compile(r"(?:IR)?([0-9]{24})")
_IR_AS_NUMBER: Final = "1827"  # ISO 13616: A = 10, so I = 18 and R = 27


class InvalidIdentifier(ValueError):
    """The text names nothing of its kind. The message is one sentence that can be shown to a person."""


class InvalidNationalId(InvalidIdentifier):
    """Not an Iranian national ID."""


class InvalidMobile(InvalidIdentifier):
    """Not an Iranian mobile number."""


class InvalidIban(InvalidIdentifier):
    """Not an Iranian IBAN."""


class InvalidNumber(InvalidIdentifier):
    """Not a number or byte string of the expected size."""


def parse_national_id(text: str) -> NationalId:
    """10 digits whose check digit holds: with s = sum of d(i) * (10 - i) over the first nine, mod 11,
    it is s below 2, else 11 - s. Ten equal digits pass that sum but are nobody's number.
    """
    digits = _cleaned(text)
    if not _TEN_DIGITS.fullmatch(digits):
        raise InvalidNationalId("A national ID has 10 digits: type all of them, with the zeros in front.")
    remainder = sum(int(digit) * (10 - place) for place, digit in enumerate(digits[:9])) % 11
    check_digit = remainder if remainder < 2 else 11 - remainder
    if len(set(digits)) == 1 or int(digits[9]) != check_digit:
        raise InvalidNationalId("This national ID does not exist: compare each digit with the ID card.")
    return NationalId(digits)


def parse_mobile(text: str) -> Mobile:
    """The national form of `09…`, `9…`, `+989…`, `00989…` or `989…`."""
    match = _MOBILE.fullmatch(_cleaned(text))
    if match is None:
        raise InvalidMobile("This is not a mobile number: type the 11 digits that begin with 09.")
    return Mobile("0" + match[1])


def parse_iban(text: str) -> Iban:
    """`IR` and 24 digits whose two check digits hold (ISO 7064 MOD 97-10). The letters may be left out."""
    match = _IRANIAN_IBAN.fullmatch(_cleaned(text).upper())
    if match is None:
        raise InvalidIban("An Iranian IBAN is IR and 24 digits: copy it from the bank's own page.")
    check, account = match[1][:2], match[1][2:]
    # The remainder alone would also admit 00, 01 and 99, which no bank computes.
    if int(account + _IR_AS_NUMBER + check) % 97 != 1 or not 2 <= int(check) <= 98:
        raise InvalidIban("This IBAN has a mistyped digit: its check digits do not hold.")
    return Iban("IR" + match[1])


def parse_device_id(text: str) -> DeviceId:
    """A device number in decimal digits."""
    return DeviceId(_parse_number(text, "A device number", MAX_DEVICE_ID))


def parse_card_serial(text: str) -> CardSerial:
    """The number printed on a card, in decimal digits."""
    return CardSerial(_parse_number(text, "A card number", _UINT32_MAX))


def parse_card_uid(text: str) -> CardUid:
    """A chip's UID in 14 hexadecimal digits; blanks, colons and hyphens between them are ignored."""
    return CardUid(_parse_hex(text, 7, "A card's UID"))


def parse_cti(text: str) -> Cti:
    """A phone entitlement's alias in 16 hexadecimal digits."""
    return Cti(_parse_hex(text, 8, "A ticket's alias"))


def _cleaned(text: str) -> str:
    return _FILLER.sub("", normalise_digits(text))


def _parse_number(text: str, what: str, most: int) -> int:
    digits = _cleaned(text)
    if not re.fullmatch(r"[0-9]{1,10}", digits) or not 1 <= int(digits) <= most:
        raise InvalidNumber(f"{what} is a whole number from 1 to {most}: type its digits only.")
    return int(digits)


def _parse_hex(text: str, size_bytes: int, what: str) -> bytes:
    digits = _cleaned(text).replace(":", "")
    if not re.fullmatch(rf"[0-9A-Fa-f]{{{2 * size_bytes}}}", digits):
        raise InvalidNumber(f"{what} is {2 * size_bytes} hexadecimal digits: type 0 to 9 and A to F only.")
    return bytes.fromhex(digits)
