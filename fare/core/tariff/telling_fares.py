"""What a tariff charges for a leg, as sentences: leg rules with their prices, times, distance, concessions.

Rules that differ only in their areas are told together. It prices nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from fare.core.tariff.model import (
    EMPTY,
    EVERY_LEG,
    Concession,
    DistanceFare,
    LegRule,
    Rounding,
    Service,
    Timeframe,
    WindowPays,
)
from fare.core.tariff.naming import Speech
from fare.core.tariff.telling import Sentence, Topic

MOST_FARES: Final = 300
_WHOLE_DAY_S: Final = 86_400


def tell_fares(speech: Speech) -> Iterator[Sentence]:
    """Every leg rule with what its product costs whom; then what is charged where none fits."""
    tariff = speech.tariff
    passes = {each.product_id for each in tariff.passes}  # no tap buys one
    merged = _merged(each for each in tariff.leg_rules if each.fare_product_id not in passes)
    for legs in merged[:MOST_FARES]:
        for text in _prices(speech, legs.rule, _where(speech, legs)):
            yield Sentence(text, f"product:{legs.rule.fare_product_id}", Topic.FARES)
    if len(merged) > MOST_FARES:
        rest = speech.say("many_rules", count=speech.number(len(merged) - MOST_FARES))
        yield Sentence(speech.sentence(rest), "leg_rules", Topic.FARES)
    for place, product_id in sorted(tariff.default_products.items()):
        where = speech.network(place) if place else speech.say("every_line")
        told_default = speech.say("default_fare", where=where, product=speech.product(product_id))
        yield Sentence(speech.sentence(told_default), f"product:{product_id}", Topic.FARES)
    if tariff.uses_priority and len({each.priority for each in tariff.leg_rules}) > 1:
        yield Sentence(speech.sentence(speech.say("priority")), "leg_rules", Topic.FARES)
    if tariff.rounding.unit > 1:
        yield Sentence(speech.sentence(_rounding(speech, tariff.rounding)), "rounding", Topic.FARES)
    yield from _joins(speech)


def tell_times(speech: Speech) -> Iterator[Sentence]:
    """What the names of timeframes mean, and when the service day begins."""
    tariff = speech.tariff
    for group, frames in sorted(tariff.timeframes.items()):
        times = speech.listed([_timeframe(speech, each) for each in frames])
        name = speech.say("quoted", text=speech.name("timeframe", group))
        text = speech.sentence(speech.say("timeframe", name=name, times=times))
        yield Sentence(text, f"timeframe:{group}", Topic.TIMES)
    if tariff.service_day_starts_s:
        begins = speech.say("service_day", time=speech.clock(tariff.service_day_starts_s))
        yield Sentence(speech.sentence(begins), "service_day", Topic.TIMES)


def tell_distance(speech: Speech) -> Iterator[Sentence]:
    """Fares by distance: bands, or an amount for each kilometre."""
    for fare in speech.tariff.distance_fares:
        bands = speech.listed(_bands(speech, fare))
        text = speech.say(
            "distance", name=speech.own(fare.name), scope=speech.scope(fare.covers), bands=bands
        )
        shares = [
            speech.say("category_percent", category=speech.category(each), percent=speech.percent(percent))
            for each, percent in sorted(fare.percents.items())
        ]
        told = speech.sentence(text, *shares, rounded(speech, fare.rounding))
        yield Sentence(told, f"distance:{fare.distance_id}", Topic.DISTANCE)


def tell_concessions(speech: Speech) -> Iterator[Sentence]:
    """Who pays less, how much, and until when."""
    for concession in speech.tariff.concessions:
        ref = f"concession:{concession.concession_id}"
        text = speech.sentence(_concession(speech, concession), rounded(speech, concession.rounding))
        yield Sentence(text, ref, Topic.CONCESSIONS)


def places_of(speech: Speech, product_id: str) -> list[str]:
    """Where the leg rules that name a product hold."""
    rules = (each for each in speech.tariff.leg_rules if each.fare_product_id == product_id)
    return [_where(speech, legs) for legs in _merged(rules)]


@dataclass(frozen=True, slots=True)
class _Legs:
    """Leg rules that are told together: `rule` without areas, from any of `origins` to any of `destinations`.

    `both_ways`: the other way round too. `within`: from each origin to itself instead.
    """

    rule: LegRule
    origins: frozenset[str]
    destinations: frozenset[str]
    both_ways: bool = False
    within: bool = False


def _merged(rules: Iterable[LegRule]) -> list[_Legs]:
    """Rules alike but for their areas, as few sentences."""
    alike: dict[LegRule, dict[str, set[str]]] = {}
    for rule in rules:
        kept = replace(rule, leg_group_id=EMPTY, from_area_id=EMPTY, to_area_id=EMPTY, priority=0)
        alike.setdefault(kept, {}).setdefault(rule.from_area_id, set()).add(rule.to_area_id)
    told: list[_Legs] = []
    for kept, by_origin in alike.items():
        told += _few(kept, by_origin)
    return told


def _few(kept: LegRule, by_origin: Mapping[str, set[str]]) -> list[_Legs]:
    """Origins that share their destinations; of these what stays in one area, and what holds both ways."""
    alike: dict[frozenset[str], list[str]] = {}
    for origin, destinations in by_origin.items():
        alike.setdefault(frozenset(destinations), []).append(origin)
    shared: dict[frozenset[str], list[str]] = {}
    inside: list[str] = []
    for destinations, origins in alike.items():
        if len(origins) > 1 and destinations == frozenset(origins):
            shared[destinations] = origins  # from each to each, itself included
            continue
        for origin in origins:
            inside += [origin] if origin and origin in destinations else []
            for some in _empty_apart(destinations - {origin} if origin else destinations):
                shared.setdefault(some, []).append(origin)
    ways = [(few, some) for some, origins in shared.items() for few in _empty_apart(origins)]
    told = [_Legs(kept, frozenset(inside), frozenset(inside), within=True)] if inside else []
    for few, some in ways:
        back = few != some and any(few) and any(some) and (some, few) in ways
        if not back or sorted(few) < sorted(some):
            told.append(_Legs(kept, few, some, both_ways=back))
    return told


def _empty_apart(areas: Iterable[str]) -> list[frozenset[str]]:
    """The named areas, and the empty one by itself: it has a meaning of its own."""
    every = frozenset(areas)
    return [each for each in (every - {EMPTY}, every & {EMPTY}) if each]


def _where(speech: Speech, legs: _Legs) -> str:
    tariff, rule = speech.tariff, legs.rule
    others = not tariff.uses_priority
    parts: list[str] = []
    if rule.network_id:
        parts.append(speech.network(rule.network_id))
    elif others and any(each.network_id for each in tariff.leg_rules):
        parts.append(speech.say("every_other_line"))
    elif not any(legs.origins | legs.destinations):
        parts.append(speech.say("every_line"))
    if legs.within:
        parts.append(speech.say("within", names=speech.names("area", legs.origins, "or")))
    elif legs.both_ways:
        first = speech.names("area", legs.origins, "or")
        second = speech.names("area", legs.destinations, "or")
        parts.append(speech.say("between", first=first, second=second))
    else:
        from_others = others and any(each.from_area_id for each in tariff.leg_rules)
        to_others = others and any(each.to_area_id for each in tariff.leg_rules)
        parts.append(
            " ".join(
                [
                    *_ends(speech, "from", legs.origins, from_others),
                    *_ends(speech, "to", legs.destinations, to_others),
                ]
            )
        )
    times = (("during", rule.from_timeframe_group_id), ("arriving_during", rule.to_timeframe_group_id))
    for word, group in times:
        if group:
            parts.append(speech.say(word, names=speech.say("quoted", text=speech.name("timeframe", group))))
    return speech.say("comma").join(each for each in parts if each)


def _ends(speech: Speech, word: str, areas: frozenset[str], others: bool) -> list[str]:
    named = areas - {EMPTY}
    if named:
        return [speech.say(word, names=speech.names("area", named, "or"))]
    return [speech.say(f"{word}_elsewhere")] if others else []


def _prices(speech: Speech, rule: LegRule, where: str) -> list[str]:
    """One sentence for each amount of a rule's product, with those who pay it."""
    tariff = speech.tariff
    rows = [each for each in tariff.products if each.product_id == rule.fare_product_id]
    by_distance = any(
        each.covers == EVERY_LEG
        or rule.fare_product_id in each.covers.products
        or rule.network_id in each.covers.networks
        for each in tariff.distance_fares
    )
    if rule.fare_product_id == EMPTY:
        return [speech.sentence(speech.say("fare_free", where=where))]
    if not rows:
        product = speech.product(rule.fare_product_id)
        return [speech.sentence(speech.say("fare_not_sold", where=where, product=product))]
    payers: dict[int, dict[str, set[str]]] = {}
    for row in rows:
        media = payers.setdefault(row.amount, {}).setdefault(row.rider_category_id, set())
        media.add(row.fare_media_id)
    texts: list[str] = []
    for amount, by_category in payers.items():
        for who in _who(speech, by_category):
            place = speech.say("comma").join([where, *who] if where else who)
            word = "fare_distance" if by_distance else "fare" if amount else "fare_free"
            fare = speech.say(word, where=place, amount=speech.money(amount))
            texts.append(speech.sentence(fare, _second_bus(speech) if amount else ""))
    return texts


