"""Transfer windows: what a boarding costs inside one, and how windows open, go on and end. It moves no money.

A use keeps only what its window will ask for, so that card and ledger hold the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from fare.core.tariff.fares import Candidate, Leg, covers, percent_of, rounded
from fare.core.tariff.model import EMPTY, Selection, Tariff, TransferWindow, WindowAnchor, WindowPays
from fare.core.tariff.periods import service_day
from fare.core.tariff.state import WindowUse
from fare.core.tariff.transfers import Offer

_EACH_ANEW = frozenset({WindowAnchor.LAST, WindowAnchor.LAST_EXIT})


def window_offers(
    tariff: Tariff, uses: Mapping[str, WindowUse], leg: Leg, candidate: Candidate
) -> list[Offer]:
    """What the candidate costs in each open window that it may ride in. A free leg needs none."""
    if not uses or candidate.amount == 0:
        return []
    found: list[Offer] = []
    for window in tariff.windows:
        use = uses.get(window.window_id)
        if use is not None and _rides_in(tariff, window, use, leg, candidate):
            cost = cost_in(tariff, window, use, candidate.amount)
            found.append(Offer(candidate, cost, candidate.product_id, window))
    return found


def cost_in(tariff: Tariff, window: TransferWindow, use: WindowUse, fare: int) -> int:
    """What a fare costs inside the window, in minor units; never more than the fare itself."""
    match window.pays:
        case WindowPays.NOTHING:
            return 0
        case WindowPays.DIFFERENCE:
            return max(0, fare - use.dearest)
        case WindowPays.AMOUNT:
            return min(fare, window.amount)
        case WindowPays.PERCENT:
            part = percent_of(fare, window.percent, window.rounding)
            return min(fare, rounded(part, 1, tariff.rounding))


def after_windows(
    tariff: Tariff, uses: Mapping[str, WindowUse], offer: Offer, leg: Leg, pax: int
) -> Mapping[str, WindowUse]:
    """The windows after the boarding was paid as `offer` says."""
    if not tariff.windows:
        return uses
    now = dict(uses)
    candidate = offer.candidate
    for window in tariff.windows:
        use = uses.get(window.window_id)
        rides = _holds(tariff, window.covers, leg, candidate)
        opens = rides if window.opened_by is None else _holds(tariff, window.opened_by, leg, candidate)
        if not rides and not opens:
            if window.ended_by_other_legs:
                now.pop(window.window_id, None)
        elif candidate.amount == 0:
            continue
        elif use is not None and _rides_in(tariff, window, use, leg, candidate):
            now[window.window_id] = _gone_on(window, use, offer, leg, pax)
        elif opens and offer.cost > 0:
            now[window.window_id] = WindowUse(
                since_s=_anchor_s(window, leg),
                dearest=candidate.amount if window.pays is WindowPays.DIFFERENCE else 0,
                pax=pax,
                network=leg.network if window.same_network else EMPTY,
                route=EMPTY if window.same_route else leg.route,
            )
    return now


def is_open(tariff: Tariff, window: TransferWindow, since_s: int, at_s: int) -> bool:
    """Whether a window that began at `since_s` still lasts at `at_s`, by its own boundary."""
    if window.ends_with_service_day and service_day(tariff, since_s) != service_day(tariff, at_s):
        return False
    return window.seconds is None or window.boundary.holds(at_s - since_s, window.seconds)


def _rides_in(tariff: Tariff, window: TransferWindow, use: WindowUse, leg: Leg, candidate: Candidate) -> bool:
    return (
        (window.transfers < 0 or use.used < window.transfers)
        and leg.on.at_s >= use.since_s
        and is_open(tariff, window, use.since_s, leg.on.at_s)
        and (not window.same_network or use.network == leg.network)
        and (window.same_route or not leg.route or use.route != leg.route)
        and (not window.needs_balance or leg.on.balance is None or leg.on.balance >= 0)
        and _holds(tariff, window.covers, leg, candidate)
    )


def _holds(tariff: Tariff, selection: Selection, leg: Leg, candidate: Candidate) -> bool:
    return covers(tariff, selection, leg, candidate.group, candidate.product_id, leg.category)


def _anchor_s(window: TransferWindow, leg: Leg) -> int:
    """The instant of this leg from which the window is measured."""
    if window.anchor is WindowAnchor.LAST_EXIT and leg.off is not None:
        return leg.off.at_s
    return leg.on.at_s


def _gone_on(window: TransferWindow, use: WindowUse, offer: Offer, leg: Leg, pax: int) -> WindowUse:
    """A window that lasts: the leg rode in it, or in another one beside it."""
    mine = offer.via is window
    anew = window.anchor in _EACH_ANEW or (window.anchor is WindowAnchor.LAST_PAID and offer.cost > 0)
    return WindowUse(
        since_s=_anchor_s(window, leg) if anew else use.since_s,
        dearest=max(use.dearest, offer.candidate.amount) if window.pays is WindowPays.DIFFERENCE else 0,
        pax=min(pax, use.pax) if mine else use.pax,
        used=use.used + (mine and window.transfers >= 0),
        network=use.network,
        route=EMPTY if window.same_route else leg.route,
    )
