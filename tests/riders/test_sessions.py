"""A rider stays signed in while the page is used; a challenge counts once; one number is one rider."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from fare.database.engine import read, write
from fare.riders import (
    SESSION_LIFE,
    close_phone_sessions,
    close_rider_session,
    fresh_challenge,
    masked_mobile,
    open_rider_session,
    rider_of,
    rider_with_mobile,
    rider_with_wallet,
    take_challenge,
    wallet_of,
)

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
MOBILE = "09141234567"


def test_a_cookie_names_its_rider_until_it_is_not_used_for_long(engine: Engine) -> None:
    with write(engine) as session:
        rider_id, _ = rider_with_wallet(session, MOBILE, AT)
        token = open_rider_session(session, rider_id, "p-1", AT)
        rows = str(session.connection().exec_driver_sql("SELECT * FROM identity_rider_session").all())
        assert token not in rows
        who = rider_of(session, token, AT)
        assert who is not None
        assert (who.rider_id, who.phone_id, who.mobile, who.challenge) == (rider_id, "p-1", MOBILE, b"")
        used = AT + SESSION_LIFE - timedelta(seconds=1)
        challenge = fresh_challenge(session, token, used)
        assert rider_of(session, token, used + SESSION_LIFE - timedelta(seconds=1)) is not None
        assert rider_of(session, token, used + SESSION_LIFE) is None
        assert take_challenge(session, token, used + SESSION_LIFE) is None
        assert take_challenge(session, token, used) == challenge
        assert rider_of(session, "another", AT) is None
        with pytest.raises(KeyError):
            fresh_challenge(session, "another", AT)


def test_a_challenge_counts_once_also_at_once(engine: Engine) -> None:
    with write(engine) as session:
        rider_id, _ = rider_with_wallet(session, MOBILE, AT)
        token = open_rider_session(session, rider_id, None, AT)
        first = fresh_challenge(session, token, AT)
        second = fresh_challenge(session, token, AT)
        assert first != second
    gate = threading.Barrier(4)
    taken: list[bytes | None] = []

    def take() -> None:
        gate.wait()
        with write(engine) as session:
            taken.append(take_challenge(session, token, AT))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer for answer in taken if answer is not None] == [second]


def test_signing_out(engine: Engine) -> None:
    with write(engine) as session:
        rider_id, _ = rider_with_wallet(session, MOBILE, AT)
        here, there, other = (open_rider_session(session, rider_id, phone, AT) for phone in ("p", "p", "q"))
        close_rider_session(session, here)
        assert rider_of(session, here, AT) is None
        assert rider_of(session, there, AT) is not None
        close_phone_sessions(session, "p")
        assert rider_of(session, there, AT) is None
        assert rider_of(session, other, AT) is not None


def test_one_number_is_one_rider_with_one_wallet_also_at_once(engine: Engine) -> None:
    gate = threading.Barrier(6)
    found: list[tuple[str, str]] = []

    def enrol() -> None:
        gate.wait()
        with write(engine) as session:
            found.append(rider_with_wallet(session, "+98 914 123 45 67", AT))

    threads = [threading.Thread(target=enrol) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    ((rider_id, wallet_id),) = set(found)
    with read(engine) as session:
        assert rider_with_mobile(session, MOBILE) == rider_id
        assert wallet_of(session, rider_id) == wallet_id
        assert rider_with_mobile(session, "09120000000") is None
        assert wallet_of(session, "nobody") is None


def test_a_masked_number_shows_whose_it_is_to_its_owner_alone() -> None:
    assert masked_mobile(MOBILE) == "0914•••••67"
