"""A service day as a person types it at a terminal. Never the clock."""

from __future__ import annotations

from datetime import date

from fare.core.calendar import BadCalendarText, parse_day
from fare.core.errors import OperatorError


def read_day(text: str) -> date:
    """`2026-11-22`, or Jalali `1405/09/01`, in any kind of digits. Raises OperatorError."""
    try:
        return parse_day(text)
    except BadCalendarText:
        raise OperatorError(
            f"'{text}' is not a day: write it as 2026-11-22, or in the Jalali calendar as 1405/09/01."
        ) from None
