"""A service day as a person types it at a terminal. Never the clock."""

from __future__ import annotations

from datetime import date
from typing import Final

from fare.core.calendar import BadCalendarText, parse_jalali
from fare.core.errors import OperatorError
from fare.core.money import normalise_digits

_GREGORIAN_FROM: Final = 1900
"""A typed year below it is a Jalali one."""


def read_day(text: str) -> date:
    """`2026-11-22`, or Jalali `1405/09/01`, in any kind of digits. Raises OperatorError."""
    digits = normalise_digits(text).strip()
    try:
        if digits[:4].isdigit() and int(digits[:4]) >= _GREGORIAN_FROM:
            return date.fromisoformat(digits.replace("/", "-"))
        return parse_jalali(digits)
    except (BadCalendarText, ValueError):
        raise OperatorError(
            f"'{text}' is not a day: write it as 2026-11-22, or in the Jalali calendar as 1405/09/01."
        ) from None
