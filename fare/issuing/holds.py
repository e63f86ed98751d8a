"""Holds: giving back what a ticket did not ride, and covering what late rides took beyond that.

    release:<cti>             + hold   - wallet      once, when a ticket has expired or was denied
    cover:<cti>:<so far>      + wallet - hold        late rides of a ticket whose hold was given back

Rides that the ledger has taken in and not sealed yet keep their part of a hold. A ride that arrives later
still happened and the rider owes it: it overdraws the hold, which takes what it lacks from the wallet's free
money. What even that cannot cover stays on the hold's account, where reconciliation finds it, until money
comes in; and no owner is credited from it (`late_funds`), or the same money could be held, given back and
ridden again for a bus that waits with its upload.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from fare.database.chunks import in_chunks
from fare.issuing.models import TicketEntitlement
from fare.issuing.ticket_locks import lock_tickets
from fare.issuing.wallets import locked_wallet, wallet_balance
from fare.issuing.words import Purse, TicketStatus
from fare.ledger import accounts, balance, post
from fare.ledger.models import Entry, Posting

if TYPE_CHECKING:
    from fare.collection import TakenIn

NIGHTLY_GRACE: Final = timedelta(hours=24)
"""How long nobody's hold waits after its expiry for buses that were offline then."""
WALLETS_AT_ONCE: Final = 500
_DEBTS_SINCE: Final = timedelta(days=90)
_COVER: Final = "cover"


def release_holds_of(session: Session, wallet_id: str, now: datetime) -> int:
    """Give back at once what the wallet's expired and denied tickets hold; returns the rial.

    Called when its rider asks for a ticket, with the wallet locked.
    """
    rows = locked_unreleased(session, wallet_id)
    over = [row for row in rows if is_over(row, now)]
    unsealed = unsealed_fares(session, [row.cti for row in over])
    return sum(release(session, row, unsealed.get(row.cti, 0), now) for row in over)


def release_expired_holds(
    session: Session, now: datetime, *, grace: timedelta = NIGHTLY_GRACE, wallets: int = WALLETS_AT_ONCE
) -> dict[bytes, int]:
    """Give back what tickets that expired before `now - grace` hold; returns rial by alias.

    Of so many wallets at most, so that no rider waits long for a lock: again, until nothing comes back.
    """
    expired = select(TicketEntitlement.wallet_id).where(
        col(TicketEntitlement.status) != TicketStatus.RELEASED,
        col(TicketEntitlement.expires_at) <= now - grace,
    )
    released: dict[bytes, int] = {}
    some = expired.distinct().order_by(col(TicketEntitlement.wallet_id)).limit(wallets)
    for wallet_id in session.exec(some).all():
        locked_wallet(session, wallet_id)
        rows = [row for row in locked_unreleased(session, wallet_id) if row.expires_at <= now - grace]
        unsealed = unsealed_fares(session, [row.cti for row in rows])
        for row in rows:
            released[row.cti] = release(session, row, unsealed.get(row.cti, 0), now)
    return released


def cover_overdrawn_holds(session: Session, ctis: Iterable[bytes], day: date, now: datetime) -> int:
    """Cover what these tickets' holds lack from their wallets' free money; returns the rial. Again: nothing.

    `day` is the service day that was just sealed.
    """
    tickets: list[tuple[str, bytes]] = []
    for chunk in in_chunks(ctis):
        overdrawn = _overdrawn(session, chunk)
        rows = session.exec(
            select(TicketEntitlement.wallet_id, TicketEntitlement.cti).where(
                col(TicketEntitlement.cti).in_(overdrawn)
            )
        )
        tickets += [(wallet_id, cti) for wallet_id, cti in rows]
    covered_rial = 0
    for wallet_id, cti in sorted(tickets):
        locked_wallet(session, wallet_id)
        lacking_rial = balance(session, accounts.holds(cti))
        covered_rial += _cover(session, wallet_id, cti, day, now, lacking_rial)
    return covered_rial


