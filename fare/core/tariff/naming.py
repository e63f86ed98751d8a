"""How a tariff's ids, amounts, times and days are said to people, in Persian and in English.

A name is the one the tariff gives; an id without one is said as it is. It tells no rules: that is
`fare.core.tariff.sentences`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from fare.core.calendar import Calendar, jalali_numeric, jalali_parts
from fare.core.money import Unit, format_amount, persian_digits
from fare.core.tariff.directions import isolated, reads_from_left, reads_from_right
from fare.core.tariff.model import Selection, Tariff
from fare.core.tariff.words_en import WORDS as ENGLISH
from fare.core.tariff.words_fa import CURRENCIES
from fare.core.tariff.words_fa import WORDS as PERSIAN

TariffLocale = Literal["fa", "en"]

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {"fa": PERSIAN, "en": ENGLISH}
_MOST_NAMES: Final = 12
"""More names than these in one list are counted instead of told."""
_LENGTHS_S: Final = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))
_KEPT_IN_MINUTES_S: Final = 3 * 3_600
_KILOMETRE_M: Final = 1_000
_JALALI_YEARS: Final = range(623, 9_999)
"""Gregorian years whose days all have a Jalali date."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Says things of one tariff in one language. `unit`: in which amounts in rial are shown."""

    tariff: Tariff
    locale: TariffLocale
    unit: Unit = "rial"

    def say(self, word: str, **parts: str) -> str:
        """The words of a template."""
        return _WORDS[self.locale][word].format(**parts)

    def number(self, count: int) -> str:
        """A whole number, with separators."""
        text = f"{count:,}"
        return persian_digits(text.replace(",", "٬")) if self.locale == "fa" else text

    def percent(self, count: int) -> str:
        """So many of a hundred."""
        return self.say("percent", count=self.number(count))

    def money(self, amount: int) -> str:
        """An amount in minor units, with its currency."""
        currency, exponent = self.tariff.currency, self.tariff.exponent
        if currency == "IRR" and exponent == 0:
            return format_amount(amount, unit=self.unit, locale=self.locale)
        whole, part = divmod(abs(amount), 10**exponent)
        digits = f"{whole:,}" + (f".{part:0{exponent}}" if exponent else "")
        if self.locale == "fa":
            digits = persian_digits(digits.replace(",", "٬").replace(".", "٫"))
            currency = CURRENCIES.get(currency, currency)
        minus = "" if amount >= 0 else "\u200e\u2212" if self.locale == "fa" else "-"
        return f"{minus}{digits} {currency}"

    def duration(self, seconds: int) -> str:
        """A length of time in the largest unit that tells it exactly; minutes up to three hours."""
        for length_s, word in _LENGTHS_S:
            if length_s == 3_600 and seconds < _KEPT_IN_MINUTES_S:
                continue
            if seconds and seconds % length_s == 0:
                return self.count(seconds // length_s, word)
        return self.count(seconds, "seconds")

    def count(self, count: int, word: str) -> str:
        """So many days, hours ..."""
        return self.say(f"one_{word}") if count == 1 else self.say(word, count=self.number(count))

    def times(self, count: int) -> str:
        """Once, or at most so many times."""
        return self.say("once") if count == 1 else self.say("times", count=self.number(count))

    def metres(self, metres: int) -> str:
        """A distance, in kilometres where those are whole."""
        if metres % _KILOMETRE_M == 0 and metres:
            return self.say("kilometres", count=self.number(metres // _KILOMETRE_M))
        return self.say("metres", count=self.number(metres))

    def day(self, ordinal: int) -> str:
        """A date in the tariff's calendar, the Gregorian where that has none."""
        day = date.fromordinal(ordinal)
        if self.tariff.calendar is Calendar.JALALI and day.year in _JALALI_YEARS:
            text = jalali_numeric(day)
            return text if self.locale == "fa" else text.translate(_ASCII)
        return persian_digits(day.isoformat()) if self.locale == "fa" else day.isoformat()

    def days(self, ordinals: Iterable[int]) -> str:
        """Dates as a list; one that comes back every year is said once."""
        ordered = sorted(ordinals)
        yearly = {self._in_year(each) for each in ordered}
        if len(ordered) > 1 and len(yearly) == 1:
            text = "{:02}/{:02}".format(*yearly.pop())
            return self.say("every_year", day=persian_digits(text) if self.locale == "fa" else text)
        return self.listed([self.day(each) for each in ordered])

    def _in_year(self, ordinal: int) -> tuple[int, int]:
        day = date.fromordinal(ordinal)
        return jalali_parts(day)[1:] if self.tariff.calendar is Calendar.JALALI else (day.month, day.day)

    def clock(self, second: int) -> str:
        """A time of day."""
        text = f"{second // 3_600:02}:{second // 60 % 60:02}" + (f":{second % 60:02}" if second % 60 else "")
        return persian_digits(text) if self.locale == "fa" else text

    def weekdays(self, days: Iterable[int]) -> str:
        """Days of the week, Monday 0, in the order of the tariff's week."""
        ordered = sorted(set(days), key=lambda day: (day - self.tariff.week_starts) % 7)
        return self.listed([self.say(f"weekday_{day}") for day in ordered])

    def listed(self, names: Sequence[str], last: str = "and") -> str:
        """Names as a list; of a long one the beginning, and how many more."""
        shown = list(names)
        if len(shown) > _MOST_NAMES:
            rest = self.say("more", count=self.number(len(shown) - _MOST_NAMES))
            return self.say("comma").join([*shown[:_MOST_NAMES], rest])
        if len(shown) < 2:
            return "".join(shown)
        return self.say("comma").join(shown[:-1]) + self.say(last) + shown[-1]

    def sentence(self, *clauses: str) -> str:
        """Clauses as one sentence, with a capital letter and a full stop."""
        text = self.say("semicolon").join(clause for clause in clauses if clause)
        return text[:1].upper() + text[1:] + self.say("full_stop")

    def own(self, name: str) -> str:
        """A name of the tariff, kept in one piece where it reads in the other direction than the sentence."""
        strays = reads_from_left(name) if self.locale == "fa" else reads_from_right(name)
        return isolated(name) if strays and not name.isascii() else name

    def name(self, kind: str, one: str) -> str:
        """The display name of an id: kind is "route", "network", "area", "media", "timeframe", "stop"..."""
        found = self.tariff.names.get(f"{kind}:{one}") or one
        return persian_digits(found) if self.locale == "fa" and found.isdecimal() else self.own(found)

    def names(self, kind: str, ids: Iterable[str], last: str = "and") -> str:
        """Display names as a list."""
        return self.listed([self.name(kind, one) for one in sorted(ids)], last)

    def medium(self, media_id: str) -> str:
        """What a fare medium is called."""
        named = self.tariff.names.get(f"media:{media_id}")
        word = next((each for each, its in self.tariff.media.items() if its == media_id), None)
        if named or word is None:
            return self.own(named or media_id)
        return self.say(f"medium_{word}")

    def category(self, category_id: str) -> str:
        """What a rider category is called."""
        found = (each.name for each in self.tariff.rider_categories if each.rider_category_id == category_id)
        return self.own(next(found, "") or category_id)

    def product(self, product_id: str) -> str:
        """What a product is called, in quotation marks."""
        passes = (each.name for each in self.tariff.passes if each.product_id == product_id)
        priced = (each.name for each in self.tariff.products if each.product_id == product_id)
        return self.say("quoted", text=self.own(next(passes, "") or next(priced, "") or product_id))

    def network(self, network_id: str) -> str:
        """A network by its name; one that is a single line is called by that."""
        named = self.tariff.names.get(f"network:{network_id}")
        routes = [route for route, network in self.tariff.routes.items() if network == network_id]
        if named:
            return self.say("network", names=self.own(named))
        if 1 <= len(routes) <= 3:
            word = "line" if len(routes) == 1 else "lines"
            return self.say(word, names=self.names("route", routes))
        if f"route:{network_id}" in self.tariff.names or network_id in self.tariff.routes:
            return self.say("line", names=self.name("route", network_id))
        return self.say("network", names=self.name("network", network_id))

    def scope(self, selection: Selection) -> str:
        """Which legs a selection is about, " on line 5 for seniors"; empty for every leg."""
        told = [
            ("on_lines", self.names("route", selection.routes, "or")),
            ("on_networks", self.listed([self.network(each) for each in sorted(selection.networks)], "or")),
            ("on_groups", self.names("leg_group", selection.leg_groups, "or")),
            ("from", self.names("area", selection.from_areas, "or")),
            ("to", self.names("area", selection.to_areas, "or")),
            ("touching", self.names("area", selection.areas, "or")),
            ("with_products", self.listed([self.product(each) for each in sorted(selection.products)], "or")),
            ("for", self.listed([self.category(each) for each in sorted(selection.rider_categories)], "or")),
            ("paid_with", self.listed([self.medium(each) for each in sorted(selection.media)], "or")),
            ("during", self.names("timeframe", selection.timeframes, "or")),
            ("on_days", self.weekdays(selection.weekdays)),
        ]
        return "".join(" " + self.say(word, names=names) for word, names in told if names)


_ASCII: Final = str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789")
