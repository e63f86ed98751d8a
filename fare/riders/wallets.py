"""Which wallet is whose: a rider who enrolled by mobile number has one. It moves no money."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from fare.core.identifiers import parse_mobile
from fare.issuing import Purse, open_wallet
from fare.riders.media import link
from fare.riders.models import Rider, RiderMedium

_RIDER_ID_BYTES = 8
_SHOWN_BEFORE, _SHOWN_AFTER = 4, 2


def rider_with_wallet(session: Session, mobile: str, now: datetime) -> tuple[str, str]:
    """(rider id, wallet id) of a number whose code was redeemed; made when they are the first.

    Two requests at once make one rider with one wallet. Raises InvalidMobile.
    """
    number = str(parse_mobile(mobile))
    dialect = postgresql if session.connection().dialect.name == "postgresql" else sqlite
    new = {"rider_id": secrets.token_hex(_RIDER_ID_BYTES), "mobile": number, "created_at": now}
    session.connection().execute(dialect.insert(Rider).values(new).on_conflict_do_nothing())
    # The rider's row is the lock under which the one wallet is opened.
    rider = session.exec(select(Rider).where(col(Rider.mobile) == number).with_for_update()).one()
    wallet_id = wallet_of(session, rider.rider_id)
    if wallet_id is None:
        wallet_id = open_wallet(session, now)
        link(session, rider.rider_id, Purse.WALLET, wallet_id, now)
    return rider.rider_id, wallet_id


def rider_with_mobile(session: Session, mobile: str) -> str | None:
    """The rider of this number, for staff and for reports of lost phones; None when nobody has it.

    Raises InvalidMobile.
    """
    return session.exec(select(Rider.rider_id).where(col(Rider.mobile) == str(parse_mobile(mobile)))).first()


def wallet_of(session: Session, rider_id: str) -> str | None:
    """The wallet that a rider holds now: the newest, should there be several."""
    return session.exec(
        select(RiderMedium.medium_ref)
        .where(
            col(RiderMedium.rider_id) == rider_id,
            col(RiderMedium.medium_kind) == Purse.WALLET.value,
            col(RiderMedium.ends_at).is_(None),
        )
        .order_by(col(RiderMedium.starts_at).desc(), col(RiderMedium.medium_ref))
    ).first()


def masked_mobile(mobile: str) -> str:
    """The number as its own page shows it: `0912•••••67`."""
    hidden = max(0, len(mobile) - _SHOWN_BEFORE - _SHOWN_AFTER)
    return mobile[:_SHOWN_BEFORE] + "•" * hidden + mobile[len(mobile) - _SHOWN_AFTER :]
