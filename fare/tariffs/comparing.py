"""What a change of tariff does to real taps: who pays more, who pays less, and what it earns.

For `mancard tariff diff`, and for the staff's page before a tariff is approved. Riders are taken to make the
same rides at another price, which is not what they will do: it forecasts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from fare.core.errors import OperatorError
from fare.core.tariff.model import EMPTY, Tariff
from fare.tariffs.cases import Case
from fare.tariffs.quoting import Language, Quote, quote_case

NO_PRODUCT: Final = "-"
"""Where no product was charged: the ride's fare is unknown, or the tap only ended a ride."""


class NotComparable(OperatorError):
    """Two tariffs whose amounts are not of one kind; the message says why."""


@dataclass(frozen=True, slots=True)
class CaseChange:
    """One case under both tariffs, minor units. A total is None where that tariff cannot price the case."""

    case_id: str
    rider_category: str
    old: int | None
    new: int | None
    old_quote: Quote
    new_quote: Quote

    @property
    def difference(self) -> int | None:
        """What the rider pays more (below zero: less); None where either side is not known."""
        return None if self.old is None or self.new is None else self.new - self.old

    @property
    def error(self) -> str | None:
        """Why the case cannot be compared."""
        told = [
            f"{side}: {quote.error}"
            for side, quote in (("old tariff", self.old_quote), ("new tariff", self.new_quote))
            if quote.error is not None
        ]
        return " ".join(told) or None


@dataclass(frozen=True, slots=True)
class Group:
    """Cases (by rider category) or taps (by product) in sum, over those that both tariffs price."""

    key: str
    count: int = 0
    old: int = 0
    new: int = 0
    more: int = 0
    less: int = 0

    @property
    def difference(self) -> int:
        """The effect on revenue, minor units."""
        return self.new - self.old

    @property
    def same(self) -> int:
        """How many pay what they paid."""
        return self.count - self.more - self.less

    def plus(self, old: int, new: int) -> Group:
        """The sum with one more case or tap."""
        return Group(
            self.key,
            self.count + 1,
            self.old + old,
            self.new + new,
            self.more + (new > old),
            self.less + (new < old),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both tariffs over all cases, in the order of the cases. `total` leaves out what cannot be compared.

    `by_product`: taps under the product that the old tariff charged for them, with what they cost under each.
    """

    cases: tuple[CaseChange, ...]
    total: Group
    by_category: tuple[Group, ...]
    by_product: tuple[Group, ...]
    not_compared: int
    currency: str
    exponent: int

    def to_document(self) -> dict[str, Any]:
        """All of it for a machine, minor units."""
        return {
            "currency": self.currency,
            "exponent": self.exponent,
            "total": _document(self.total),
            "not_compared": self.not_compared,
            "by_rider_category": [_document(group) for group in self.by_category],
            "by_product": [_document(group) for group in self.by_product],
            "cases": [
                {
                    "id": case.case_id,
                    "rider_category": case.rider_category,
                    "old": case.old,
                    "new": case.new,
                    "difference": case.difference,
                    **({} if case.error is None else {"error": case.error}),
                }
                for case in self.cases
            ],
        }


def compare(old: Tariff, new: Tariff, cases: Iterable[Case], language: Language = "en") -> Comparison:
    """Price all cases under both tariffs. Raises NotComparable for tariffs of two currencies."""
    if (old.currency, old.exponent) != (new.currency, new.exponent):
        raise NotComparable(
            f"The old tariff is in {old.currency} with {old.exponent} decimals, the new one in "
            f"{new.currency} with {new.exponent}: they cannot be compared. Do: give both one currency."
        )
    default = next((each.rider_category_id for each in old.rider_categories if each.is_default), EMPTY)
    changes: list[CaseChange] = []
    total = Group("")
    categories: dict[str, Group] = {}
    products: dict[str, Group] = {}
    for case in cases:
        before, after = quote_case(old, case, language), quote_case(new, case, language)
        category = case.rider_category or default
        changes.append(CaseChange(case.case_id, category, before.total, after.total, before, after))
        if before.total is None or after.total is None:
            continue
        total = total.plus(before.total, after.total)
        categories[category] = categories.get(category, Group(category)).plus(before.total, after.total)
        _add_taps(products, before, after)
    return Comparison(
        cases=tuple(changes),
        total=total,
        by_category=_largest_first(categories),
        by_product=_largest_first(products),
        not_compared=len(changes) - total.count,
        currency=old.currency,
        exponent=old.exponent,
    )


def _add_taps(products: dict[str, Group], before: Quote, after: Quote) -> None:
    for old, new in zip(before.taps, after.taps, strict=True):
        key = old.product or NO_PRODUCT
        products[key] = products.get(key, Group(key)).plus(old.due or 0, new.due or 0)


def _largest_first(groups: dict[str, Group]) -> tuple[Group, ...]:
    return tuple(sorted(groups.values(), key=lambda group: (-abs(group.difference), group.key)))


def _document(group: Group) -> dict[str, Any]:
    found: dict[str, Any] = {"id": group.key} if group.key else {}
    return found | {
        "count": group.count,
        "old": group.old,
        "new": group.new,
        "difference": group.difference,
        "more": group.more,
        "less": group.less,
        "same": group.same,
    }
