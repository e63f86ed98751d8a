"""The tariff as data. A flat fare by rider category and medium; it grows towards GTFS-Fares v2.

`rider_categories` maps the number on the card to its fare product; a category that is missing or
has expired pays as category 0. Amounts are rial.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fare.core.errors import MalformedDocument
from fare.core.fields import array, numbered, text, uint


class FareMedium(StrEnum):
    """What was presented (GTFS fare_media)."""

    CARD = "card"
    PHONE = "phone"
    PAPER = "paper"


@dataclass(frozen=True, slots=True)
class FareProduct:
    """A price with a name (GTFS fare_products): `amount_rial` for one leg."""

    product_id: str
    name: str
    amount_rial: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """One published tariff. `version` rises with every publication."""

    version: int
    name: str
    rider_categories: dict[int, FareProduct]

    @property
    def max_fare_rial(self) -> int:
        """The most that one boarding may cost: what an owner can be credited for a ride, at most."""
        return max(product.amount_rial for product in self.rider_categories.values())

    def to_document(self) -> dict[str, Any]:
        """The form a bundle carries."""
        return {
            "version": self.version,
            "name": self.name,
            "rider_categories": {
                number: [p.product_id, p.name, p.amount_rial] for number, p in self.rider_categories.items()
            },
        }


def from_document(document: Any) -> Tariff:
    """Read a bundle's tariff. Raises MalformedDocument; category 0 must be priced."""
    try:
        categories = {
            number: _product(product)
            for number, product in numbered(document["rider_categories"], "tariff: rider_categories").items()
        }
        version = uint(document["version"], "tariff: version")
        tariff = Tariff(version, text(document["name"], "tariff: name"), categories)
    except (KeyError, TypeError) as fault:
        raise MalformedDocument("tariff: version, name and rider_categories are needed") from fault
    if 0 not in categories:
        raise MalformedDocument("tariff: category 0 must have a fare")
    return tariff


def _product(value: object) -> FareProduct:
    product_id, name, amount_rial = array(value, 3, "tariff: a rider category")
    return FareProduct(
        text(product_id, "tariff: a product"),
        text(name, "tariff: a product's name"),
        uint(amount_rial, "tariff: a fare"),
    )
