"""A one-time code works once, for five minutes and five tries, and no number gets more than its share."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from fare.core.identifiers import InvalidMobile
from fare.core.money import persian_digits
from fare.database.engine import read, write
from fare.riders import (
    LIMITS,
    CodeRefusal,
    CodeSent,
    code_not_sent,
    code_wait,
    create_rider,
    redeem_code,
    request_code,
)

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
MOBILE = "09141234567"
SECOND = timedelta(seconds=1)


def sent(session: Session, now: datetime = AT, mobile: str = MOBILE) -> CodeSent:
    made = request_code(session, mobile, now)
    assert isinstance(made, CodeSent), made
    return made


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**LIMITS.digits:06}"


def test_a_code_works_once_in_any_digits(engine: Engine) -> None:
    with write(engine) as session:
        made = sent(session, mobile="+98 914 123 4567")
        assert (made.mobile, len(made.code), len(made.challenge)) == (MOBILE, 6, 16)
        assert made.code not in repr(made)
        assert (made.expires_at, made.again_after) == (AT + LIMITS.valid_for, LIMITS.again_after)
        stored = session.connection().exec_driver_sql("SELECT * FROM identity_one_time_code").one()
        assert made.code not in str(stored)
        assert redeem_code(session, "0912 000 0000", made.code, AT) is CodeRefusal.NO_CODE
        assert redeem_code(session, "989141234567", f" {persian_digits(made.code)} ", AT) == made.challenge
        assert redeem_code(session, MOBILE, made.code, AT) is CodeRefusal.NO_CODE


def test_five_tries_and_five_minutes(engine: Engine) -> None:
    with write(engine) as session:
        made = sent(session)
    refused: list[object] = []
    for guess in (wrong(made.code), "", "\ud800", made.code + "0", "١٢ ٣"):
        with write(engine) as session:
            refused.append(redeem_code(session, MOBILE, guess, AT))
    assert refused == [CodeRefusal.WRONG_CODE] * 4 + [CodeRefusal.NO_TRIES_LEFT], "the fifth voids it"
    with write(engine) as session:
        assert redeem_code(session, MOBILE, made.code, AT) is CodeRefusal.NO_TRIES_LEFT
        again = sent(session, AT + LIMITS.again_after)
        in_time = AT + LIMITS.again_after + LIMITS.valid_for
        assert redeem_code(session, MOBILE, again.code, in_time) is CodeRefusal.EXPIRED
        assert redeem_code(session, MOBILE, again.code, in_time - SECOND) == again.challenge


def test_a_newer_code_takes_the_place_of_the_older(engine: Engine) -> None:
    with write(engine) as session:
        first = sent(session)
        assert request_code(session, MOBILE, AT + LIMITS.again_after - SECOND) is CodeRefusal.TOO_SOON
        assert code_wait(session, MOBILE, AT + 20 * SECOND) == 40 * SECOND
        second = sent(session, AT + LIMITS.again_after)
        assert second.challenge != first.challenge
        if first.code != second.code:
            refused = redeem_code(session, MOBILE, first.code, AT + LIMITS.again_after)
            assert refused is CodeRefusal.WRONG_CODE
        assert redeem_code(session, MOBILE, second.code, AT + LIMITS.again_after) == second.challenge


def test_a_number_gets_five_an_hour_and_ten_a_day(engine: Engine) -> None:
    minute = timedelta(minutes=1)
    with write(engine) as session:
        for number in range(LIMITS.per_hour):
            last = sent(session, AT + number * minute)
        # Using a code up frees nothing.
        assert redeem_code(session, MOBILE, last.code, AT + 5 * minute) == last.challenge  # pyright: ignore[reportPossiblyUnboundVariable]
        assert request_code(session, MOBILE, AT + 5 * minute) is CodeRefusal.TOO_MANY
        assert code_wait(session, MOBILE, AT + 5 * minute) == 55 * minute
        for number in range(LIMITS.per_day - LIMITS.per_hour):
            sent(session, AT + (60 + number) * minute)
        for hours in (2, 3, 23):
            assert request_code(session, MOBILE, AT + hours * 60 * minute) is CodeRefusal.TOO_MANY
        sent(session, AT, mobile="09120000000")
        sent(session, AT + timedelta(days=1))
        assert code_wait(session, "09129999999", AT) == timedelta(0)


def test_a_code_that_could_not_be_sent_is_void_and_not_counted(engine: Engine) -> None:
    with write(engine) as session:
        for _ in range(2 * LIMITS.per_day):
            made = sent(session)
            code_not_sent(session, made)
        assert redeem_code(session, MOBILE, made.code, AT) is CodeRefusal.NO_CODE  # pyright: ignore[reportPossiblyUnboundVariable]
        older = sent(session)
        newer = sent(session, AT + LIMITS.again_after)
        code_not_sent(session, older)
        assert redeem_code(session, MOBILE, newer.code, AT + LIMITS.again_after) == newer.challenge


def test_nothing_tells_who_is_enrolled(engine: Engine) -> None:
    """The same answers, in the same order, for a rider's number and for one that nobody has."""
    told: list[list[object]] = []
    for mobile in (MOBILE, "09120000000"):
        with write(engine) as session:
            if mobile == MOBILE:
                create_rider(session, AT, MOBILE)
            answers: list[object] = [redeem_code(session, mobile, "123456", AT)]
            made = sent(session, mobile=mobile)
            answers += [len(made.code), made.expires_at, request_code(session, mobile, AT)]
            answers += [redeem_code(session, mobile, wrong(made.code), AT), code_wait(session, mobile, AT)]
            answers.append(redeem_code(session, mobile, made.code, AT) == made.challenge)
            told.append(answers)
    assert told[0] == told[1]


def test_numbers_are_forgotten_after_a_day(engine: Engine) -> None:
    with write(engine) as session:
        sent(session)
        sent(session, AT + timedelta(hours=23), mobile="09120000000")
        sent(session, AT + timedelta(hours=25), mobile="09130000000")
        rows = session.connection().exec_driver_sql("SELECT mobile FROM identity_one_time_code").all()
        assert sorted(row[0] for row in rows) == ["09120000000", "09130000000"]
        with pytest.raises(InvalidMobile):
            request_code(session, "12345", AT)


def test_requests_and_guesses_at_once_are_counted_one_by_one(engine: Engine) -> None:
    gate = threading.Barrier(6)
    answers: list[object] = []

    def ask() -> None:
        gate.wait()
        with write(engine) as session:
            answers.append(request_code(session, MOBILE, AT))

    def guess() -> None:
        gate.wait()
        for _ in range(2):
            with write(engine) as session:
                answers.append(redeem_code(session, MOBILE, wrong(made.code), AT))

    def at_once(work: object) -> list[object]:
        answers.clear()
        threads = [threading.Thread(target=work) for _ in range(6)]  # pyright: ignore[reportArgumentType]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return list(answers)

    asked = at_once(ask)
    made = next(answer for answer in asked if isinstance(answer, CodeSent))
    assert sum(answer is CodeRefusal.TOO_SOON for answer in asked) == 5
    guessed = at_once(guess)
    assert sorted(str(answer) for answer in guessed) == ["no_tries_left"] * 8 + ["wrong_code"] * 4
    with read(engine) as session:
        assert code_wait(session, MOBILE, AT) == LIMITS.again_after
