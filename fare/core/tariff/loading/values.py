"""The fields of a tariff's text files as values: amounts, numbers, dates, times. It keeps nothing."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Final

from fare.core.money import normalise_digits
from fare.core.tariff.loading.findings import shown
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.tables import Row

MAX_AMOUNT: Final = 10**12
"""Minor units, either sign: beyond any fare, and within what every part of the system computes with."""

_NUMBER: Final = re.compile(r"(-?)(\d{1,18})(?:\.(\d{1,18}))?")
_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
# ISO 4217's exceptions from two decimals. The rial has none here: cities settle in whole rial.
_WHOLE: Final = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "IRR",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
        "XTS",
        "XXX",
    ]
)
_THREE_DECIMALS: Final = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


def exponent_of(currency: str) -> int:
    """Decimals of a currency (ISO 4217, the rial 0)."""
    return 0 if currency in _WHOLE else 3 if currency in _THREE_DECIMALS else 2


def read_amount(text: str, exponent: int) -> int | str:
    """Minor units of an amount in major units, or what is wrong with it. Digits of any kind."""
    plain = normalise_digits(text).replace("٫", ".").replace("\u2212", "-").replace("\u200e", "")
    match = _NUMBER.fullmatch(plain)
    if match is None:
        return say("{value} is not an amount", value=shown(text))
    sign, whole, decimals = match[1], match[2], (match[3] or "").rstrip("0")
    if len(decimals) > exponent:
        allowed = say("no decimals") if exponent == 0 else say("at most {most} decimals", most=exponent)
        return say(
            "{value} has more decimals than the currency, which has {allowed}",
            value=shown(text),
            allowed=allowed,
        )
    amount = int(whole) * 10**exponent + int(decimals.ljust(exponent, "0") or 0)
    if amount > MAX_AMOUNT:
        return say("{value} is more than any fare", value=shown(text))
    return -amount if sign else amount


def decimal_amount(value: Decimal | int, exponent: int) -> int | str:
    """The same of a number from `mancard.toml`."""
    if isinstance(value, int):
        return (
            value * 10**exponent
            if abs(value) <= MAX_AMOUNT
            else say("{value} is more than any fare", value=shown(value))
        )
    if not value.is_finite() or value.adjusted() > 15 or value.as_tuple().exponent < -30:  # type: ignore[operator]
        return say("{value} is not an amount", value=shown(value))
    return read_amount(format(value, "f"), exponent)


def time_of_day(text: str) -> int | None:
    """Seconds after midnight of HH:MM:SS or H:MM:SS or HH:MM, None for anything else; hours may exceed 24."""
    match = _TIME.fullmatch(normalise_digits(text))
    if match is None or int(match[2]) > 59 or int(match[3] or 0) > 59:
        return None
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0)


def an_amount(exponent: int) -> str:
    """An amount as one may write it, for an example."""
    return "35000" if exponent == 0 else "2." + "75".ljust(exponent, "0")[:exponent]


def row_amount(row: Row, column: str, exponent: int) -> int | None:
    """The amount of a cell that must be there."""
    text = row.required(column)
    if not text:
        return None
    amount = read_amount(text, exponent)
    if isinstance(amount, int):
        return amount
    mend = say("write digits with a point and no other marks, such as {example}", example=an_amount(exponent))
    row.fault(column, amount, mend)
    return None


def row_integer(row: Row, column: str, least: int, most: int) -> int | None:
    """The whole number of a cell; None where it is empty or faulty."""
    text = row.get(column)
    if not text:
        return None
    plain = normalise_digits(text)
    if re.fullmatch(r"-?\d{1,18}", plain) and least <= int(plain) <= most:
        return int(plain)
    span = (
        say("from {least:,} on", least=least)
        if most >= MAX_AMOUNT
        else say("from {least} to {most:,}", least=least, most=most)
    )
    row.fault(
        column,
        say("{value} is not one of the whole numbers {span}", value=shown(text), span=span),
        say("write such a number"),
    )
    return None


def row_time(row: Row, column: str) -> int | None:
    """Seconds after midnight, at most 24:00; None where the cell is empty or faulty."""
    text = row.get(column)
    if not text:
        return None
    seconds = time_of_day(text)
    if seconds is None:
        row.fault(
            column, say("{value} is not a time", value=shown(text)), say("write HH:MM:SS, such as 06:30:00")
        )
    elif seconds > 86_400:
        row.fault(column, say("{value} is after 24:00:00", value=shown(text)),
                  say("end the row at 24:00:00 and begin another at 00:00:00"))  # fmt: skip
    else:
        return seconds
    return None


def row_date(row: Row, column: str) -> int | None:
    """The ordinal of a GTFS date, YYYYMMDD, that must be there."""
    text = row.required(column)
    plain = normalise_digits(text)
    if re.fullmatch(r"[0-9]{8}", plain):
        try:
            return date(int(plain[:4]), int(plain[4:6]), int(plain[6:])).toordinal()
        except ValueError:
            pass  # the same fault as any other text
    if text:
        row.fault(
            column, say("{value} is not a date", value=shown(text)), say("write YYYYMMDD, such as 20260321")
        )
    return None
