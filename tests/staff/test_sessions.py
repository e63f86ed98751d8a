from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine
from sqlmodel import select

from fare.database.engine import read, write
from fare.staff import Right, Role, SignedIn, close_session, open_session, prolong, signed_in
from fare.staff.models import StaffSession
from tests.staff.people import NOW, add_people


def begin(engine: Engine) -> str:
    add_people(engine, sara=Role.FINANCE)
    with write(engine) as session:
        return open_session(session, "sara", NOW)


def who(engine: Engine, token: str, after: timedelta = timedelta()) -> SignedIn | None:
    with read(engine) as session:
        return signed_in(session, token, NOW + after)


def test_a_session_knows_its_person_and_its_forms(engine: Engine) -> None:
    signed = who(engine, begin(engine))
    assert signed is not None
    assert signed.member.staff_id == "sara"
    assert signed.may(Right.READ_DAY)
    assert not signed.may(Right.RUN_STAFF)
    assert signed.csrf_matches(signed.csrf_secret)
    assert not signed.csrf_matches("")


def test_the_database_does_not_hold_the_cookie(engine: Engine) -> None:
    token = begin(engine)
    with read(engine) as session:
        [row] = session.exec(select(StaffSession)).all()
    assert token.encode() not in row.token_digest
    assert who(engine, row.token_digest.hex()) is None


def test_a_session_ends_when_it_is_not_used(engine: Engine) -> None:
    token = begin(engine)
    assert who(engine, token, timedelta(minutes=30) - timedelta(seconds=1)) is not None
    assert who(engine, token, timedelta(minutes=30)) is None


def test_use_prolongs_a_session_but_never_beyond_ten_hours(engine: Engine) -> None:
    token = begin(engine)
    minutes = 0
    while minutes < 10 * 60 - 20:
        minutes += 20
        signed = who(engine, token, timedelta(minutes=minutes))
        assert signed is not None
        assert signed.to_prolong == (minutes <= 10 * 60 - 20)
        with write(engine) as session:
            prolong(session, token, NOW + timedelta(minutes=minutes))
    assert who(engine, token, timedelta(hours=10) - timedelta(seconds=1)) is not None
    assert who(engine, token, timedelta(hours=10)) is None


def test_reading_many_pages_writes_once_a_minute(engine: Engine) -> None:
    token = begin(engine)
    for seconds, expected in ((1, False), (59, False), (60, True)):
        signed = who(engine, token, timedelta(seconds=seconds))
        assert signed is not None
        assert signed.to_prolong is expected


def test_an_ended_session_cannot_be_prolonged(engine: Engine) -> None:
    token = begin(engine)
    later = timedelta(minutes=31)
    with write(engine) as session:
        prolong(session, token, NOW + later)
    assert who(engine, token, later) is None


def test_signing_out_ends_one_session(engine: Engine) -> None:
    token = begin(engine)
    with write(engine) as session:
        other = open_session(session, "sara", NOW)
    with write(engine) as session:
        close_session(session, token)
    assert who(engine, token) is None
    assert who(engine, other) is not None


def test_ended_sessions_are_forgotten_at_the_next_sign_in(engine: Engine) -> None:
    begin(engine)
    with write(engine) as session:
        open_session(session, "sara", NOW + timedelta(hours=1))
    with read(engine) as session:
        assert len(session.exec(select(StaffSession)).all()) == 1
