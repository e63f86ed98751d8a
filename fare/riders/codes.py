"""One-time codes that show who holds a mobile number. It sends nothing (see `senders`), and keeps no code.

What is stored is a salted digest; a code works once, for five minutes and five tries. Everything here is the
same for a number that is enrolled and for one that nobody has: an answer tells nothing about who rides.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from fare.core.identifiers import parse_mobile
from fare.core.money import normalise_digits
from fare.core.proof.possession import CHALLENGE_BYTES
from fare.riders.models import OneTimeCode

_SALT_BYTES: Final = 16
_NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CodeLimits:
    """Every number that bounds one-time codes: digits and tries of one, and how many one number may get."""

    digits: int = 6
    valid_for: timedelta = timedelta(minutes=5)
    tries: int = 5
    again_after: timedelta = timedelta(seconds=60)
    per_hour: int = 5
    per_day: int = 10


LIMITS: Final = CodeLimits()
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class CodeRefusal(StrEnum):
    """Why no code is sent (the first two), or why one does not work."""

    TOO_SOON = "too_soon"
    TOO_MANY = "too_many"
    WRONG_CODE = "wrong_code"
    EXPIRED = "expired"
    NO_TRIES_LEFT = "no_tries_left"
    NO_CODE = "no_code"


@dataclass(frozen=True, slots=True)
class CodeSent:
    """A code to be sent after the commit. `challenge` (16 bytes) is what the phone signs."""

    mobile: str
    code: str = field(repr=False)
    challenge: bytes = field(repr=False)
    expires_at: datetime
    again_after: timedelta


def request_code(session: Session, mobile: str, now: datetime) -> CodeSent | CodeRefusal:
    """Make a code for a number, in the place of any earlier one. Raises InvalidMobile.

    A refusal changes nothing: the code that was sent before still works.
    """
    _forget_old(session, now)
    number = str(parse_mobile(mobile))
    row = _made_and_locked(session, number)
    if _wait(row, now) > timedelta(0):
        return CodeRefusal.TOO_MANY if _used_up(row, now) else CodeRefusal.TOO_SOON
    if now >= row.hour_since + _HOUR:
        row.hour_since, row.hour_count = now, 0
    if now >= row.day_since + _DAY:
        row.day_since, row.day_count = now, 0
    code = f"{secrets.randbelow(10**LIMITS.digits):0{LIMITS.digits}}"
    row.salt = secrets.token_bytes(_SALT_BYTES)
    row.code_digest = _digest(row.salt, number, code)
    row.challenge = secrets.token_bytes(CHALLENGE_BYTES)
    row.tries_left = LIMITS.tries
    row.sent_at, row.expires_at, row.used_at = now, now + LIMITS.valid_for, None
    row.hour_count += 1
    row.day_count += 1
    session.add(row)
    session.flush()
    return CodeSent(number, code, row.challenge, row.expires_at, LIMITS.again_after)


def redeem_code(session: Session, mobile: str, code: str, now: datetime) -> bytes | CodeRefusal:
    """Use a code up; returns the challenge that went with it. Raises InvalidMobile.

    A wrong try is counted: commit the transaction whatever the answer is.
    """
    number = str(parse_mobile(mobile))
    row = _locked(session, number)
    if row is None or row.day_count == 0 or row.used_at is not None:
        return CodeRefusal.NO_CODE
    if now >= row.expires_at:
        return CodeRefusal.EXPIRED
    if row.tries_left == 0:
        return CodeRefusal.NO_TRIES_LEFT
    row.tries_left -= 1
    told = normalise_digits(code).strip()
    right = hmac.compare_digest(row.code_digest, _digest(row.salt, number, told))
    if right:
        row.used_at = now
    session.add(row)
    session.flush()
    if right:
        return row.challenge
    return CodeRefusal.WRONG_CODE if row.tries_left else CodeRefusal.NO_TRIES_LEFT


def code_wait(session: Session, mobile: str, now: datetime) -> timedelta:
    """How long this number waits until it may ask for a code again; zero when it may now."""
    row = session.get(OneTimeCode, str(parse_mobile(mobile)))
    return timedelta(0) if row is None else max(timedelta(0), _wait(row, now))


def code_not_sent(session: Session, sent: CodeSent) -> None:
    """The code could not be sent: it is void, is not counted, and another may be asked for at once."""
    row = _locked(session, sent.mobile)
    if row is None or not hmac.compare_digest(row.challenge, sent.challenge) or row.used_at is not None:
        return
    row.used_at = row.sent_at
    row.sent_at -= LIMITS.again_after
    row.hour_count -= 1
    row.day_count -= 1
    session.add(row)
    session.flush()


def _wait(row: OneTimeCode, now: datetime) -> timedelta:
    """Until the number may get a code again; zero or less when it may."""
    waits = [row.sent_at + LIMITS.again_after - now]
    if row.hour_count >= LIMITS.per_hour:
        waits.append(row.hour_since + _HOUR - now)
    if row.day_count >= LIMITS.per_day:
        waits.append(row.day_since + _DAY - now)
    return max(waits)


def _used_up(row: OneTimeCode, now: datetime) -> bool:
    hour = row.hour_count >= LIMITS.per_hour and now < row.hour_since + _HOUR
    return hour or (row.day_count >= LIMITS.per_day and now < row.day_since + _DAY)


def _made_and_locked(session: Session, number: str) -> OneTimeCode:
    """The number's row, locked until the transaction ends; made when it is the first, by one of many."""
    dialect = postgresql if session.connection().dialect.name == "postgresql" else sqlite
    blank = {
        "mobile": number,
        "salt": bytes(_SALT_BYTES),
        "code_digest": bytes(hashlib.sha256().digest_size),
        "challenge": bytes(CHALLENGE_BYTES),
        "tries_left": 0,
        "sent_at": _NEVER,
        "expires_at": _NEVER,
        "hour_since": _NEVER,
        "hour_count": 0,
        "day_since": _NEVER,
        "day_count": 0,
    }
    session.connection().execute(dialect.insert(OneTimeCode).values(blank).on_conflict_do_nothing())
    row = _locked(session, number)
    assert row is not None  # noqa: S101 - the statement before made it
    return row


def _locked(session: Session, number: str) -> OneTimeCode | None:
    wanted = select(OneTimeCode).where(col(OneTimeCode.mobile) == number).with_for_update()
    return session.exec(wanted.execution_options(populate_existing=True)).first()


def _forget_old(session: Session, now: datetime) -> None:
    """Drop the rows that bound nothing any more: who asked for a code is nobody's business for longer."""
    old = (col(OneTimeCode.sent_at) <= now - _DAY) & (col(OneTimeCode.day_since) <= now - _DAY)
    # Rows that another request holds are left to the next one: waiting here could go round in a circle.
    mobiles = session.exec(select(OneTimeCode.mobile).where(old).with_for_update(skip_locked=True)).all()
    if mobiles:
        session.connection().execute(sa.delete(OneTimeCode).where(col(OneTimeCode.mobile).in_(mobiles)))


def _digest(salt: bytes, number: str, code: str) -> bytes:
    # What a person typed may hold half a surrogate pair, which plain UTF-8 refuses.
    return hashlib.sha256(salt + f"{number}:{code}".encode(errors="surrogatepass")).digest()
