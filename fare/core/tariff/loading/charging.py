"""How journeys are charged: `[[distance]] [tap_off] [companions] [overdraft] [shortfall] [card]`."""

from __future__ import annotations

from fare.core.tariff.loading.entitling import MAX_PERCENT, identified
from fare.core.tariff.loading.fares import CATEGORIES, Fares
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.selecting import Known, rounding, selection
from fare.core.tariff.loading.settings import MAX_SECONDS
from fare.core.tariff.loading.toml_table import Table
from fare.core.tariff.model import (
    EMPTY,
    Boundary,
    CardTerms,
    Companions,
    DistanceBand,
    DistanceFare,
    FareTime,
    IncompleteFare,
    Overdraft,
    SecondTap,
    Shortfall,
    ShortPurse,
    TapOff,
    TapOffCharge,
    TransferRule,
)

_FAR_M = 1_000_000


def read_distances(root: Table, known: Known) -> tuple[DistanceFare, ...]:
    """The `[[distance]]` tables."""
    taken: dict[str, int] = {}
    return tuple(_distance(table, known, place, taken) for place, table in enumerate(root.tables("distance")))


def _distance(table: Table, known: Known, place: int, taken: dict[str, int]) -> DistanceFare:
    distance_id, name = identified(table, say("distance"), place, taken)
    bands = _bands(table)
    linear = [key for key in ("base", "per_km", "free_m", "minimum", "maximum") if table.has(key)]
    if bands and linear:
        table.fault(
            linear[0],
            say("bands and a price for each kilometre exclude each other"),
            say("delete one of the two"),
        )
    if not table.has("bands") and not (table.has("base") or table.has("per_km")):
        table.fault(
            "bands",
            say("a distance fare needs bands, or base and per_km"),
            say("add bands = [{ up_to_m = …, amount = … }]"),
        )
    minimum, maximum = table.amount_or("minimum"), table.amount("maximum")
    if maximum is not None and maximum < minimum:
        table.fault("maximum", say("the maximum is less than the minimum"), say("correct one of the two"))
    percents = table.table("percents")
    shares = {one: percents.whole_or(one, 100, 0, MAX_PERCENT) for one in percents.values}
    for one in percents.values:
        percents.known_id(one, one, known.categories, CATEGORIES)
    fare = DistanceFare(
        distance_id=distance_id,
        name=name,
        covers=selection(table, known),
        bands=bands,
        boundary=table.word("boundary", Boundary, Boundary.INCLUSIVE),
        base=table.amount_or("base"),
        per_km=table.amount_or("per_km"),
        free_m=table.whole_or("free_m", 0, 0, _FAR_M),
        minimum=minimum,
        maximum=maximum,
        rounding=rounding(table),
        percents=shares,
    )
    table.close()
    return fare


def _bands(table: Table) -> tuple[DistanceBand, ...]:
    bands: list[DistanceBand] = []
    inners = table.tables("bands")
    for place, inner in enumerate(inners):
        up_to_m, amount = inner.whole("up_to_m", 1, _FAR_M), inner.amount("amount")
        if amount is None and not inner.has("amount"):
            inner.fault("amount", say("a band needs an amount"), say("add amount = …"))
        if not inner.has("up_to_m") and place < len(inners) - 1:
            inner.fault("up_to_m", say("only the last band may be without an end"), say("add up_to_m = …"))
        before = bands[-1].up_to_m if bands else None
        if up_to_m is not None and before is not None and up_to_m <= before:
            inner.fault(
                "up_to_m",
                say("the band ends at {up_to_m} m, not beyond the one before", up_to_m=up_to_m),
                say("put bands in rising order"),
            )
        bands.append(DistanceBand(up_to_m, amount or 0))
        inner.close()
    if table.has("bands") and not inners and isinstance(table.raw("bands"), list):
        table.fault("bands", say("the list is empty"), say("add a band such as { amount = 20000 }"))
    return tuple(bands)


