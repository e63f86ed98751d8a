"""`[[windows]]`, `[[caps]]`, `[[passes]]`, `[[concessions]]`, `[[free_days]]`: what lets a rider pay less."""

from __future__ import annotations

from typing import Final

from fare.core.tariff.card_layout import MOST_RIDES
from fare.core.tariff.loading.fares import PRODUCTS, Fares
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.selecting import Known, day, days, rounding, selection
from fare.core.tariff.loading.settings import MAX_NUMBER, MAX_SECONDS
from fare.core.tariff.loading.toml_table import Table
from fare.core.tariff.model import (
    EMPTY,
    EVERY_LEG,
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    Concession,
    FreeDays,
    LastTap,
    PassPeriod,
    PassProduct,
    PassStart,
    Selection,
    TransferWindow,
    WindowAnchor,
    WindowPays,
)

MAX_PERCENT: Final = 1_000


def identified(table: Table, kind: str, place: int, taken: dict[str, int]) -> tuple[str, str]:
    """Id and name of a table; without an id it is numbered, without a name the id stands for it."""
    own = table.text("id", f"{kind}-{place + 1}")
    if taken.setdefault(own, place) != place:
        table.fault(
            "id",
            say(
                "{name} is the id of {kind} {number} already",
                name=repr(own),
                kind=kind,
                number=taken[own] + 1,
            ),
            say("give each its own id"),
        )
    return own, table.text("name", own)


def read_windows(root: Table, known: Known) -> tuple[TransferWindow, ...]:
    """The `[[windows]]` tables."""
    taken: dict[str, int] = {}
    return tuple(_window(table, known, place, taken) for place, table in enumerate(root.tables("windows")))


def _window(table: Table, known: Known, place: int, taken: dict[str, int]) -> TransferWindow:
    window_id, name = identified(table, say("window"), place, taken)
    seconds = table.whole("seconds", 1, MAX_SECONDS)
    until = table.text("until")
    if until and until != "end_of_service_day":
        table.fault(
            "until",
            say("{value} is not known here", value=repr(until)),
            say('write "end_of_service_day" or leave it out'),
        )
    if until and seconds is not None:
        table.fault("until", say("a window has seconds or until, not both"), say("delete one of the two"))
    pays = table.word("pays", WindowPays, WindowPays.NOTHING)
    percent, amount = table.whole("percent", 0, 100), table.amount("amount")
    for key, word, value in (("percent", WindowPays.PERCENT, percent), ("amount", WindowPays.AMOUNT, amount)):
        if pays is word and value is None and not table.has(key):
            table.fault(
                key, say('a window that pays = "{word}" needs it', word=word), say("add {key} = …", key=key)
            )
        if pays is not word and table.has(key):
            table.fault(
                key,
                say('it has no effect while pays = "{pays}"', pays=pays),
                say('write pays = "{word}" or delete it', word=word),
            )
    window = TransferWindow(
        window_id=window_id,
        name=name,
        seconds=seconds,
        boundary=table.word("boundary", Boundary, Boundary.EXCLUSIVE),
        covers=selection(table, known),
        anchor=table.word("anchor", WindowAnchor, WindowAnchor.FIRST),
        pays=pays,
        percent=percent or 0,
        amount=amount or 0,
        rounding=rounding(table),
        transfers=_transfers(table),
        same_network=table.flag("same_network", default=False),
        same_route=table.flag("same_route", default=True),
        needs_balance=table.flag("needs_balance", default=False),
        ended_by_other_legs=table.flag("ended_by_other_legs", default=False),
        ends_with_service_day=table.flag("ends_with_service_day", default=False) or bool(until),
        opened_by=_opened_by(table, known),
    )
    table.close()
    return window


def _opened_by(table: Table, known: Known) -> Selection | None:
    if not table.has("opened_by"):
        return None
    inner = table.table("opened_by")
    found = selection(inner, known)
    inner.close()
    return found


def _transfers(table: Table) -> int:
    transfers = table.whole_or("transfers", -1, -1, 1_000)
    if transfers == 0:
        table.fault(
            "transfers", say("0 allows no transfer at all"), say("write -1 for any number, or 1 or more")
        )
    return transfers


def read_caps(root: Table, known: Known) -> tuple[Cap, ...]:
    """The `[[caps]]` tables."""
    taken: dict[str, int] = {}
    return tuple(_cap(table, known, place, taken) for place, table in enumerate(root.tables("caps")))