def collect_debts(session: Session, wallet_id: str, now: datetime) -> int:
    """Cover what late rides of this wallet's tickets took and could not be covered then; returns the rial.

    Also what is still to be sealed: its owner was credited from this money. Called with the wallet locked,
    before its free money is held again.
    """
    lacking = _lacking(session, wallet_id, now)
    return sum(
        _cover(session, wallet_id, cti, now.date(), now, rial) for cti, rial in sorted(lacking.items())
    )


@dataclass(frozen=True, slots=True)
class LateFunds:
    """What is behind rides that come after their tickets' holds were given back.

    `wallets` has the wallet of each such ticket, `free_rial` what a wallet has that pays for nothing else.
    """

    wallets: Mapping[bytes, str] = field(default_factory=dict[bytes, str])
    free_rial: dict[str, int] = field(default_factory=dict[str, int])

    def behind(self, cti: bytes) -> int | None:
        """What there is for this ticket's next ride; None while its hold stands."""
        wallet_id = self.wallets.get(cti)
        return None if wallet_id is None else self.free_rial[wallet_id]

    def take(self, cti: bytes, rial: int) -> None:
        """A ride of this ticket takes so much, as far as there is."""
        wallet_id = self.wallets.get(cti)
        if wallet_id is not None:
            self.free_rial[wallet_id] = max(0, self.free_rial[wallet_id] - rial)


def late_funds(session: Session, ctis: Iterable[bytes], now: datetime) -> LateFunds:
    """What is behind those of these tickets whose holds were given back. See `lock_late_wallets`."""
    wallets = _late_wallets(session, ctis)
    free_rial = {
        wallet_id: max(
            0, wallet_balance(session, wallet_id) - sum(_lacking(session, wallet_id, now).values())
        )
        for wallet_id in sorted(set(wallets.values()))
    }
    return LateFunds(wallets, free_rial)


def lock_late_wallets(session: Session, ctis: Iterable[bytes]) -> None:
    """Lock the wallets that late rides of these tickets are paid from: before the tickets themselves."""
    for wallet_id in sorted(set(_late_wallets(session, ctis).values())):
        locked_wallet(session, wallet_id)


def lock_for_capture(session: Session, ctis: Iterable[bytes]) -> None:
    """Lock these tickets and their wallets while rides are captured: nothing is given back meanwhile."""
    wanted = sorted(set(ctis))
    wallets: set[str] = set()
    for chunk in in_chunks(wanted):
        some = col(TicketEntitlement.cti).in_(chunk)
        wallets |= set(session.exec(select(TicketEntitlement.wallet_id).where(some)))
    for wallet_id in sorted(wallets):
        locked_wallet(session, wallet_id)
    lock_tickets(session, wanted)


def is_over(row: TicketEntitlement, now: datetime) -> bool:
    """Whether a ticket may not be ridden any more, so that its rider gets the rest of its hold back."""
    return row.expires_at <= now or row.status == TicketStatus.DENIED


def locked_unreleased(session: Session, wallet_id: str) -> Sequence[TicketEntitlement]:
    """The wallet's tickets whose hold stands, locked until the transaction ends, in everybody's order."""
    wanted = _unreleased(wallet_id).with_for_update()
    return session.exec(wanted.execution_options(populate_existing=True)).all()


def unreleased(session: Session, wallet_id: str) -> Sequence[TicketEntitlement]:
    """The wallet's tickets whose hold stands."""
    return session.exec(_unreleased(wallet_id)).all()


def unsealed_fares(session: Session, ctis: Collection[bytes]) -> dict[bytes, int]:
    """The fares of these tickets that were taken in and are still to be captured from their holds."""
    return {cti: told.unsealed_rial for cti, told in told_of(session, ctis).items()}


def told_of(session: Session, ctis: Collection[bytes]) -> dict[bytes, TakenIn]:
    """What buses have told of these tickets so far; one that nobody told of is left out."""
    # Collection stands on issuing: imported when it is asked, or neither could be loaded first.
    from fare.collection import taken_in  # noqa: PLC0415

    return taken_in(session, ctis) if ctis else {}


