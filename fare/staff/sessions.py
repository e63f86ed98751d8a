"""Signed-in browsers. A session ends after 30 minutes without use, at the latest 10 hours after signing in.

The cookie holds 256 random bits; the database holds their SHA-256 alone, so a copy of it signs nobody in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, delete

from fare.staff.accounts import StaffMember, member
from fare.staff.models import StaffSession
from fare.staff.roles import Right, may

IDLE: Final = timedelta(minutes=30)
ABSOLUTE: Final = timedelta(hours=10)
_PROLONG_AFTER: Final = timedelta(minutes=1)
"""A session is written again at most once a minute, however many pages are read."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is behind a request. `csrf_secret` goes into every form; `to_prolong` asks for `prolong`."""

    member: StaffMember
    csrf_secret: str
    to_prolong: bool

    def may(self, right: Right) -> bool:
        """Whether this person holds a right."""
        return may(self.member.role, right)

    def csrf_matches(self, presented: str) -> bool:
        """Whether a form came from a page that this session was given."""
        return hmac.compare_digest(self.csrf_secret.encode(), presented.encode())


def open_session(session: Session, staff_id: str, now: datetime) -> str:
    """Sign a person in whose password was verified, and return the cookie's secret, told this once."""
    session.exec(delete(StaffSession).where(col(StaffSession.expires_at) <= now))
    token = secrets.token_urlsafe(32)
    session.add(
        StaffSession(
            token_digest=_digest(token),
            staff_id=staff_id.strip().lower(),
            csrf_secret=secrets.token_urlsafe(32),
            created_at=now,
            expires_at=now + IDLE,
        )
    )
    session.flush()
    return token


def signed_in(session: Session, token: str, now: datetime) -> SignedIn | None:
    """Who holds this cookie; None when it is unknown, has ended, or its account was closed."""
    row = session.get(StaffSession, _digest(token))
    if row is None or now >= row.expires_at or now >= row.created_at + ABSOLUTE:
        return None
    who = member(session, row.staff_id)
    if who is None or not who.active:
        return None
    to_prolong = _prolonged(row, now) - row.expires_at >= _PROLONG_AFTER
    return SignedIn(who, row.csrf_secret, to_prolong)


def prolong(session: Session, token: str, now: datetime) -> None:
    """Count a use: the idle time starts anew, the absolute end stays."""
    row = session.get(StaffSession, _digest(token))
    if row is not None and now < row.expires_at:
        row.expires_at = _prolonged(row, now)
        session.flush()


def close_session(session: Session, token: str) -> None:
    """Sign out."""
    session.exec(delete(StaffSession).where(col(StaffSession.token_digest) == _digest(token)))


def _prolonged(row: StaffSession, now: datetime) -> datetime:
    return min(now + IDLE, row.created_at + ABSOLUTE)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