def _who(speech: Speech, by_category: dict[str, set[str]]) -> list[list[str]]:
    """Categories that pay alike with the same media, each group as at most two phrases."""
    alike: dict[frozenset[str], list[str]] = {}
    for category_id, media in by_category.items():
        alike.setdefault(frozenset(media), []).append(category_id)
    found: list[list[str]] = []
    for media, categories in alike.items():
        named = speech.listed([speech.category(each) for each in categories if each], "or")
        with_medium = speech.listed([speech.medium(each) for each in sorted(media) if each], "or")
        found.append([each for each in (named, with_medium) if each])
    return found


def _second_bus(speech: Speech) -> str:
    """The tariff's only transfer window in a few words, where those tell it rightly."""
    windows = speech.tariff.windows
    if len(windows) != 1 or windows[0].seconds is None:
        return ""
    if windows[0].opened_by is not None:
        return ""
    if windows[0].covers != EVERY_LEG or windows[0].pays is not WindowPays.NOTHING:
        return ""
    return speech.say("second_bus", duration=speech.duration(windows[0].seconds))


def _rounding(speech: Speech, rounding: Rounding) -> str:
    direction = speech.say(f"rounding_{rounding.direction.value}")
    return speech.say("rounding", direction=direction, unit=speech.money(rounding.unit))


