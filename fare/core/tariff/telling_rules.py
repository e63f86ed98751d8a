"""What a tariff does to a fare once it is known, as sentences: transfers, caps, passes, tap-off, the card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fare.core.tariff.explaining import within
from fare.core.tariff.model import (
    EMPTY,
    EVERY_LEG,
    Cap,
    CapPeriod,
    IncompleteFare,
    LastTap,
    PassPeriod,
    PassProduct,
    PassStart,
    SecondTap,
    ShortPurse,
    TapOffCharge,
    TransferRule,
    TransferWindow,
    WindowAnchor,
    WindowPays,
)
from fare.core.tariff.naming import Speech
from fare.core.tariff.telling import Sentence, Topic
from fare.core.tariff.telling_fares import places_of, rounded, service_name

_LENGTHS = {PassPeriod.HOURS: "hours", PassPeriod.DAYS: "days", PassPeriod.WEEK: "weeks"}


def tell_transfers(speech: Speech) -> Iterator[Sentence]:
    """Windows, then the transfer rules of GTFS."""
    for window in speech.tariff.windows:
        text = speech.sentence(_window(speech, window), rounded(speech, window.rounding))
        yield Sentence(text, f"window:{window.window_id}", Topic.TRANSFERS)
    for rule in speech.tariff.transfer_rules:
        text = speech.sentence(_transfer(speech, rule))
        ref = f"transfer:{rule.from_leg_group_id}>{rule.to_leg_group_id}"
        yield Sentence(text, ref, Topic.TRANSFERS)


def tell_caps(speech: Speech) -> Iterator[Sentence]:
    """How much a rider pays at most, and in which time."""
    for cap in speech.tariff.caps:
        yield Sentence(speech.sentence(_cap(speech, cap)), f"cap:{cap.cap_id}", Topic.CAPS)


def tell_passes(speech: Speech) -> Iterator[Sentence]:
    """What is sold instead of single rides."""
    for each in speech.tariff.passes:
        yield Sentence(speech.sentence(_pass(speech, each)), f"pass:{each.product_id}", Topic.PASSES)


def tell_tap_off(speech: Speech) -> Iterator[Sentence]:
    """Where riders tap off, and what becomes of a journey with one end."""
    tap_off = speech.tariff.tap_off
    if tap_off is None:
        return
    word = "tap_off_on" if tap_off.charge is TapOffCharge.AT_TAP_ON else "tap_off_off"
    texts = [speech.say(word, scope=speech.scope(tap_off.covers))]
    amount = speech.money(tap_off.incomplete_amount)
    if tap_off.incomplete is IncompleteFare.AMOUNT:
        texts.append(speech.say("incomplete_amount", amount=amount))
    else:
        texts.append(speech.say(f"incomplete_{tap_off.incomplete.value}"))
    if tap_off.close_after_s is None:
        texts.append(speech.say("closes_day"))
    else:
        texts.append(speech.say("closes_after", duration=speech.duration(tap_off.close_after_s)))
    if tap_off.cancel_within_s is not None:
        always = tap_off.cancel_within_s < 0
        duration = "" if always else speech.duration(tap_off.cancel_within_s)
        texts.append(speech.say("cancel_always" if always else "cancel", duration=duration))
    if tap_off.auto_complete_within_s is not None:
        texts.append(speech.say("auto_complete", duration=speech.duration(tap_off.auto_complete_within_s)))
    if tap_off.fare_time.value == "off":
        texts.append(speech.say("fare_time_off"))
    for text in texts:
        yield Sentence(speech.sentence(text), "tap_off", Topic.TAP_OFF)


def tell_companions(speech: Speech) -> Iterator[Sentence]:
    """What a second tap means, and how many ride on one medium."""
    tariff, companions = speech.tariff, speech.tariff.companions
    texts: list[str] = []
    if tariff.pass_back_s:
        texts.append(speech.say("pass_back", duration=speech.duration(tariff.pass_back_s)))
    if companions.second_tap is SecondTap.ALREADY_PAID:
        texts.append(speech.say("second_paid"))
    else:
        named = companions.rider_category_id
        category = speech.say("companion_category", name=speech.category(named)) if named else ""
        texts.append(speech.say("second_companion", category=category))
    texts.append(speech.say("companions_most", count=speech.number(companions.most)))
    if companions.count_to_caps and tariff.caps:
        texts.append(speech.say("companions_caps"))
    if not companions.transfer and (tariff.windows or tariff.transfer_rules):
        texts.append(speech.say("companions_no_transfer"))
    for text in texts:
        yield Sentence(speech.sentence(text), "companions", Topic.COMPANIONS)


def tell_payment(speech: Speech) -> Iterator[Sentence]:
    """What happens at a validator that is out of service, and when the purse is short."""
    tariff = speech.tariff
    texts = [speech.say(f"out_of_service_{tariff.out_of_service.value}")]
    if tariff.overdraft.amount:
        texts.append(speech.say("overdraft", amount=speech.money(tariff.overdraft.amount)))
    if tariff.overdraft.only_from_positive:
        texts.append(speech.say("overdraft_positive"))
    if tariff.shortfall.action is ShortPurse.LOAD:
        fee = speech.say("shortfall_load", percent=speech.percent(tariff.shortfall.fee_percent))
        exact = rounded(speech, tariff.shortfall.rounding)
        texts.append(speech.say("semicolon").join([fee, exact] if exact else [fee]))
    else:
        texts.append(speech.say("shortfall_refuse"))
    for text in texts:
        yield Sentence(speech.sentence(text), "payment", Topic.PAYMENT)


def tell_free_days(speech: Speech) -> Iterator[Sentence]:
    """On which days legs cost nothing."""
    for free in speech.tariff.free_days:
        scope = speech.scope(free.covers)
        if free.days:
            text = speech.say(
                "free_day", name=speech.own(free.name), scope=scope, dates=speech.days(free.days)
            )
            yield Sentence(speech.sentence(text), f"free_days:{free.name}", Topic.FREE_DAYS)
        if free.service_id:
            service = service_name(speech, free.service_id, speech.tariff.services.get(free.service_id))
            text = speech.say("free_service", name=speech.own(free.name), scope=scope, service=service)
            yield Sentence(speech.sentence(text), f"free_days:{free.name}", Topic.FREE_DAYS)
        if not free.days and not free.service_id:
            text = speech.say("free_always", name=speech.own(free.name), scope=scope)
            yield Sentence(speech.sentence(text), f"free_days:{free.name}", Topic.FREE_DAYS)


def tell_card(speech: Speech) -> Iterator[Sentence]:
    """What the card itself costs, and whom the numbers on cards mean: whoever moves one moves all fares."""
    tariff, card = speech.tariff, speech.tariff.card
    texts: list[str] = []
    if card.deposit:
        word = "deposit_back" if card.refund_deposit else "deposit_kept"
        texts.append(speech.say(word, amount=speech.money(card.deposit)))
    if card.refund_fee:
        texts.append(speech.say("refund_fee", amount=speech.money(card.refund_fee)))
    if card.life_days is not None:
        texts.append(speech.say("life", duration=speech.count(card.life_days, "days")))
    categories = {each.number: speech.category(each.rider_category_id) for each in tariff.rider_categories}
    passes = {each.number: speech.product(each.product_id) for each in tariff.passes}
    for word, numbered in (("card_category", categories), ("card_pass", passes)):
        texts += [
            speech.say(word, number=speech.number(number), name=name)
            for number, name in sorted(numbered.items())
        ]
    for text in texts:
        yield Sentence(speech.sentence(text), "card", Topic.CARD)


def _window(speech: Speech, window: TransferWindow) -> str:
    terms = ""
    if window.transfers >= 0:
        terms += speech.say("window_times", times=speech.times(window.transfers))
    if window.anchor is not WindowAnchor.FIRST:
        terms += speech.say(f"window_{window.anchor.value}")
    told = {
        "window_same_network": window.same_network,
        "window_other_route": not window.same_route,
        "window_needs_balance": window.needs_balance,
        "window_ended": window.ended_by_other_legs,
        "window_same_day": window.ends_with_service_day and window.seconds is not None,
    }
    terms += "".join(speech.say(word) for word, holds in told.items() if holds)
    opened_by = "" if window.opened_by is None else speech.scope(window.opened_by)
    if opened_by:
        terms += speech.say("window_opened_by", scope=opened_by)
    return speech.say(
        f"window_{window.pays.value}",
        within=within(speech, window),
        scope=speech.scope(window.covers),
        terms=terms,
        percent=speech.percent(window.percent) if window.pays is WindowPays.PERCENT else "",
        amount=speech.money(window.amount) if window.pays is WindowPays.AMOUNT else "",
    )


def _transfer(speech: Speech, rule: TransferRule) -> str:
    amounts = sorted(
        {each.amount for each in speech.tariff.products if each.product_id == rule.fare_product_id}
    )
    free = rule.fare_product_id == EMPTY or amounts == [0]
    amount = speech.money(amounts[0]) if len(amounts) == 1 else speech.product(rule.fare_product_id)
    limit = count = ""
    if rule.limit_s is not None:
        limit = speech.say(f"limit_{rule.limit_type.value}", duration=speech.duration(rule.limit_s))
    if rule.count is not None and rule.count >= 0:
        count = speech.say("transfer_count", times=speech.times(rule.count))
    from_listed = {each.from_leg_group_id for each in speech.tariff.transfer_rules} - {EMPTY}
    to_listed = {each.to_leg_group_id for each in speech.tariff.transfer_rules} - {EMPTY}
    return speech.say(
        f"transfer_{rule.transfer_type.value}" + ("_free" if free else ""),
        first=_leg_group(speech, rule.from_leg_group_id, bool(from_listed)),
        second=_leg_group(speech, rule.to_leg_group_id, bool(to_listed)),
        limit=limit,
        count=count,
        amount=amount,
    )


def _leg_group(speech: Speech, group: str, others: bool) -> str:
    if group:
        return speech.say("quoted", text=speech.name("leg_group", group))
    return speech.say("any_other_leg" if others else "any_leg")


def _cap(speech: Speech, cap: Cap) -> str:
    period = _period(speech, cap)
    scope = speech.scope(cap.covers)
    name = speech.say("quoted", text=speech.own(cap.name))
    whole = speech.say("cap_whole") if cap.last_tap is LastTap.WHOLE else ""
    if len(cap.levels) == 1 and cap.levels[0].covers == EVERY_LEG:
        amount = speech.money(cap.levels[0].amount)
        return speech.say("cap", name=name, amount=amount, period=period, scope=scope) + whole
    levels = [
        speech.say("cap_level", amount=speech.money(each.amount), scope=speech.scope(each.covers))
        for each in cap.levels
    ]
    told = speech.listed(levels, "or")
    return speech.say("cap_levels", name=name, levels=told, period=period, scope=scope) + whole


def _period(speech: Speech, cap: Cap) -> str:
    match cap.period:
        case CapPeriod.WEEK:
            weekday = speech.say(f"weekday_{speech.tariff.week_starts}")
            return speech.say("period_week", weekday=weekday)
        case CapPeriod.ROLLING | CapPeriod.FROM_FIRST_USE:
            return speech.say(f"period_{cap.period.value}", days=speech.number(cap.days))
        case _:
            return speech.say(f"period_{cap.period.value}")


def _pass(speech: Speech, product: PassProduct) -> str:
    prices: list[str] = []
    for row in speech.tariff.products:
        if row.product_id == product.product_id:
            who = [speech.category(row.rider_category_id)] if row.rider_category_id else []
            who += [speech.medium(row.fare_media_id)] if row.fare_media_id else []
            prices.append(
                " ".join([speech.money(row.amount), f"({speech.say('comma').join(who)})" if who else ""])
            )
    told = {
        "name": speech.product(product.product_id),
        "price": speech.listed([each.strip() for each in prices], "or") or speech.say("pass_no_price"),
        "scope": _rides_on(speech, product),
        "validity": _validity(speech, product),
    }
    if product.rides is None:
        return speech.say("pass", **told)
    return speech.say("pass_rides", rides=speech.number(product.rides), **told)


def _rides_on(speech: Speech, product: PassProduct) -> str:
    """Which legs a pass covers: its selection, and the places of the leg rules that name it."""
    others = product.covers.products - {product.product_id}
    scope = speech.scope(replace(product.covers, products=others))
    if others == product.covers.products:
        return scope
    named = places_of(speech, product.product_id)
    every = speech.say("every_line")
    if not named or every in named:
        return scope
    return scope + speech.say("pass_places", names=speech.say("semicolon").join(named))


def _validity(speech: Speech, product: PassProduct) -> str:
    if product.period is PassPeriod.UNLIMITED:
        return speech.say("valid_unlimited")
    length = speech.count(product.length, _LENGTHS.get(product.period, "months"))
    if product.start is PassStart.FIRST_USE:
        return speech.say("valid_first_use", duration=length)
    on_calendar = product.start is PassStart.CALENDAR and product.period is not PassPeriod.HOURS
    if on_calendar and product.length == 1:
        return speech.say(f"valid_calendar_{product.period.value}")
    return speech.say("valid_for", duration=length)
