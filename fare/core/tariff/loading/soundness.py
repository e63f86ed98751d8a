"""Faults that lie in what tables mean together: totals below zero, rides without a highest fare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from fare.core.tariff.fares import prices_of
from fare.core.tariff.loading.fares import PRODUCTS, TRANSFER_RULES, Fares
from fare.core.tariff.loading.findings import Findings, shown
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.toml_text import FILE, TomlText
from fare.core.tariff.model import ProductPrice, TapOffCharge, Tariff, TransferRule, TransferType

_MAX_RIDERS: Final = 400
_MEND: Final = say("raise the amount, or limit the transfers with transfer_count")

_Rider = tuple[str, str]  # category and medium


def check_soundness(tariff: Tariff, fares: Fares, findings: Findings) -> None:
    """Note each leg and each transfer that would cost less than nothing."""
    _legs(tariff, fares, findings)
    if tariff.transfer_rules and any(each.amount < 0 for each in tariff.products):
        _transfers(tariff, fares, findings)


def check_longest_rides(tariff: Tariff, text: TomlText, findings: Findings) -> None:
    """Note each fare by kilometres that has no highest: a fault where riders pay that at tap-on."""
    at_tap_on = tariff.tap_off is not None and tariff.tap_off.charge is TapOffCharge.AT_TAP_ON
    for place, distance in enumerate(tariff.distance_fares):
        if not distance.per_km or distance.maximum is not None:
            continue
        line, column = text.line(("distance", place)), f"distance[{place + 1}].maximum"
        mend = say("add maximum = …, the fare of the longest ride")
        if at_tap_on:
            problem = say("there is no highest fare: a tap-on would be charged the ride's beginning alone")
            findings.fault(FILE, line, column, problem, mend)
        else:
            problem = say("there is no highest fare: a ride of unknown length costs its beginning alone")
            findings.warn(FILE, line, column, problem, mend)


def _legs(tariff: Tariff, fares: Fares, findings: Findings) -> None:
    paid = {rule.fare_product_id for rule in tariff.leg_rules} | set(tariff.default_products.values())
    paid |= {each.product_id for each in tariff.passes}
    paid |= {each.fare_product_id for each in tariff.concessions}
    for product, line in zip(fares.products, fares.product_lines, strict=True):
        if product.amount < 0 and product.product_id in paid:
            findings.fault(
                PRODUCTS,
                line,
                "amount",
                say("a leg would cost less than nothing with {value}", value=shown(product.product_id)),
                say("write an amount that is not below zero; only transfers may take something off"),
            )


def _transfers(tariff: Tariff, fares: Fares, findings: Findings) -> None:
    riders = sorted({(each.rider_category_id, each.fare_media_id) for each in tariff.products})[:_MAX_RIDERS]
    groups: dict[str, set[str]] = {}
    for rule in tariff.leg_rules:
        groups.setdefault(rule.leg_group_id, set()).add(rule.fare_product_id)
    from_listed = {rule.from_leg_group_id for rule in tariff.transfer_rules}
    to_listed = {rule.to_leg_group_id for rule in tariff.transfer_rules}
    for rule, line in zip(fares.transfer_rules, fares.transfer_lines, strict=True):
        first = _products(groups, rule.from_leg_group_id, from_listed)
        second = _products(groups, rule.to_leg_group_id, to_listed)
        for rider in riders:
            if _below_zero(tariff, rule, first, second, rider):
                who = say(" for rider category {value}", value=shown(rider[0])) if rider[0] else ""
                findings.fault(
                    TRANSFER_RULES,
                    line,
                    "fare_product_id",
                    say("a journey with this transfer could cost less than nothing{who}", who=who),
                    _MEND,
                )
                break


def _products(groups: Mapping[str, set[str]], group: str, listed: set[str]) -> set[str]:
    if group:
        return groups.get(group, set())
    return {product for each, products in groups.items() if each not in listed for product in products}


def _least(tariff: Tariff, products: Iterable[str], rider: _Rider) -> int | None:
    found = (_amount(tariff, product, rider) for product in products)
    return min((amount for amount in found if amount is not None), default=None)


def _amount(tariff: Tariff, product: str, rider: _Rider) -> int | None:
    row = prices_of(tariff).row(product, *rider)
    return None if row is None else row.amount


def _below_zero(
    tariff: Tariff, rule: TransferRule, firsts: Iterable[str], seconds: Iterable[str], rider: _Rider
) -> bool:
    """Whether the total of the journey falls below zero, at the cheapest legs and the most transfers."""
    transfer = _amount(tariff, rule.fare_product_id, rider) if rule.fare_product_id else 0
    first, second = _least(tariff, firsts, rider), _least(tariff, seconds, rider)
    if transfer is None or first is None or second is None:
        return False
    if rule.transfer_type is TransferType.TRANSFER_ONLY:
        return transfer < 0
    each = transfer + (second if rule.transfer_type is TransferType.FIRST_TRANSFER_AND_SECOND else 0)
    if each >= 0:
        return False
    if rule.count is not None and rule.count < 0:
        return True
    return first + each * (rule.count or 1) < 0


def unsold(tariff: Tariff) -> list[ProductPrice]:
    """Products that no rule, pass, concession or default names: nobody can buy them."""
    named = {rule.fare_product_id for rule in tariff.leg_rules} | set(tariff.default_products.values())
    named |= {rule.fare_product_id for rule in tariff.transfer_rules}
    named |= {each.product_id for each in tariff.passes} | {
        each.fare_product_id for each in tariff.concessions
    }
    once = {each.product_id: each for each in reversed(tariff.products) if each.product_id not in named}
    return list(once.values())[::-1]