def rounded(speech: Speech, rounding: Rounding) -> str:
    """How one table rounds its amounts, where that may change more than one unit; else nothing."""
    if rounding.unit <= 1:
        return ""
    direction = speech.say(f"rounding_{rounding.direction.value}")
    return speech.say("rounded", direction=direction, unit=speech.money(rounding.unit))


def _joins(speech: Speech) -> Iterator[Sentence]:
    within = speech.say("joined_within", duration=speech.duration(speech.tariff.join_within_s))
    anywhere = "" if speech.tariff.join_anywhere else speech.say("joined_station")
    for rule in speech.tariff.join_rules:
        stops = dict.fromkeys(each for each in (rule.from_stop_id, rule.to_stop_id) if each)
        at = speech.say("joined_at", names=speech.names("stop", stops)) if stops else anywhere
        text = speech.say(
            "joined" if rule.from_network_id else "joined_any",
            first=speech.network(rule.from_network_id),
            second=speech.network(rule.to_network_id),
            at=at,
            within=within,
        )
        yield Sentence(speech.sentence(text), "join_rules", Topic.FARES)


def _timeframe(speech: Speech, frame: Timeframe) -> str:
    if frame.start_s == 0 and frame.end_s == _WHOLE_DAY_S:
        times = speech.say("all_day")
    else:
        ends = speech.clock(frame.end_s)
        times = speech.say("clock_range", start=speech.clock(frame.start_s), end=ends)
    service = speech.tariff.services.get(frame.service_id)
    days = _service_days(speech, frame.service_id, service)
    if times == speech.say("all_day") and days == speech.say("every_day"):
        return speech.say("always")
    return f"{times} {days}"


