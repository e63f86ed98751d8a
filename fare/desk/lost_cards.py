"""Replacing lost cards at a desk: the transactions, and the job that takes the card on the reader.

How much moves is decided here alone: what was signed for the lost card, less the most that it is proven to
have spent, or that was credited for it. See docs/adr/0011.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from fare.collection.card_register import newest_ride_before, spent_or_credited
from fare.core.desfire import application
from fare.core.desfire.application import Conversation
from fare.core.desfire.transaction_mac import MAX_TMC
from fare.core.errors import OperatorError
from fare.database.engine import read, write
from fare.desk.context import LOCAL, Desk
from fare.desk.jobs import Terms, issue, try_to_deliver
from fare.desk.outcomes import Replaced
from fare.issuing import (
    IssuingRefusal,
    IssuingRefused,
    ReplacementView,
    card_view,
    card_with_uid,
    due_replacements,
    move_balance,
    name_successor,
    replacement_of,
    report_lost,
)


@dataclass(frozen=True, slots=True)
class DueMoves:
    """What `move_due` did: the moves, and a sentence for each lost card that could not be moved."""

    moved: tuple[Replaced, ...]
    failed: tuple[tuple[int, str], ...]


def report(desk: Desk, old_serial: int) -> Replaced:
    """Deny a lost card at once; says from when its balance may move."""
    with write(desk.engine) as session:
        noted = report_lost(session, old_serial, desk.by, desk.now(), desk.waiting)
    return _replaced(noted)


def succeed(desk: Desk, old_serial: int, new_serial: int) -> Replaced:
    """Name the successor of a lost card, and move the balance if the waiting time is over.

    It takes two people: who reported the loss does not name the card that gets the money.
    """
    now = desk.now()
    with write(desk.engine) as session:
        before = replacement_of(session, old_serial)
        noted = name_successor(session, old_serial, new_serial)
        is_new = before is None or before.new_serial != new_serial
        if is_new:
            _check_second_person(desk, noted)
        if is_new and newest_ride_before(session, str(new_serial), MAX_TMC + 1) is not None:
            raise IssuingRefused(IssuingRefusal.SUCCESSOR_IN_USE)
        if now >= noted.moves_at:
            noted = _move(session, desk, old_serial)
    return _replaced(noted)


def move_due(desk: Desk) -> DueMoves:
    """Move every balance that has waited long enough, each in a transaction of its own."""
    with read(desk.engine) as session:
        due = due_replacements(session, desk.now())
    moved: list[Replaced] = []
    failed: list[tuple[int, str]] = []
    for serial in due:
        try:
            with write(desk.engine) as session:
                moved.append(_replaced(_move(session, desk, serial)))
        except OperatorError as fault:
            failed.append((serial, str(fault)))
    return DueMoves(tuple(moved), tuple(failed))


def replace_with_card(desk: Desk, old_serial: int) -> Conversation[Replaced]:
    """The card on the reader becomes the successor; a fresh chip is issued first.

    It gets the lost card's category. When the balance moves now, it is written onto that card at once; torn,
    the next bus delivers it.
    """
    with read(desk.engine) as session:
        old, noted = card_view(session, old_serial), replacement_of(session, old_serial)
    if noted is None:
        raise IssuingRefused(IssuingRefusal.NOT_REPORTED_LOST)
    if noted.moved_at is not None:
        raise IssuingRefused(IssuingRefusal.ALREADY_REPLACED)
    if noted.new_serial is None:
        _check_second_person(desk, noted)
    uid = yield from application.read_uid()
    with read(desk.engine) as session:
        there = card_with_uid(session, uid)
    if there is None or not there.is_written:
        issued = yield from issue(desk, Terms(old.rider_category, old.category_expires_on))
        new_serial = issued.serial
    else:
        new_serial = there.serial
    done = succeed(desk, old_serial, new_serial)
    if done.moved_rial is None:
        return done
    on_card, note = yield from try_to_deliver(desk, new_serial)
    return Replaced(done.old_serial, done.new_serial, done.moves_at, done.moved_rial, on_card, note)


def _check_second_person(desk: Desk, noted: ReplacementView) -> None:
    """Alone, a clerk could report any card lost and take its balance home on one of his own."""
    if desk.by == noted.reported_by and desk.by != LOCAL:
        raise IssuingRefused(IssuingRefusal.SAME_PERSON)


def _move(session: Session, desk: Desk, old_serial: int) -> ReplacementView:
    return move_balance(session, desk.keys, old_serial, spent_or_credited(session, old_serial), desk.now())


def _replaced(noted: ReplacementView) -> Replaced:
    return Replaced(
        noted.old_serial, noted.new_serial, noted.moves_at, noted.moved_rial, on_card=False, note=None
    )
