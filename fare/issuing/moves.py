"""What settlement may read of replaced cards: where each one's balance went. It moves nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session, col, select

from fare.database.chunks import in_chunks
from fare.issuing.models import Replacement


@dataclass(frozen=True, slots=True)
class MovedBalance:
    """A lost card whose balance was moved. `heir` is who has it now: a successor may be lost as well.

    `reached_rial` came to the heir with the last of these moves: it may be less, or be other money.
    """

    old_serial: int
    heir: int
    moved_rial: int
    reached_rial: int


def moved_balances(session: Session, serials: Iterable[int], *, lock: bool = False) -> list[MovedBalance]:
    """Those of these cards whose balance was moved, by serial; locked until the transaction ends if asked."""
    found: list[MovedBalance] = []
    for chunk in in_chunks(serials):
        moved = (
            select(Replacement)
            .where(
                col(Replacement.old_serial).in_(chunk),
                col(Replacement.moved_at).is_not(None),
            )
            .order_by(col(Replacement.old_serial))
        )
        rows = session.exec(moved.with_for_update() if lock else moved).all()
        found += [
            MovedBalance(row.old_serial, last.new_serial, row.moved_rial or 0, last.moved_rial or 0)
            for row in rows
            if (last := _last_move(session, row)).new_serial is not None
        ]
    return found


def _last_move(session: Session, first: Replacement) -> Replacement:
    """The move at the end of the chain that begins with this one."""
    met, last = {first.old_serial}, first
    while last.new_serial is not None and last.new_serial not in met:
        met.add(last.new_serial)
        following = session.get(Replacement, last.new_serial)
        if following is None or following.moved_at is None or following.new_serial is None:
            break
        last = following
    return last