def _service_days(speech: Speech, service_id: str, service: Service | None) -> str:
    if service is None or service.added or service.removed or not any(service.weekdays):
        return speech.say("service", name=service_name(speech, service_id, service))
    if all(service.weekdays):
        return speech.say("every_day")
    return speech.say("on_days", names=speech.weekdays(day for day in range(7) if service.weekdays[day]))


def service_name(speech: Speech, service_id: str, service: Service | None) -> str:
    """A service by its name, and how many days it has from when to when: a name alone could be any days."""
    name = speech.say("quoted", text=service_id)
    if service is None:
        return name
    # By weeks, not day by day: a calendar may reach from the first year to the last.
    weeks, rest = divmod(max(0, service.last_day + 1 - service.first_day), 7)
    begun = [service.weekdays[(service.first_day + day - 1) % 7] for day in range(rest)]
    regular = replace(service, added=frozenset(), removed=frozenset())
    count = weeks * sum(service.weekdays) + sum(begun)
    count -= sum(regular.runs_on(day) for day in service.removed)
    more = [day for day in service.added - service.removed if not regular.runs_on(day)]
    ends = [service.first_day, service.last_day] if count else []
    if not more and not ends:
        return name
    return speech.say(
        "service_days",
        name=name,
        count=speech.count(count + len(more), "days"),
        first=speech.day(max(1, min([*more, *ends]))),
        last=speech.day(max([*more, *ends])),
    )


def _bands(speech: Speech, fare: DistanceFare) -> list[str]:
    told: list[str] = []
    for band in fare.bands:
        amount = speech.money(band.amount)
        if band.up_to_m is not None:
            told.append(speech.say("band_up_to", distance=speech.metres(band.up_to_m), amount=amount))
        else:
            told.append(speech.say("band_beyond" if told else "band_any", amount=amount))
    if told:
        return told
    word = "per_km_beyond" if fare.free_m else "per_km"
    base, per_km = speech.money(fare.base), speech.money(fare.per_km)
    told.append(speech.say(word, base=base, per_km=per_km, free=speech.metres(fare.free_m)))
    if fare.minimum:
        told.append(speech.say("at_least", amount=speech.money(fare.minimum)))
    if fare.maximum is not None:
        told.append(speech.say("at_most", amount=speech.money(fare.maximum)))
    return told


def _concession(speech: Speech, concession: Concession) -> str:
    first, last = concession.first_day, concession.last_day
    word = "from_until" if first and last else "from_date" if first else "until_date"
    begins = speech.day(first) if first else ""
    ends = speech.day(last) if last else ""
    dates = speech.say(word, first=begins, last=ends) if first or last else ""
    name, scope = speech.own(concession.name), speech.scope(concession.covers)
    if concession.percent is None:
        product = speech.product(concession.fare_product_id)
        return speech.say("concession_product", name=name, scope=scope, product=product, dates=dates)
    if concession.percent == 0:
        return speech.say("concession_free", name=name, scope=scope, dates=dates)
    percent = speech.percent(concession.percent)
    return speech.say("concession_percent", name=name, scope=scope, percent=percent, dates=dates)
