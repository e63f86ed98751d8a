from __future__ import annotations

import pytest

from fare.core.desfire import crypto, errors
from fare.core.desfire.authentication import SecretKey, authenticate_ev2_first, authenticate_ev2_non_first
from fare.core.desfire.frames import run
from fare.core.desfire.messaging import Ev2Session

KEY = bytes(range(16))
RND_A = bytes(range(100, 116))
CHALLENGE = crypto.cbc_encrypt(KEY, bytes(range(50, 66))) + b"\x91\xaf"


def play(*answers: bytes) -> Ev2Session:
    waiting = iter(answers)
    return run(authenticate_ev2_first(1, SecretKey(KEY), RND_A), lambda _: next(waiting))


def test_a_card_that_returns_our_own_challenge_unrotated_is_a_fake() -> None:
    with pytest.raises(errors.CardNotGenuine):
        play(CHALLENGE, crypto.cbc_encrypt(KEY, bytes(4) + RND_A + bytes(12)) + b"\x91\x00")


def test_a_card_with_another_key_says_so() -> None:
    with pytest.raises(errors.AuthenticationFailed):
        play(CHALLENGE, b"\x91\xae")
    with pytest.raises(errors.NoSuchKey):
        play(b"\x91\x40")


@pytest.mark.parametrize(
    "answers",
    [
        (b"\x91\x00",),
        (bytes(8) + b"\x91\xaf",),
        (CHALLENGE, b"\x91\x00"),
        (CHALLENGE, bytes(16) + b"\x91\x00"),
    ],
)
def test_answers_of_another_shape_are_refused(answers: tuple[bytes, ...]) -> None:
    with pytest.raises(errors.MalformedAnswer):
        play(*answers)


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_challenge_of_ours_has_sixteen_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="16 random bytes"):
        run(
            authenticate_ev2_first(1, SecretKey(KEY), bytes(size)),
            lambda _: pytest.fail("nothing may be sent"),
        )


def test_the_second_authentication_keeps_ti_and_counter_and_needs_a_session() -> None:
    running = Ev2Session(b"\x01\x02\x03\x04", 5, bytes(16), bytes(16))
    answers = iter((CHALLENGE, crypto.cbc_encrypt(KEY, RND_A[1:] + RND_A[:1]) + b"\x91\x00"))
    changed = run(authenticate_ev2_non_first(running, 2, SecretKey(KEY), RND_A), lambda _: next(answers))
    assert (changed.ti, changed.cmd_ctr, changed.alive, running.alive) == (
        b"\x01\x02\x03\x04",
        5,
        True,
        False,
    )
    with pytest.raises(errors.SessionOver):
        run(
            authenticate_ev2_non_first(running, 2, SecretKey(KEY), RND_A),
            lambda _: pytest.fail("nothing may be sent"),
        )
