"""Numbers, amounts, dates and times as one reader wants to see them. It computes nothing.

Persian: Persian digits and the Jalali calendar. English: ASCII digits and the Gregorian calendar. Amounts in
rial or toman; stored money stays `int` rial.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from fare.core.calendar import jalali, jalali_numeric
from fare.core.money import Locale, Unit, format_amount, persian_digits


@dataclass(frozen=True, slots=True)
class Figures:
    """One reader's way to see figures; `zone` is the city's."""

    locale: Locale
    unit: Unit
    zone: ZoneInfo

    def number(self, value: int) -> str:
        """A count, with thousands separators."""
        return self._digits(f"{value:,}")

    def plain(self, text: object) -> str:
        """A name that holds digits (a device, a line), with this reader's digits and no separators."""
        return self._digits(str(text))

    def amount(self, amount_rial: int) -> str:
        """An amount with its unit's word."""
        return format_amount(amount_rial, unit=self.unit, locale=self.locale)

    def bare_amount(self, amount_rial: int) -> str:
        """An amount for a column whose head names the unit."""
        return self.amount(amount_rial).rpartition(" ")[0]

    def day(self, day: date) -> str:
        """A date in words."""
        return jalali(day) if self.locale == "fa" else f"{day:%A} {day.day} {day:%B %Y}"

    def short_day(self, day: date) -> str:
        """A date in digits, as it can be typed into the page's own field."""
        return jalali_numeric(day) if self.locale == "fa" else day.isoformat()

    def time(self, at: datetime) -> str:
        """Time of day in the city, to the second."""
        return self._digits(f"{at.astimezone(self.zone):%H:%M:%S}")

    def moment(self, at: datetime) -> str:
        """Date and time in the city."""
        return f"{self.short_day(at.astimezone(self.zone).date())} {self.time(at)}"

    def _digits(self, text: str) -> str:
        return persian_digits(text).replace(",", "٬") if self.locale == "fa" else text