def giveable_rial(session: Session, row: TicketEntitlement, unsealed_rial: int) -> int:
    """What of a hold is not ridden, as far as the ledger knows."""
    return max(0, -balance(session, accounts.holds(row.cti)) - unsealed_rial)


def release(session: Session, row: TicketEntitlement, unsealed_rial: int, now: datetime) -> int:
    """Give back what of one hold is not ridden; returns the rial. Its wallet and row are locked."""
    given_rial = giveable_rial(session, row, unsealed_rial)
    legs = {
        accounts.holds(row.cti): given_rial,
        accounts.stored_value(Purse.WALLET, row.wallet_id): -given_rial,
    }
    post(session, "release", row.cti.hex(), now.date(), "ticket ended", legs, now)
    row.status = TicketStatus.RELEASED
    session.add(row)
    session.flush()
    return given_rial


def _late_wallets(session: Session, ctis: Iterable[bytes]) -> dict[bytes, str]:
    wallets: dict[bytes, str] = {}
    for chunk in in_chunks(sorted(set(ctis))):
        rows = session.exec(
            select(TicketEntitlement.cti, TicketEntitlement.wallet_id).where(
                col(TicketEntitlement.cti).in_(chunk),
                col(TicketEntitlement.status) == TicketStatus.RELEASED,
            )
        )
        wallets |= {bytes(cti): wallet_id for cti, wallet_id in rows}
    return wallets


def _lacking(session: Session, wallet_id: str, now: datetime) -> dict[bytes, int]:
    """What the wallet's tickets whose holds were given back took beyond them, sealed or taken in."""
    recent = session.exec(
        select(TicketEntitlement.cti).where(
            col(TicketEntitlement.wallet_id) == wallet_id,
            col(TicketEntitlement.status) == TicketStatus.RELEASED,
            col(TicketEntitlement.issued_at) > now - _DEBTS_SINCE,
        )
    ).all()
    unsealed = unsealed_fares(session, recent)
    overdrawn = {cti for chunk in in_chunks(recent) for cti in _overdrawn(session, chunk)}
    found: dict[bytes, int] = {}
    for cti in overdrawn | unsealed.keys():
        rial = balance(session, accounts.holds(cti)) + unsealed.get(cti, 0)
        if rial > 0:
            found[cti] = rial
    return found


def _unreleased(wallet_id: str):
    return (
        select(TicketEntitlement)
        .where(
            col(TicketEntitlement.wallet_id) == wallet_id,
            col(TicketEntitlement.status) != TicketStatus.RELEASED,
        )
        .order_by(col(TicketEntitlement.cti))
    )


def _overdrawn(session: Session, ctis: Sequence[bytes]) -> list[bytes]:
    """Those of these tickets whose holds stand above zero: more was captured than was held."""
    names = {accounts.holds(cti): cti for cti in ctis}
    rows = session.exec(
        select(Posting.account_id)
        .where(col(Posting.account_id).in_(list(names)))
        .group_by(col(Posting.account_id))
        .having(sa.func.sum(col(Posting.amount_rial)) > 0)
    )
    return [names[account] for account in rows]


def _cover(session: Session, wallet_id: str, cti: bytes, day: date, now: datetime, lacking_rial: int) -> int:
    held = accounts.holds(cti)
    rial = min(lacking_rial, wallet_balance(session, wallet_id))
    if rial <= 0:
        return 0
    before = session.exec(
        select(sa.func.sum(col(Posting.amount_rial)))
        .join(Entry, col(Entry.entry_id) == col(Posting.entry_id))
        .where(col(Posting.account_id) == held, col(Entry.cause_kind) == _COVER)
    ).one()
    so_far_rial = rial - int(before or 0)
    legs = {accounts.stored_value(Purse.WALLET, wallet_id): rial, held: -rial}
    post(session, _COVER, f"{cti.hex()}:{so_far_rial}", day, "late rides of a ticket", legs, now)
    return rial
