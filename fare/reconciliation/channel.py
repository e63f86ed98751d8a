"""The channel proof: every payment from the rider's order to the load on the card.

    order  <->  line of the PSP's report  <->  entitlement signed  <->  load seen on the card by a tap

A link that is not due yet is waiting. Only a person turns a payment without an order into one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from fare.database.chunks import in_chunks
from fare.issuing.trails import LoadTrail, load_trails, load_trails_of, unordered_loads
from fare.issuing.words import OrderState, Purse
from fare.reconciliation.findings import Finding, Kind, Outcome, Queue
from fare.reconciliation.models import PspLine

SEEN_WITHIN: Final = timedelta(hours=24)
"""So long a load may be on its way to its card (from signing) before someone looks."""
REPORT_WITHIN: Final = timedelta(days=2)
"""So long after a day its PSP report is waited for."""


@dataclass(frozen=True, slots=True)
class _Look:
    """The moment of looking: the day looked at, the instant, and the city's date then."""

    day: date
    now: datetime
    today: date


def check_channel(session: Session, day: date, now: datetime, today: date) -> Outcome:
    """The orders and payments of the day, and earlier loads that are still on their way."""
    look = _Look(day, now, today)
    of_day = session.exec(select(PspLine).where(col(PspLine.paid_day) == day)).all()
    orders = {trail.psp_reference: trail for trail in load_trails(session, day)}
    elsewhere = {line.psp_reference for line in of_day} - set(orders)
    orders |= {trail.psp_reference: trail for trail in load_trails_of(session, elsewhere)}
    lines = _lines_of(session, orders, of_day)
    reported = _reported_until(session)
    findings = [
        Finding(
            Kind.LOAD_WITHOUT_ORDER,
            f"{load.serial}:{load.version}",
            day,
            load.amount_rial,
            f"card {load.serial}, version {load.version}: {load.amount_rial:,} rial signed without an order",
            Queue.FINANCE,
        )
        for load in unordered_loads(session)
    ]
    waiting, unreported = 0, defaultdict[tuple[str, date], list[LoadTrail]](list)
    matched = 0
    references = sorted({*orders, *lines})
    for reference in references:
        found = _judge(orders.get(reference), lines.get(reference, []), look, reported)
        if isinstance(found, Finding):
            findings.append(found)
        elif found is None:
            matched += 1
        elif isinstance(found, LoadTrail):
            unreported[found.terminal, found.paid_day].append(found)
        else:
            waiting += 1
    findings += [
        _no_report(terminal, paid, trails) for (terminal, paid), trails in sorted(unreported.items())
    ]
    return Outcome(len(references), matched, waiting, findings)


class _Waiting:
    """A link of the chain is not due yet."""


_WAITING: Final = _Waiting()


def _judge(
    order: LoadTrail | None, lines: Sequence[PspLine], look: _Look, reported: Mapping[str, date]
) -> Finding | LoadTrail | _Waiting | None:
    """One payment: None when all its records agree, the order itself when its whole report is missing."""
    if order is None:
        line = lines[0]
        return Finding(
            Kind.PAYMENT_WITHOUT_ORDER,
            line.psp_reference,
            line.paid_day,
            sum(line.amount_rial for line in lines),
            f"the PSP reports {line.amount_rial:,} rial under {line.psp_reference} at {line.terminal},"
            " and no order was paid with it",
            Queue.FINANCE,
        )
    if len(lines) > 1:
        detail = (
            f"the PSP reports {order.psp_reference} {len(lines)} times for one order of {order.amount_rial:,}"
        )
        return _of(Kind.PAYMENT_REPEATED, order, sum(line.amount_rial for line in lines[1:]), detail)
    if lines and (lines[0].amount_rial, lines[0].terminal) != (order.amount_rial, order.terminal):
        line = lines[0]
        detail = (
            f"{order.psp_reference}: ordered were {order.amount_rial:,} rial at {order.terminal}, "
            f"the PSP reports {line.amount_rial:,} at {line.terminal}"
        )
        return _of(Kind.AMOUNT_DIFFERS, order, line.amount_rial - order.amount_rial, detail)
    link = _load_link(order, look)
    if link is not None:
        return link
    return None if lines else _unpaid(order, look, reported)


def _load_link(order: LoadTrail, look: _Look) -> Finding | _Waiting | None:
    """From the order to the card: signed for the right amount, and seen."""
    if order.state != OrderState.SIGNED:
        detail = f"order {order.order_id}: {order.amount_rial:,} rial were paid and no entitlement was signed"
        return _of(Kind.LOAD_UNSIGNED, order, order.amount_rial, detail)
    if order.medium_kind != Purse.CARD:
        return None
    if order.signed_at is None or order.signed_rial != order.amount_rial:
        signed = order.signed_rial or 0
        detail = f"order {order.order_id}: paid were {order.amount_rial:,} rial, signed were {signed:,}"
        return _of(Kind.AMOUNT_DIFFERS, order, signed - order.amount_rial, detail)
    if order.seen_day is not None:
        return None
    # On the day of the payment itself the rider may simply not have ridden since.
    if order.paid_day >= look.day or look.now - order.signed_at < SEEN_WITHIN:
        return _WAITING
    detail = f"order {order.order_id}: {order.amount_rial:,} rial were never seen on card {order.medium_ref}"
    return _of(Kind.LOAD_UNSEEN, order, order.amount_rial, detail)


def _unpaid(order: LoadTrail, look: _Look, reported: Mapping[str, date]) -> Finding | LoadTrail | _Waiting:
    """An order that we hold for paid and the PSP's report does not have."""
    reaches = reported.get(order.terminal)
    if reaches is not None and reaches >= order.paid_day:
        detail = (
            f"order {order.order_id}: {order.psp_reference} is not in the PSP's report of {order.paid_day}"
        )
        return _of(Kind.ORDER_WITHOUT_PAYMENT, order, order.amount_rial, detail)
    return order if look.today > order.paid_day + REPORT_WITHIN else _WAITING


def _no_report(terminal: str, paid_day: date, trails: Sequence[LoadTrail]) -> Finding:
    """One missing report is one fault, however many payments it would have had."""
    return Finding(
        Kind.REPORT_MISSING,
        f"{terminal}:{paid_day}",
        paid_day,
        sum(trail.amount_rial for trail in trails),
        f"{len(trails)} payments at {terminal} on {paid_day} are in no PSP report: import that day's report",
        Queue.FINANCE,
    )


def _of(kind: Kind, order: LoadTrail, amount_rial: int, detail: str) -> Finding:
    return Finding(kind, order.order_id, order.paid_day, amount_rial, detail, Queue.FINANCE)


def _lines_of(session: Session, orders: Iterable[str], of_day: Sequence[PspLine]) -> dict[str, list[PspLine]]:
    """All lines of these payments, of the day or not, by reference."""
    wanted = sorted({*orders, *(line.psp_reference for line in of_day)})
    found: dict[str, list[PspLine]] = defaultdict(list)
    for chunk in in_chunks(wanted):
        rows = session.exec(
            select(PspLine)
            .where(col(PspLine.psp_reference).in_(chunk))
            .order_by(col(PspLine.paid_day), col(PspLine.report_id), col(PspLine.line_no))
        )
        for row in rows:
            found[row.psp_reference].append(row)
    return found


def _reported_until(session: Session) -> dict[str, date]:
    """The last day of which each terminal's payments were reported."""
    rows = session.connection().execute(
        sa.select(col(PspLine.terminal), sa.func.max(col(PspLine.paid_day))).group_by(col(PspLine.terminal))
    )
    return {str(terminal): last_day for terminal, last_day in rows}