def _cap(table: Table, known: Known, place: int, taken: dict[str, int]) -> Cap:
    cap_id, name = identified(table, say("cap"), place, taken)
    amount = table.amount("amount", least=1)
    levels: list[CapLevel] = []
    for inner in table.tables("levels"):
        level = inner.amount("amount", least=1)
        if level is None and not inner.has("amount"):
            inner.fault("amount", say("a level needs an amount"), say("add amount = …"))
        levels.append(CapLevel(level or 0, selection(inner, known)))
        inner.close()
    if table.has("amount") and levels:
        table.fault("levels", say("a cap has an amount or levels, not both"), say("delete one of the two"))
    elif not table.has("amount") and not levels:
        table.fault("amount", say("a cap needs an amount or levels"), say("add amount = …"))
    period = table.word("period", CapPeriod, CapPeriod.SERVICE_DAY)
    counted = period in (CapPeriod.ROLLING, CapPeriod.FROM_FIRST_USE)
    number = table.whole("days", 1, 366)
    if counted and not table.has("days"):
        table.fault(
            "days",
            say('a cap whose period = "{period}" needs its number of days', period=period),
            say("add days = …"),
        )
    if not counted and table.has("days"):
        table.fault(
            "days",
            say('it has no effect while period = "{period}"', period=period),
            say('write period = "rolling" or delete it'),
        )
    cap = Cap(
        cap_id=cap_id,
        name=name,
        period=period,
        levels=tuple(levels) or (CapLevel(amount or 0),),
        covers=selection(table, known),
        days=number or 1,
        last_tap=table.word("last_tap", LastTap, LastTap.PARTIAL),
    )
    table.close()
    return cap


def read_passes(root: Table, known: Known, fares: Fares) -> tuple[PassProduct, ...]:
    """The `[[passes]]` tables, numbered in their order where they give no number."""
    tables = root.tables("passes")
    numbers: dict[int, int] = {}
    products: dict[str, int] = {}
    for place, table in enumerate(tables):
        number = table.whole("number", 1, MAX_NUMBER)
        if number is not None and numbers.setdefault(number, place) != place:
            table.fault(
                "number",
                say("{number} is the number of pass {place} too", number=number, place=numbers[number] + 1),
                say("give each its own"),
            )
    return tuple(_pass(table, known, fares, (place, numbers, products)) for place, table in enumerate(tables))


def _pass(
    table: Table, known: Known, fares: Fares, taken: tuple[int, dict[int, int], dict[str, int]]
) -> PassProduct:
    place, numbers, products = taken
    product_id = table.needed("product")
    if product_id:
        table.known_id("product", product_id, known.products, PRODUCTS)
    if product_id and products.setdefault(product_id, place) != place:
        table.fault(
            "product",
            say("{value} is pass {place} already", value=repr(product_id), place=products[product_id] + 1),
            say("keep one of them"),
        )
    number = table.raw("number")
    if not isinstance(number, int):
        number = next(free for free in range(1, MAX_NUMBER + len(numbers)) if free not in numbers)
        numbers[number] = place
    rides = table.whole("rides", 1, MOST_RIDES)
    default = PassPeriod.DAYS if rides is None else PassPeriod.UNLIMITED
    covers = selection(table, known)
    if covers == EVERY_LEG and any(rule.fare_product_id == product_id for rule in fares.leg_rules):
        covers = Selection(products=frozenset((product_id,)))
    found = PassProduct(
        product_id=product_id,
        name=fares.product_names.get(product_id, product_id),
        number=number,
        period=table.word("period", PassPeriod, default),
        length=table.whole_or("length", 1, 1, 3_660),
        start=table.word("starts", PassStart, PassStart.PURCHASE),
        rides=rides,
        covers=covers,
        boundary=table.word("boundary", Boundary, Boundary.EXCLUSIVE),
    )
    table.close()
    return found


def read_concessions(root: Table, known: Known) -> tuple[Concession, ...]:
    """The `[[concessions]]` tables."""
    taken: dict[str, int] = {}
    found: list[Concession] = []
    for place, table in enumerate(root.tables("concessions")):
        concession_id, name = identified(table, say("concession"), place, taken)
        percent, product = table.whole("percent", 0, MAX_PERCENT), table.text("product")
        if product:
            table.known_id("product", product, known.products, PRODUCTS)
        if table.has("percent") == table.has("product"):
            table.fault("percent", say("a concession has either a percent that is paid or another product"),
                        say("write exactly one of the two"))  # fmt: skip
        first, last = day(table, "from"), day(table, "until")
        if first is not None and last is not None and last < first:
            table.fault(
                "until", say("the concession ends before it begins"), say("correct one of the two dates")
            )
        covers = selection(table, known)
        found.append(Concession(concession_id, name, covers, percent, product, rounding(table), first, last))
        table.close()
    return tuple(found)


def read_free_days(root: Table, known: Known) -> tuple[FreeDays, ...]:
    """The `[[free_days]]` tables."""
    found: list[FreeDays] = []
    for place, table in enumerate(root.tables("free_days")):
        name = table.text("name", f"free days {place + 1}")
        dates, service = days(table, "dates", known.calendar), table.text("service")
        if service:
            table.known_id("service", service, known.services, "calendar.txt")
        covers = selection(table, known)
        if not table.has("dates") and not service and not covers.weekdays:
            table.fault(
                "", say("the table names no days"), say('add dates = ["2026-03-21"], service or weekdays')
            )
        found.append(FreeDays(name, dates, service or EMPTY, covers))
        table.close()
    return tuple(found)
