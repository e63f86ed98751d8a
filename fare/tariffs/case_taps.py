"""A case in the terms of one tariff: ids looked up, passes given their bounds, times made seconds.

An id that the tariff does not know is a fault with the nearest one it does know. It prices nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime

from fare.core.tariff.context import HeldPass, TapContext, TapKind
from fare.core.tariff.loading.saying import say
from fare.core.tariff.model import EMPTY, FareMedium, PassProduct, Tariff
from fare.core.tariff.periods import service_day_start, whole_days_until_s
from fare.tariffs.case_fields import nearest
from fare.tariffs.cases import Case, CasePass, CaseTap


def taps_of(tariff: Tariff, case: Case) -> tuple[tuple[TapContext, ...], tuple[str, ...]]:
    """The taps in the case's own order, and the faults: with any, the taps are none."""
    known = tariff.derive(_Known)
    faults = list(case.faults)
    medium = _medium_of(known, tariff, case, faults)
    _check(
        known.categories, case.rider_category, f"{case.place}.rider_category", say("rider category"), faults
    )
    for index, held in enumerate(case.passes):
        _check(known.passes, held.product, f"{case.place}.passes[{index}].product", say("pass"), faults)
    for index, tap in enumerate(case.taps):
        _check_tap(known, tap, f"{case.place}.taps[{index}]", faults)
    if faults:
        return (), tuple(faults)
    passes = tuple(_held(tariff, each, key) for key, each in enumerate(case.passes, start=1))
    return tuple(_context(case, tap, medium, passes) for tap in _with_exits(case.taps)), ()


def _with_exits(taps: Sequence[CaseTap]) -> list[CaseTap]:
    """The taps; one that leaves and names no vehicle leaves the one that was boarded last."""
    found = list(taps)
    boarded: CaseTap | None = None
    for index in sorted(range(len(taps)), key=lambda index: taps[index].at):
        tap = taps[index]
        if tap.kind is TapKind.ON:
            boarded = tap
        elif boarded is not None and tap.vehicle_id in (None, boarded.vehicle_id):
            trip_id = tap.trip_id or boarded.trip_id
            found[index] = replace(tap, vehicle_id=boarded.vehicle_id, trip_id=trip_id)
    return found


class _Known:
    """The ids a case may use. None: the tariff has no list of them, so that any will do."""

    def __init__(self, tariff: Tariff) -> None:
        named = _named(tariff)
        self.categories = frozenset(each.rider_category_id for each in tariff.rider_categories)
        self.passes = frozenset(each.product_id for each in tariff.passes) | frozenset(
            each.product_id for each in tariff.products
        )
        networks = frozenset(tariff.routes.values()) | frozenset(
            each.network_id for each in tariff.leg_rules if each.network_id != EMPTY
        )
        routes = named.get("route", frozenset())
        # Without the file that lists them, the tariff cannot say that a route or stop does not exist.
        self.routes = frozenset(tariff.routes) | routes | networks if routes else None
        stops = named.get("stop", frozenset())
        self.stops = frozenset(tariff.stop_areas) | stops if stops else None
        self.areas = tariff.area_ids or None
        media = {each.fare_media_id for each in tariff.products} | set(tariff.media.values())
        self.media = frozenset(media | named.get("media", frozenset())) - {EMPTY}


def _named(tariff: Tariff) -> dict[str, frozenset[str]]:
    """Kind -> the ids that have a display name: those that a file of the folder lists."""
    found: dict[str, set[str]] = {}
    for key in tariff.names:
        kind, _, name = key.partition(":")
        found.setdefault(kind, set()).add(name)
    return {kind: frozenset(ids) for kind, ids in found.items()}


def _check(
    known: Collection[str] | None, value: str | None, place: str, what: str, faults: list[str]
) -> None:
    if value is None or known is None or value in known:
        return
    faults.append(
        say(
            '{place}: the tariff has no {what} "{value}".{mend}',
            place=place,
            what=what,
            value=value,
            mend=nearest(value, known),
        )
    )


def _check_tap(known: _Known, tap: CaseTap, place: str, faults: list[str]) -> None:
    _check(known.routes, tap.route_id, f"{place}.route_id", say("route"), faults)
    _check(known.stops, tap.stop_id, f"{place}.stop_id", say("stop"), faults)
    _check(known.areas, tap.area_id, f"{place}.area_id", say("area"), faults)


def _medium_of(known: _Known, tariff: Tariff, case: Case, faults: list[str]) -> str | None:
    """The fare_media_id: the tariff's own, or what it calls one of our media (card, phone, cash …)."""
    if case.fare_media is None or case.fare_media in known.media:
        return case.fare_media
    if case.fare_media in tuple(FareMedium):
        # A tariff that knows no such medium prices it by its rows for any medium.
        return tariff.media.get(FareMedium(case.fare_media), case.fare_media)
    _check(
        known.media | set(FareMedium), case.fare_media, f"{case.place}.fare_media", say("fare medium"), faults
    )
    return None


def _held(tariff: Tariff, held: CasePass, key: int) -> HeldPass:
    product = next((each for each in tariff.passes if each.product_id == held.product), None)
    rides = held.rides_left
    if rides is None and product is not None:
        rides = product.rides
    return HeldPass(
        held.product,
        None if held.valid_from is None else _first_s(tariff, held.valid_from),
        None if held.valid_until is None else _until_s(tariff, product, held.valid_until),
        rides,
        key,
    )


def _first_s(tariff: Tariff, value: date | datetime) -> int:
    if isinstance(value, datetime):
        return _seconds(value)
    return service_day_start(tariff, value.toordinal())


def _until_s(tariff: Tariff, product: PassProduct | None, value: date | datetime) -> int:
    """The end as it is written on a pass."""
    if isinstance(value, datetime):
        return _seconds(value)
    return whole_days_until_s(tariff, product, value.toordinal())


def _seconds(at: datetime) -> int:
    """Unix seconds; what is left of a second is dropped, as on a card."""
    return int(at.timestamp() // 1)


def _context(case: Case, tap: CaseTap, medium: str | None, passes: tuple[HeldPass, ...]) -> TapContext:
    return TapContext(
        at_s=_seconds(tap.at),
        kind=tap.kind,
        medium=medium,
        rider_category=case.rider_category,
        route=tap.route_id,
        stop=tap.stop_id,
        area=tap.area_id,
        vehicle=tap.vehicle_id,
        trip=tap.trip_id,
        distance_m=tap.distance_m,
        pax=tap.pax,
        in_service=tap.in_service,
        passes=passes,
        balance=case.balance,
    )