def read_tap_off(root: Table, known: Known, fares: Fares) -> TapOff | None:
    """The `[tap_off]` table. Without one, riders tap off where a fare cannot be known otherwise."""
    if not root.has("tap_off"):
        root.asked.add("tap_off")
        return TapOff() if needs_tap_off(fares) else None
    table = root.table("tap_off")
    enabled = table.flag("enabled", default=True)
    incomplete = table.word("incomplete", IncompleteFare, IncompleteFare.MAXIMUM)
    amount = table.amount("amount")
    if incomplete is IncompleteFare.AMOUNT and not table.has("amount"):
        table.fault("amount", say('incomplete = "amount" needs it'), say("add amount = …"))
    if incomplete is not IncompleteFare.AMOUNT and table.has("amount"):
        table.fault(
            "amount",
            say('it has no effect while incomplete = "{incomplete}"', incomplete=incomplete),
            say('write incomplete = "amount" or delete it'),
        )
    tap_off = TapOff(
        covers=selection(table, known),
        charge=table.word("charge", TapOffCharge, TapOffCharge.AT_TAP_ON),
        incomplete=incomplete,
        incomplete_amount=amount or 0,
        close_after_s=table.whole("close_after_seconds", 1, MAX_SECONDS),
        cancel_within_s=table.whole("cancel_within_seconds", -1, MAX_SECONDS),
        auto_complete_within_s=table.whole("auto_complete_within_seconds", 1, MAX_SECONDS),
        fare_time=table.word("fare_time", FareTime, FareTime.ON),
    )
    table.close()
    return tap_off if enabled else None


def needs_tap_off(fares: Fares) -> bool:
    """Whether some rule asks where or when a rider alighted."""
    return (
        any(rule.to_area_id or rule.to_timeframe_group_id for rule in fares.leg_rules)
        or any(_by_arrival(rule) for rule in fares.transfer_rules)
        or bool(fares.join_rules)
    )


def _by_arrival(rule: TransferRule) -> bool:
    return rule.limit_s is not None and (rule.limit_type.from_arrival or rule.limit_type.to_arrival)


def read_companions(root: Table, known: Known) -> Companions:
    """The `[companions]` table."""
    table = root.table("companions")
    category = table.text("rider_category")
    if category:
        table.known_id("rider_category", category, known.categories, CATEGORIES)
    companions = Companions(
        second_tap=table.word("second_tap", SecondTap, SecondTap.COMPANION),
        rider_category_id=category or EMPTY,
        most=table.whole_or("most", 10, 1, 255),
        count_to_caps=table.flag("count_to_caps", default=False),
        transfer=table.flag("transfer", default=True),
    )
    table.close()
    return companions


def read_overdraft(root: Table) -> Overdraft:
    """The `[overdraft]` table."""
    table = root.table("overdraft")
    overdraft = Overdraft(table.amount_or("amount"), table.flag("only_from_positive", default=False))
    table.close()
    return overdraft


def read_shortfall(root: Table) -> Shortfall:
    """The `[shortfall]` table."""
    table = root.table("shortfall")
    action = table.word("action", ShortPurse, ShortPurse.REFUSE)
    shortfall = Shortfall(action, table.whole_or("fee_percent", 0, 0, 100), rounding(table))
    if action is ShortPurse.REFUSE and table.has("fee_percent"):
        table.fault(
            "fee_percent",
            say('it has no effect while action = "refuse"'),
            say('write action = "load" or delete it'),
        )
    table.close()
    return shortfall


def read_card(root: Table) -> CardTerms:
    """The `[card]` table."""
    table = root.table("card")
    terms = CardTerms(
        deposit=table.amount_or("deposit"),
        refund_fee=table.amount_or("refund_fee"),
        refund_deposit=table.flag("refund_deposit", default=True),
        life_days=table.whole("life_days", 1, 36_600),
    )
    table.close()
    return terms
