"""Riders' browsers that are signed in, each until 180 days pass without use. It signs nobody in by itself.

The cookie holds 256 random bits; the database holds their SHA-256 alone, so a copy of it signs nobody in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, delete, select

from fare.core.proof.possession import CHALLENGE_BYTES
from fare.riders.models import Rider, RiderSession

SESSION_LIFE: Final = timedelta(days=180)
_NO_CHALLENGE: Final = b""


@dataclass(frozen=True, slots=True)
class SignedInRider:
    """Who is behind a request. `mobile` in its national form; `challenge` empty while none is given out."""

    rider_id: str
    phone_id: str | None
    mobile: str
    challenge: bytes = field(repr=False)


def open_rider_session(session: Session, rider_id: str, phone_id: str | None, now: datetime) -> str:
    """Sign a rider in who has redeemed a code, and return the cookie's secret, told this once."""
    session.exec(delete(RiderSession).where(col(RiderSession.expires_at) <= now))
    token = secrets.token_urlsafe(32)
    session.add(
        RiderSession(
            token_digest=_digest(token),
            rider_id=rider_id,
            phone_id=phone_id,
            challenge=_NO_CHALLENGE,
            opened_at=now,
            expires_at=now + SESSION_LIFE,
        )
    )
    session.flush()
    return token


def rider_of(session: Session, token: str, now: datetime) -> SignedInRider | None:
    """Who holds this cookie; None when it is unknown or has ended."""
    row = session.get(RiderSession, _digest(token))
    if row is None or now >= row.expires_at:
        return None
    rider = session.get_one(Rider, row.rider_id)
    return SignedInRider(row.rider_id, row.phone_id, rider.mobile or "", row.challenge)


def fresh_challenge(session: Session, token: str, now: datetime) -> bytes:
    """16 new random bytes for this browser's phone to sign, in the place of those before; counts as a use.

    Raises KeyError for a cookie that signs nobody in.
    """
    row = _locked(session, token)
    if row is None or now >= row.expires_at:
        raise KeyError("this cookie signs nobody in")
    row.challenge = secrets.token_bytes(CHALLENGE_BYTES)
    row.expires_at = now + SESSION_LIFE
    session.add(row)
    session.flush()
    return row.challenge


def take_challenge(session: Session, token: str, now: datetime) -> bytes | None:
    """The challenge that this browser was given last, taken back: it counts once. None when there is none."""
    row = _locked(session, token)
    if row is None or now >= row.expires_at or hmac.compare_digest(row.challenge, _NO_CHALLENGE):
        return None
    taken, row.challenge = row.challenge, _NO_CHALLENGE
    session.add(row)
    session.flush()
    return taken


def close_rider_session(session: Session, token: str) -> None:
    """Sign this browser out."""
    session.exec(delete(RiderSession).where(col(RiderSession.token_digest) == _digest(token)))


def close_phone_sessions(session: Session, phone_id: str) -> None:
    """Sign out every browser that enrolled as this phone."""
    session.exec(delete(RiderSession).where(col(RiderSession.phone_id) == phone_id))


def _locked(session: Session, token: str) -> RiderSession | None:
    wanted = select(RiderSession).where(col(RiderSession.token_digest) == _digest(token)).with_for_update()
    return session.exec(wanted.execution_options(populate_existing=True)).first()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
