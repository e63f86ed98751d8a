"""Products, media, rider categories, leg rules, join rules and transfer rules of GTFS-Fares v2, row by row.

Semantics follow the GTFS reference; what the rows mean together is checked in `soundness` and `coverage`.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from fare.core.tariff.loading.findings import shown
from fare.core.tariff.loading.network import Network, listed, unique
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.tables import Row, Tables
from fare.core.tariff.loading.values import MAX_AMOUNT, exponent_of, row_amount, row_integer
from fare.core.tariff.model import (
    EMPTY,
    Boundary,
    DurationLimitType,
    FareMedium,
    JoinRule,
    LegRule,
    ProductPrice,
    RiderCategory,
    TransferRule,
    TransferType,
)

PRODUCTS: Final = "fare_products.txt"
LEG_RULES: Final = "fare_leg_rules.txt"
JOIN_RULES: Final = "fare_leg_join_rules.txt"
TRANSFER_RULES: Final = "fare_transfer_rules.txt"
CATEGORIES: Final = "rider_categories.txt"
MEDIA: Final = "fare_media.txt"

_MEDIUM_OF_TYPE: Final = (
    FareMedium.CASH, FareMedium.PAPER, FareMedium.CARD, FareMedium.CEMV, FareMedium.PHONE
)  # fmt: skip
_LEG_KEYS: Final = (
    "network_id", "from_area_id", "to_area_id", "from_timeframe_group_id", "to_timeframe_group_id"
)  # fmt: skip

# What two rows must not share: said once, not for each row.
_PRODUCT: Final = say("product, category and medium")
_LEG_AND_PRODUCT: Final = say("leg and product")
_NETWORKS_AND_STOPS: Final = say("networks and stops")
_TRANSFER: Final = say("groups, product, count and limit")


@dataclass(slots=True)
class Fares:
    """What was read, and the line of each row, in the same order. `media` as in `Tariff.media`."""

    currency: str = EMPTY
    exponent: int = 0
    products: list[ProductPrice] = field(default_factory=list[ProductPrice])
    product_lines: list[int] = field(default_factory=list[int])
    product_names: dict[str, str] = field(default_factory=dict[str, str])
    categories: list[RiderCategory] = field(default_factory=list[RiderCategory])
    category_lines: dict[str, int] = field(default_factory=dict[str, int])
    media: dict[str, str] = field(default_factory=dict[str, str])
    media_ids: set[str] = field(default_factory=set[str])
    names: dict[str, str] = field(default_factory=dict[str, str])
    leg_rules: list[LegRule] = field(default_factory=list[LegRule])
    leg_lines: list[int] = field(default_factory=list[int])
    uses_priority: bool = False
    join_rules: list[JoinRule] = field(default_factory=list[JoinRule])
    transfer_rules: list[TransferRule] = field(default_factory=list[TransferRule])
    transfer_lines: list[int] = field(default_factory=list[int])


def read_fares(
    tables: Tables,
    network: Network,
    timeframe_groups: frozenset[str],
    currency: str | None,
    exponent: int | None,
    transfer_boundary: Boundary,
) -> Fares:
    """Read the fare files. `currency`, `exponent`: those of `mancard.toml`, None where it names none."""
    fares = Fares()
    for file in (PRODUCTS, LEG_RULES):
        if not tables.has(file):
            tables.findings.fault(
                file,
                None,
                "",
                say("the file is missing"),
                say("add {file}: no fare is known without it", file=file),
            )
    _media(tables, fares)
    _categories(tables, fares)
    _products(tables, fares, currency, exponent)
    _leg_rules(tables, network, timeframe_groups, fares)
    _join_rules(tables, network, fares)
    _transfer_rules(tables, fares, transfer_boundary)
    return fares


def _media(tables: Tables, fares: Fares) -> None:
    lines: dict[str, int] = {}
    for row in tables.rows(MEDIA, ("fare_media_id", "fare_media_type"), ("fare_media_name",)):
        media_id = unique(row, "fare_media_id", lines)
        kind = row_integer(row, "fare_media_type", 0, 4) if row.required("fare_media_type") else None
        if kind is not None and media_id:
            fares.media.setdefault(_MEDIUM_OF_TYPE[kind].value, media_id)
        if row.get("fare_media_name"):
            fares.names[f"media:{media_id}"] = row.get("fare_media_name")
    fares.media_ids |= lines.keys()


def _categories(tables: Tables, fares: Fares) -> None:
    found: list[tuple[str, str, bool]] = []
    lines = fares.category_lines
    columns = ("rider_category_name", "is_default_fare_category", "eligibility_url")
    default_line = 0
    for row in tables.rows(CATEGORIES, ("rider_category_id",), columns):
        category_id = unique(row, "rider_category_id", lines)
        is_default = row_integer(row, "is_default_fare_category", 0, 1) == 1
        if is_default and default_line:
            row.fault(
                "is_default_fare_category",
                say("row {row} is the default category already", row=default_line),
                say("mark exactly one row with 1"),
            )
        if is_default:
            default_line = default_line or row.line
        if category_id:
            found.append((category_id, row.get("rider_category_name") or category_id, is_default))
    number = 1
    for category_id, name, is_default in found:
        fares.categories.append(RiderCategory(category_id, name, 0 if is_default else number, is_default))
        number += 0 if is_default else 1


def _products(tables: Tables, fares: Fares, currency: str | None, exponent: int | None) -> None:
    required = ("fare_product_id", "amount", "currency")
    optional = ("fare_product_name", "rider_category_id", "fare_media_id")
    known_categories = frozenset(fares.category_lines) if tables.has(CATEGORIES) else None
    known_media = frozenset(fares.media_ids) if tables.has(MEDIA) else None
    fares.currency = currency or EMPTY
    if currency:
        fares.exponent = exponent_of(currency) if exponent is None else exponent
    keys: dict[Hashable, int] = {}
    for row in tables.rows(PRODUCTS, required, optional):
        product_id = row.required("fare_product_id")
        _currency(row, fares, exponent)
        amount = row_amount(row, "amount", fares.exponent)
        category, medium = row.get("rider_category_id"), row.get("fare_media_id")
        if category:
            listed(row, "rider_category_id", category, known_categories, CATEGORIES)
        if medium:
            listed(row, "fare_media_id", medium, known_media, MEDIA)
        if not product_id:
            continue
        name = row.get("fare_product_name") or fares.product_names.get(product_id) or product_id
        fares.product_names.setdefault(product_id, name)  # even if it has no price: others may name it
        if amount is None:
            continue
        if not _once(row, "fare_product_id", (product_id, category, medium), keys, _PRODUCT):
            continue
        fares.products.append(ProductPrice(product_id, name, amount, category, medium))
        fares.product_lines.append(row.line)
    if not fares.products and tables.has(PRODUCTS) and not tables.findings.faults:
        tables.findings.fault(
            PRODUCTS, None, "", say("the file has no rows"), say("add a row for each product and its price")
        )
    _unlisted(fares, known_categories, known_media)
    _default_category(tables, fares)


def _currency(row: Row, fares: Fares, exponent: int | None) -> None:
    currency = row.required("currency")
    if not currency:
        return
    if not re.fullmatch(r"[A-Z]{3}", currency):
        row.fault(
            "currency",
            say("{value} is not a currency code", value=shown(currency)),
            say("write three capitals, such as IRR"),
        )
    elif not fares.currency:
        fares.currency = currency
        fares.exponent = exponent_of(currency) if exponent is None else exponent
    elif currency != fares.currency:
        row.fault(
            "currency",
            say(
                "{currency} is another currency than the tariff's {ours}",
                currency=currency,
                ours=fares.currency,
            ),
            say("give all products in one currency"),
        )


def _default_category(tables: Tables, fares: Fares) -> None:
    """Whom a price for several categories is shown to first must be said; the only category needs no mark."""
    if not fares.category_lines or any(each.is_default for each in fares.categories):
        return
    for_anyone = {each.product_id for each in fares.products if not each.rider_category_id}
    priced = {(each.product_id, each.rider_category_id) for each in fares.products} - {
        (one, EMPTY) for one in for_anyone
    }
    if len(fares.categories) == 1 and not for_anyone:
        only = fares.categories[0]
        fares.categories = [RiderCategory(only.rider_category_id, only.name, 0, is_default=True)]
    elif len(priced) > len({product_id for product_id, _ in priced}):
        tables.findings.fault(
            CATEGORIES,
            None,
            "is_default_fare_category",
            say("no category is the default one"),
            say("mark exactly one row with 1"),
        )


def _unlisted(fares: Fares, categories: frozenset[str] | None, media: frozenset[str] | None) -> None:
    """Without a file that lists them, categories and media are those that the products name."""
    if categories is None:
        named = dict.fromkeys(each.rider_category_id for each in fares.products if each.rider_category_id)
        fares.categories = [RiderCategory(each, each, number) for number, each in enumerate(named, 1)]
    if media is None:
        for product in fares.products:
            fares.media_ids.add(product.fare_media_id)
            if product.fare_media_id in list(FareMedium):
                fares.media.setdefault(product.fare_media_id, product.fare_media_id)
        fares.media_ids.discard(EMPTY)


def _leg_rules(tables: Tables, network: Network, groups: frozenset[str], fares: Fares) -> None:
    fares.uses_priority = "rule_priority" in tables.columns(LEG_RULES)
    known = (network.listed_networks, network.listed_areas, network.listed_areas, groups, groups)
    files = ("networks.txt" if tables.has("networks.txt") else "routes.txt", "areas.txt", "areas.txt")
    files = (*files, "timeframes.txt", "timeframes.txt")
    products = None if PRODUCTS in tables.broken else frozenset(fares.product_names)
    checks = tuple(zip(_LEG_KEYS, known, files, strict=True))
    keys: dict[Hashable, int] = {}
    shared: dict[str, str] = {}  # one text for each id, however many rules name it
    for row in tables.rows(LEG_RULES, ("fare_product_id",), ("leg_group_id", *_LEG_KEYS, "rule_priority")):
        product_id = row.required("fare_product_id")
        if product_id:
            listed(row, "fare_product_id", product_id, products, PRODUCTS)
        values: list[str] = []
        for column, ids, file in checks:
            value = row.get(column)
            if value and ids is not None and value not in ids:
                listed(row, column, value, ids, file)
            values.append(shared.setdefault(value, value))
        priority = row_integer(row, "rule_priority", 0, 2**31) or 0
        if not product_id or not _once(row, "", (product_id, *values), keys, _LEG_AND_PRODUCT):
            continue
        group = row.get("leg_group_id")
        product_id, group = shared.setdefault(product_id, product_id), shared.setdefault(group, group)
        fares.leg_rules.append(LegRule(group, product_id, *values, priority=priority))
        fares.leg_lines.append(row.line)
    if not fares.leg_rules and tables.has(LEG_RULES) and not tables.findings.faults:
        tables.findings.fault(
            LEG_RULES, None, "", say("the file has no rows"), say("add a row for each leg and its product")
        )


def _join_rules(tables: Tables, network: Network, fares: Fares) -> None:
    keys: dict[Hashable, int] = {}
    networks_file = "networks.txt" if tables.has("networks.txt") else "routes.txt"
    for row in tables.rows(JOIN_RULES, ("from_network_id", "to_network_id"), ("from_stop_id", "to_stop_id")):
        networks = row.get("from_network_id"), row.get("to_network_id")
        stops = row.get("from_stop_id"), row.get("to_stop_id")
        for column, value in zip(("from_network_id", "to_network_id"), networks, strict=True):
            if value:
                listed(row, column, value, network.listed_networks, networks_file)
        for column, value in zip(("from_stop_id", "to_stop_id"), stops, strict=True):
            if value:
                listed(row, column, value, network.listed_stops, "stops.txt")
        if not _in_pairs(row, "network_id", networks) or not _in_pairs(row, "stop_id", stops):
            continue
        if _once(row, "", (*networks, *stops), keys, _NETWORKS_AND_STOPS):
            fares.join_rules.append(JoinRule(*networks, *stops))


def _in_pairs(row: Row, what: str, values: tuple[str, str]) -> bool:
    """Whether both or none are filled in: an empty pair does not matter to a join."""
    if bool(values[0]) == bool(values[1]):
        return True
    empty = "to_" if values[0] else "from_"
    row.fault(
        empty + what,
        say("only one of from_{what} and to_{what} is filled in", what=what),
        say("fill in both or none"),
    )
    return False


def _transfer_rules(tables: Tables, fares: Fares, boundary: Boundary) -> None:
    optional = ("from_leg_group_id", "to_leg_group_id", "transfer_count", "duration_limit",
                "duration_limit_type", "fare_product_id")  # fmt: skip
    groups = {rule.leg_group_id for rule in fares.leg_rules if rule.leg_group_id}
    known_groups = None if LEG_RULES in tables.broken else frozenset(groups)
    products = None if PRODUCTS in tables.broken else frozenset(fares.product_names)
    keys: dict[Hashable, int] = {}
    for row in tables.rows(TRANSFER_RULES, ("fare_transfer_type",), optional):
        first, second, product_id = (
            row.get("from_leg_group_id"), row.get("to_leg_group_id"), row.get("fare_product_id")
        )  # fmt: skip
        for column, value in (("from_leg_group_id", first), ("to_leg_group_id", second)):
            if value:
                listed(row, column, value, known_groups, LEG_RULES)
        if product_id:
            listed(row, "fare_product_id", product_id, products, PRODUCTS)
        kind = row_integer(row, "fare_transfer_type", 0, 2) if row.required("fare_transfer_type") else None
        count = _transfer_count(row, first == second)
        limit, limit_type = _limit(row)
        key = (first, second, product_id, count, limit)
        if kind is None or not _once(row, "", key, keys, _TRANSFER):
            continue
        fares.transfer_rules.append(
            TransferRule(first, second, TransferType(kind), product_id, count, limit, limit_type, boundary)
        )
        fares.transfer_lines.append(row.line)


def _transfer_count(row: Row, same_group: bool) -> int | None:
    text = row.get("transfer_count")
    if text and not same_group:
        row.fault(
            "transfer_count",
            say("it must be empty where a transfer goes from one leg group to another"),
            say("empty it, or give the same group twice"),
        )
    elif not text and same_group:
        row.fault(
            "transfer_count",
            say("it is required where from_leg_group_id and to_leg_group_id are the same"),
            say("write -1 for any number of transfers, or 1 or more"),
        )
    elif text == "0":
        row.fault(
            "transfer_count",
            say("0 allows no transfer at all"),
            say("write -1 or 1 or more, or delete the row"),
        )
    elif text:
        return row_integer(row, "transfer_count", -1, 2**31)
    return None


def _limit(row: Row) -> tuple[int | None, DurationLimitType]:
    default = DurationLimitType.DEPARTURE_TO_DEPARTURE
    limit = row_integer(row, "duration_limit", 1, MAX_AMOUNT)
    kind = row_integer(row, "duration_limit_type", 0, 3)
    if row.get("duration_limit") and not row.get("duration_limit_type"):
        row.fault("duration_limit_type", say("it is required where duration_limit is filled in"),
                  say("write 1 for departure to departure, or 0, 2 or 3"))  # fmt: skip
    if row.get("duration_limit_type") and not row.get("duration_limit"):
        row.fault(
            "duration_limit_type",
            say("it must be empty where duration_limit is"),
            say("empty it or give a limit"),
        )
    return limit, default if kind is None else DurationLimitType(kind)


def _once(row: Row, column: str, key: Hashable, keys: dict[Hashable, int], what: str) -> bool:
    first = keys.setdefault(key, row.line)
    if first == row.line:
        return True
    row.fault(
        column, say("row {row} has the same {what}", row=first, what=what), say("keep one of the two rows")
    )
    return False
