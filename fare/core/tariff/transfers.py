"""GTFS transfer rules: which apply from the chain of legs so far, and what the next leg costs by them.

Semantics: GTFS reference, fare_transfer_rules. Type 0 costs A + AB, 1 A + AB + B, 2 AB; once a chain goes
on, all of it (S) is paid and only BC, or BC + C, is added. It moves no money and knows neither passes
nor caps.
"""

from __future__ import annotations

from dataclasses import dataclass

from fare.core.tariff.context import Rule, Step
from fare.core.tariff.fares import Candidate, Leg, prices_of
from fare.core.tariff.model import (
    EMPTY,
    LimitFrom,
    Tariff,
    TransferRule,
    TransferType,
    TransferWindow,
)
from fare.core.tariff.state import Chain


@dataclass(slots=True, eq=False)
class Offer:
    """A candidate and what the rider pays for it now, by a transfer, by a window, or (`via` None) in full.

    `cost` may be negative: what type 2 gives back of the first leg.
    """

    candidate: Candidate
    cost: int
    product_id: str
    via: TransferRule | TransferWindow | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        """The candidate's reasons, and what was paid instead."""
        match self.via:
            case None:
                return self.candidate.steps
            case TransferRule():
                return (*self.candidate.steps, Step(Rule.TRANSFER, key_of(self.via), self.cost))
            case TransferWindow():
                return (*self.candidate.steps, Step(Rule.WINDOW, self.via.window_id, self.cost))


class TransferIndex:
    """The transfer rules of a tariff by their groups."""

    def __init__(self, tariff: Tariff) -> None:
        self.from_groups = frozenset(rule.from_leg_group_id for rule in tariff.transfer_rules) - {EMPTY}
        self.to_groups = frozenset(rule.to_leg_group_id for rule in tariff.transfer_rules) - {EMPTY}
        self.rules: dict[tuple[str, str], list[TransferRule]] = {}
        for rule in tariff.transfer_rules:
            self.rules.setdefault((rule.from_leg_group_id, rule.to_leg_group_id), []).append(rule)
        self._from: dict[str, list[TransferRule]] = {}
        for rule in tariff.transfer_rules:
            self._from.setdefault(rule.from_leg_group_id, []).append(rule)

    def following(self, group: str) -> list[TransferRule]:
        """The rules that may follow a leg of this group; an empty column means all that it does not list."""
        return self._from.get(group if group in self.from_groups else EMPTY, [])

    def between(self, first: str, second: str) -> list[TransferRule]:
        """The rules from one leg group to another; where none names both, the empty ones of each column."""
        exact = self.rules.get((first, second))
        if exact is not None and EMPTY not in {first, second}:
            return exact
        columns = (
            first if first in self.from_groups else EMPTY,
            second if second in self.to_groups else EMPTY,
        )
        return self.rules.get(columns, [])


def transfers_from(tariff: Tariff, group: str) -> list[TransferRule]:
    """The transfer rules that may follow a leg of this group."""
    return tariff.derive(TransferIndex).following(group)


def within_limit(rule: TransferRule, since_s: int, at_s: int) -> bool:
    """Whether a transfer measured from `since_s` to `at_s` keeps the rule's limit."""
    return rule.limit_s is None or rule.boundary.holds(at_s - since_s, rule.limit_s)


def key_of(rule: TransferRule) -> str:
    """How a chain names the rule that applied."""
    return f"{rule.from_leg_group_id}>{rule.to_leg_group_id}"


def transfers(tariff: Tariff, chain: Chain | None, leg: Leg, candidate: Candidate) -> list[Offer]:
    """Every transfer by which this candidate may follow the chain."""
    if chain is None or not tariff.transfer_rules:
        return []
    found = [
        rule
        for rule in tariff.derive(TransferIndex).between(chain.group, candidate.group)
        if _within(tariff, chain, rule, leg)
    ]
    counts = [_count(rule) for rule in found if _may_count(rule, chain)]
    if not counts:
        return []
    fewest = min(counts)
    offers = [_offer(tariff, chain, leg, candidate, rule) for rule in found if _count(rule) == fewest]
    return [each for each in offers if each is not None]


def after_transfer(
    tariff: Tariff, chain: Chain | None, offer: Offer, leg: Leg, paid: int, pax: int
) -> Chain | None:
    """The chain with this leg at its end; `paid` is what a first leg was charged."""
    if not tariff.transfer_rules:
        return None
    off_s = None if leg.off is None else leg.off.at_s
    group = offer.candidate.group
    if chain is None or not isinstance(offer.via, TransferRule):
        return Chain(
            group=group, on_s=leg.on.at_s, off_s=off_s, since_on_s=leg.on.at_s, since_off_s=off_s,
            first_fare=max(0, paid), pax=pax,
        )  # fmt: skip
    rule = key_of(offer.via)
    again = rule == chain.rule
    since_on_s, since_off_s = _since(tariff, chain, rule)
    return Chain(
        group=group,
        on_s=leg.on.at_s,
        off_s=off_s,
        rule=rule,
        count=chain.count + 1 if again else 1,
        since_on_s=since_on_s,
        since_off_s=since_off_s,
        pax=min(pax, chain.pax),
    )


def _since(tariff: Tariff, chain: Chain, rule: str) -> tuple[int, int | None]:
    """Departure and arrival of the leg from which a rule's limit is measured."""
    if rule == chain.rule or tariff.transfer_limit_from is LimitFrom.JOURNEY:
        return chain.since_on_s, chain.since_off_s
    return chain.on_s, chain.off_s


def _within(tariff: Tariff, chain: Chain, rule: TransferRule, leg: Leg) -> bool:
    if rule.limit_s is None:
        return True
    since_on_s, since_off_s = _since(tariff, chain, key_of(rule))
    since_s = since_on_s
    if rule.limit_type.from_arrival and since_off_s is not None:
        since_s = since_off_s
    until_s = leg.on.at_s
    if rule.limit_type.to_arrival and leg.off is not None:
        until_s = leg.off.at_s
    return within_limit(rule, since_s, until_s)


def _count(rule: TransferRule) -> float:
    return float("inf") if rule.count is None or rule.count < 0 else rule.count


def _may_count(rule: TransferRule, chain: Chain) -> bool:
    current = chain.count + 1 if key_of(rule) == chain.rule else 1
    return _count(rule) >= current


def _offer(tariff: Tariff, chain: Chain, leg: Leg, candidate: Candidate, rule: TransferRule) -> Offer | None:
    cost = transfer_cost(tariff, chain, rule, candidate.amount, leg.category, leg.medium)
    if cost is None:
        return None
    pays_leg = rule.transfer_type is TransferType.FIRST_TRANSFER_AND_SECOND or rule.fare_product_id == EMPTY
    return Offer(candidate, cost, candidate.product_id if pays_leg else rule.fare_product_id, rule)


def transfer_cost(
    tariff: Tariff, chain: Chain, rule: TransferRule, fare: int, category: str, medium: str
) -> int | None:
    """What the transfer and the leg of `fare` cost together now; None: it is not for sale to this rider."""
    cost = 0
    if rule.fare_product_id != EMPTY:
        row = prices_of(tariff).row(rule.fare_product_id, category, medium)
        if row is None:
            return None
        cost = row.amount
    if rule.transfer_type is TransferType.FIRST_TRANSFER_AND_SECOND:
        return max(0, cost + fare)
    if rule.transfer_type is TransferType.TRANSFER_ONLY and chain.rule == "":
        return cost - chain.first_fare
    return max(0, cost)
