from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fare.core.proof.issued import CLOCK_SKEW_S
from fare.core.replay import ReplayMemory, claims

A, B = b"A" * 8, b"B" * 8
EXPIRES_AT_S = 1_790_000_000

tickets = st.tuples(st.sampled_from([A, B]), st.integers(1, 255), st.integers(1, 9))


def test_a_ride_is_paid_once() -> None:
    memory = ReplayMemory()
    assert memory.remember(A, 7, 1, EXPIRES_AT_S)
    assert not memory.remember(A, 7, 1, EXPIRES_AT_S)
    assert memory.remember(A, 8, 1, EXPIRES_AT_S)
    assert memory.remember(B, 7, 1, EXPIRES_AT_S)


@pytest.mark.parametrize(
    ("ctr", "pax", "free"), [(4, 1, True), (4, 2, False), (5, 3, False), (7, 1, False), (8, 1, True)]
)
def test_companions_claim_the_following_rides(ctr: int, pax: int, free: bool) -> None:
    memory = ReplayMemory()
    assert memory.remember(A, 5, 3, EXPIRES_AT_S)
    assert memory.paid(A, ctr, pax) is not free
    assert memory.remember(A, ctr, pax, EXPIRES_AT_S) is free


def test_a_refused_claim_changes_nothing() -> None:
    memory = ReplayMemory()
    memory.remember(A, 5, 1, EXPIRES_AT_S)
    assert not memory.remember(A, 4, 3, EXPIRES_AT_S)
    assert not memory.paid(A, 4, 1)
    assert not memory.paid(A, 6, 1)


def test_asking_does_not_claim() -> None:
    memory = ReplayMemory()
    assert not memory.paid(A, 1, 1)
    assert not memory.knows(A)
    assert memory.remember(A, 1, 1, EXPIRES_AT_S)
    assert memory.knows(A)
    assert not memory.knows(B)


def test_an_entitlement_is_kept_while_a_ticket_of_its_last_second_is_fresh() -> None:
    memory = ReplayMemory()
    memory.remember(A, 1, 1, EXPIRES_AT_S)
    memory.remember(A, 2, 1, EXPIRES_AT_S)
    memory.remember(B, 1, 1, EXPIRES_AT_S + 1)
    # A frame of the last second is fresh at the slowest door two skews after it was at the fastest.
    assert memory.forget_expired(EXPIRES_AT_S + 3 * CLOCK_SKEW_S) == 0
    assert memory.forget_expired(EXPIRES_AT_S + 3 * CLOCK_SKEW_S + 1) == 1
    assert (memory.knows(A), memory.knows(B), len(memory)) == (False, True, 1)
    assert memory.remember(A, 1, 1, EXPIRES_AT_S)
    assert memory.forget_expired(EXPIRES_AT_S + 1000) == 2
    assert len(memory) == 0


def test_rebuilt_from_rows_with_repeats_and_conflicts() -> None:
    rows = [
        (A, 5, 1, EXPIRES_AT_S),
        (A, 5, 1, EXPIRES_AT_S),
        (A, 4, 3, EXPIRES_AT_S),
        (B, 1, 1, EXPIRES_AT_S),
    ]
    for memory in (ReplayMemory.from_rows(rows), ReplayMemory.from_rows(reversed(rows))):
        assert [memory.paid(A, ctr, 1) for ctr in (3, 4, 5, 6, 7)] == [False, True, True, True, False]
        assert memory.paid(B, 1, 1)
        assert memory.forget_expired(EXPIRES_AT_S + 1000) == 2


@given(st.lists(tickets, max_size=40))
def test_no_ride_is_ever_accepted_twice(sequence: list[tuple[bytes, int, int]]) -> None:
    memory = ReplayMemory()
    accepted = [
        claims(cti, ctr, pax) for cti, ctr, pax in sequence if memory.remember(cti, ctr, pax, EXPIRES_AT_S)
    ]
    rides = [(claim.cti, ride) for claim in accepted for ride in range(claim.first, claim.last + 1)]
    assert len(rides) == len(set(rides))
    for cti, ctr, pax in sequence:
        assert memory.paid(cti, ctr, pax)


@given(tickets, tickets)
def test_overlap_is_sharing_a_ride(one: tuple[bytes, int, int], other: tuple[bytes, int, int]) -> None:
    rides = [{(cti, ride) for ride in range(ctr, ctr + pax)} for cti, ctr, pax in (one, other)]
    assert claims(*one).overlaps(claims(*other)) is bool(rides[0] & rides[1])


@pytest.mark.parametrize(("ctr", "pax"), [(0, 1), (256, 1), (1, 0), (1, 10), (-1, 1)])
def test_no_ticket_can_carry_this(ctr: int, pax: int) -> None:
    with pytest.raises(ValueError, match="claim"):
        ReplayMemory().remember(A, ctr, pax, EXPIRES_AT_S)
