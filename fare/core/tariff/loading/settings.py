"""The tables of `mancard.toml` that say how the city counts, and what its ids mean here.

`[tariff] [transfers] [timeframes] [media] [rider_categories] [numbers] [default_fare]`; docs/tariff.md tells
what their keys are. It prices nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from fare.core.calendar import Calendar
from fare.core.money import normalise_digits
from fare.core.tariff.loading.calendars import WEEKDAYS
from fare.core.tariff.loading.fares import CATEGORIES, MEDIA, PRODUCTS, Fares
from fare.core.tariff.loading.findings import shown
from fare.core.tariff.loading.network import Network, is_zone
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.toml_table import Table
from fare.core.tariff.model import EMPTY, Boundary, FareMedium, LimitFrom, OutOfService, RiderCategory

MAX_NUMBER: Final = 0xFFFF
"""Of a line, an area or a pass on the card: two bytes."""
MAX_CATEGORY: Final = 0xFF
MAX_SECONDS: Final = 400 * 86_400


@dataclass(frozen=True, slots=True)
class Settings:
    """The `[tariff]` table and what the text files need to know of the rest; None where it says nothing."""

    name: str
    currency: str | None
    exponent: int | None
    calendar: Calendar
    zone_name: str | None
    service_day_starts_s: int
    week_starts: int
    pass_back_s: int
    out_of_service: OutOfService
    limit_from: LimitFrom
    transfer_boundary: Boundary
    join_within_s: int
    join_anywhere: bool
    inclusive_groups: frozenset[str]


def read_settings(root: Table) -> Settings:
    """Read what does not depend on the text files."""
    table = root.table("tariff")
    currency = table.text("currency") or None
    if currency and not re.fullmatch(r"[A-Z]{3}", currency):
        table.fault(
            "currency",
            say("{value} is not a currency code", value=shown(currency)),
            say('write three capitals, such as "IRR"'),
        )
        currency = None
    zone_name = table.text("zone") or None
    if zone_name and not is_zone(zone_name):
        table.fault(
            "zone",
            say("{value} is not a time zone", value=shown(zone_name)),
            say('write one such as "Asia/Tehran"'),
        )
        zone_name = None
    transfers = root.table("transfers")
    calendar = table.word("calendar", Calendar, Calendar.GREGORIAN)
    settings = Settings(
        name=table.text("name"),
        currency=currency,
        exponent=table.whole("exponent", 0, 4),
        calendar=calendar,
        zone_name=zone_name,
        service_day_starts_s=table.time("service_day_starts", 0),
        week_starts=_week_starts(table, 5 if calendar is Calendar.JALALI else 0),
        pass_back_s=table.whole_or("pass_back_seconds", 5, 0, 86_400),
        out_of_service=table.word("out_of_service", OutOfService, OutOfService.PAY_ON_ANOTHER_DOOR),
        limit_from=table.word("transfer_limit_from", LimitFrom, LimitFrom.RULE),
        transfer_boundary=transfers.word("boundary", Boundary, Boundary.INCLUSIVE),
        join_within_s=transfers.whole_or("join_within_seconds", 1_800, 0, MAX_SECONDS),
        join_anywhere=transfers.flag("join_anywhere", default=False),
        inclusive_groups=_inclusive_groups(root),
    )
    table.close()
    transfers.close()
    return settings


def _week_starts(table: Table, default: int) -> int:
    word = table.text("week_starts", WEEKDAYS[default])
    if word in WEEKDAYS:
        return WEEKDAYS.index(word)
    table.fault(
        "week_starts",
        say("{value} is not a day of the week", value=shown(word)),
        say('write one such as "saturday"'),
    )
    return default


def _inclusive_groups(root: Table) -> frozenset[str]:
    found: set[str] = set()
    for group, table in root.entries("timeframes").items():
        if table.word("end", Boundary, Boundary.EXCLUSIVE) is Boundary.INCLUSIVE:
            found.add(group)
        table.close()
    return frozenset(found)


def check_groups(root: Table, groups: Collection[str]) -> None:
    """Each group of `[timeframes]` must be one of timeframes.txt."""
    table = root.table("timeframes")
    for group in table.values:
        table.known_id(group, group, groups, "timeframes.txt")


def read_categories(root: Table, fares: Fares, *, are_listed: bool) -> tuple[RiderCategory, ...]:
    """The categories with their numbers and fallbacks. Those named here count where no file lists any."""
    outer = root.table("rider_categories")
    found = {each.rider_category_id: each for each in fares.categories}
    named = {category_id: outer.table(category_id) for category_id in outer.values}
    for category_id, table in named.items():
        if category_id not in found and not are_listed:
            found[category_id] = RiderCategory(category_id, category_id, -1)
        elif not outer.known_id(category_id, category_id, found, CATEGORIES):
            continue
        number = table.whole("number", 0, MAX_CATEGORY)
        back = table.text("falls_back_to")
        table.close()
        now = found[category_id]
        is_default = now.is_default or (number == 0 and not are_listed)
        now = replace(now, is_default=is_default, falls_back_to=back)
        found[category_id] = now if number is None else replace(now, number=number)
    for category_id, table in named.items():
        back = found[category_id].falls_back_to if category_id in found else EMPTY
        if back and table.known_id("falls_back_to", back, found, CATEGORIES):
            _no_circle(table, category_id, found)
    return _numbered(outer, found, set(named))


def _no_circle(table: Table, category_id: str, found: dict[str, RiderCategory]) -> None:
    seen, at = {category_id}, found[category_id].falls_back_to
    while at in found and at not in seen:
        seen.add(at)
        at = found[at].falls_back_to
    if at == category_id:
        table.fault(
            "falls_back_to",
            say("{value} falls back to itself in a circle", value=shown(category_id)),
            say("let the last one fall back to none"),
        )


def _numbered(outer: Table, found: dict[str, RiderCategory], named: set[str]) -> tuple[RiderCategory, ...]:
    """Numbers that were given stay; the others take the next free ones in the order of rows."""
    chosen: dict[int, str] = {}
    explicit = {one for one in named if one in found and outer.table(one).has("number")}
    for category_id in [*sorted(explicit), *(one for one in found if one not in explicit)]:
        each = found[category_id]
        number = each.number
        if category_id not in explicit:
            start = 0 if each.is_default else 1
            number = next(free for free in range(start, len(found) + MAX_CATEGORY + 2) if free not in chosen)
            found[category_id] = replace(each, number=number)
        if number in chosen:
            outer.table(category_id).fault(
                "number",
                say("{number} is the number of {value} too", number=number, value=shown(chosen[number])),
                say("give each category its own"),
            )
        elif number > MAX_CATEGORY:
            outer.fault(
                "",
                say("there are more than {most} rider categories", most=MAX_CATEGORY + 1),
                say("leave some out"),
            )
            break
        chosen[number] = category_id
    return tuple(found.values())


def read_media(root: Table, fares: Fares, *, are_listed: bool) -> dict[str, str]:
    """FareMedium -> fare_media_id: what fare_media.txt says by type, then what `[media]` says."""
    table = root.table("media")
    media = dict(fares.media)
    for medium in FareMedium:
        media_id = table.text(medium.value)
        if media_id and table.known_id(
            medium.value, media_id, fares.media_ids if are_listed else None, MEDIA
        ):
            media[medium.value] = media_id
    table.close()
    return media


def read_default_products(root: Table, fares: Fares, network: Network) -> dict[str, str]:
    """Network or route id, or EMPTY for all -> the product charged when no rule matches."""
    table = root.table("default_fare")
    found: dict[str, str] = {}
    product = table.text("product")
    if product and table.known_id("product", product, fares.product_names, PRODUCTS):
        found[EMPTY] = product
    for key, known, where in (
        ("networks", network.listed_networks, "networks.txt"), ("routes", network.listed_routes, "routes.txt")
    ):  # fmt: skip
        inner = table.table(key)
        for one in inner.values:
            product = inner.text(one)
            if inner.known_id(one, one, known, where) and product:
                inner.known_id(one, product, fares.product_names, PRODUCTS)
                found[one] = product
    table.close()
    return found


def read_numbers(root: Table, fares: Fares, network: Network) -> tuple[dict[int, str], dict[int, str]]:
    """The small numbers of lines and areas: `[numbers]`, then ids and short names that are numbers."""
    table = root.table("numbers")
    networks = dict.fromkeys(rule.network_id for rule in fares.leg_rules if rule.network_id)
    line_ids = list(network.routes) if network.listed_routes is not None else list(networks)
    lines = _given_numbers(table.table("lines"), network.listed_routes, "routes.txt")
    areas = _given_numbers(table.table("areas"), network.listed_areas, "areas.txt")
    table.close()
    _own_numbers(lines, {each: each for each in line_ids})
    _own_numbers(lines, {each: network.short_names.get(each, "") for each in line_ids})
    named = dict.fromkeys(
        area for rule in fares.leg_rules for area in (rule.from_area_id, rule.to_area_id) if area
    )
    _own_numbers(areas, {each: each for each in sorted(network.area_ids) or named})
    return lines, areas


def _given_numbers(table: Table, known: Collection[str] | None, where: str) -> dict[int, str]:
    numbers: dict[int, str] = {}
    for key in table.values:
        value = table.text(key)
        number = _number(key)
        if number is None:
            table.fault(
                key,
                say("{value} is not a number from 1 to {most:,}", value=shown(key), most=MAX_NUMBER),
                say("write such a number"),
            )
        elif number in numbers:
            table.fault(
                key,
                say("the number {number} is there twice", number=number),
                say("give each id its own number"),
            )
        elif value and table.known_id(key, value, known, where):
            numbers[number] = value
    return numbers


def _own_numbers(numbers: dict[int, str], texts: dict[str, str]) -> None:
    """Give ids the number that their text is, unless they or the number are taken, or two claim it."""
    taken = set(numbers.values())
    claims: dict[int, list[str]] = {}
    for one, text in texts.items():
        number = _number(text)
        if number is not None and one not in taken and number not in numbers:
            claims.setdefault(number, []).append(one)
    numbers.update({number: ones[0] for number, ones in claims.items() if len(ones) == 1})


def _number(text: str) -> int | None:
    plain = normalise_digits(text)
    number = int(plain) if re.fullmatch(r"[0-9]{1,5}", plain) else 0
    return number if 1 <= number <= MAX_NUMBER else None
