"""Small tariffs for tests, and taps in them. Amounts are minor units, times minutes after 08:00 UTC."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fare.core.tariff.context import TapContext, TapKind
from fare.core.tariff.history import price_history
from fare.core.tariff.model import LegRule, ProductPrice, Tariff

EIGHT_S = 1_741_161_600
"""Wednesday, 5 March 2025, 08:00 UTC."""


def flat(amount: int = 200, **more: Any) -> Tariff:
    """One product on every leg, in leg group "g"."""
    return networks({"": amount}, groups={"": "g"}, **more)


def networks(fares: dict[str, int], *, groups: dict[str, str] | None = None, **more: Any) -> Tariff:
    """A fare for each network; routes are called like their networks, and so are products and leg groups."""
    named = groups or {}
    known: dict[str, Any] = {
        "version": 1,
        "name": "test",
        "currency": "XTS",
        "exponent": 0,
        "zone_name": "UTC",
        "products": tuple(ProductPrice(each or "single", each, amount) for each, amount in fares.items()),
        "leg_rules": tuple(LegRule(named.get(each, each), each or "single", each) for each in fares),
        "routes": {each: each for each in fares if each},
    }
    products = more.pop("products", ())
    tariff = Tariff(**{**known, **more})
    return replace(tariff, products=(*tariff.products, *products))


def zones(fares: dict[str, int], **more: Any) -> Tariff:
    """A fare from zone to zone, `{"12": 35}` for 1 to 2; products and leg groups are called alike."""
    return Tariff(
        version=1,
        name="zones",
        currency="XTS",
        exponent=0,
        zone_name="UTC",
        products=tuple(ProductPrice(each, each, amount) for each, amount in fares.items()),
        leg_rules=tuple(LegRule(each, each, "", each[0], each[1]) for each in fares),
        stop_areas={zone: (zone,) for zone in sorted(set("".join(fares)))},
        **more,
    )


def on(minute: float, route: str | None = None, **more: Any) -> TapContext:
    """Board."""
    return TapContext(EIGHT_S + int(minute * 60), route=route, **more)


def off(minute: float, stop: str | None = None, **more: Any) -> TapContext:
    """Alight."""
    return TapContext(EIGHT_S + int(minute * 60), TapKind.OFF, stop=stop, **more)


def costs(tariff: Tariff, *taps: TapContext, until_minute: float | None = None) -> list[int]:
    """What each tap comes to in the end, adjustments included."""
    until_s = None if until_minute is None else EIGHT_S + int(until_minute * 60)
    priced, _ = price_history(lambda _: tariff, taps, until_s)
    return [each.price.amount + each.adjustment for each in priced]


def rules_told(tariff: Tariff, *taps: TapContext) -> list[str]:
    """The rule that decided about each tap."""
    return [each.price.rule.value for each in price_history(lambda _: tariff, taps)[0]]
