"""The pattern is nothing but haste: whatever it reads, the strict reader reads as the same ticket."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fare.core.proof import mc1
from fare.core.proof.mc1 import PhoneTicket
from fare.core.proof.mc1_pattern import matched_uint
from fare.core.proof.refusal import MalformedTicket
from fare.core.strict_cbor import write_uint
from tests.core.proof.mc1_oracle import GOLDEN, NOW_S, Ticket

TOKEN = bytes.fromhex(GOLDEN["token_hex"])


def by_the_reader(token: bytes) -> PhoneTicket | None:
    try:
        return mc1.read_token(token)
    except MalformedTicket:
        return None


def agree(token: bytes) -> bool:
    """Whether the pattern read it too; fails where it read anything else than the reader."""
    matched = mc1.matched(token)
    assert matched is None or matched == by_the_reader(token), token.hex()
    return matched is not None


def test_it_reads_every_ticket_that_is_issued_today() -> None:
    for ticket in (
        Ticket(),
        Ticket(challenge=b"inspect!", pax=9),
        Ticket(product=0, max_taps=1, max_fare=0, ctr=1),
        Ticket(product=23, max_taps=23, max_fare=23, ctr=23),
        Ticket(product=24, max_taps=24, max_fare=24, ctr=24),
        Ticket(product=255, max_taps=255, max_fare=255, ctr=255),
        Ticket(product=256, max_fare=256),
        Ticket(product=65535, max_fare=65535),
        Ticket(max_fare=65536),
        Ticket(max_fare=2**32 - 1),
        Ticket(kid=b"\xff", cti=b"\n" * 8, x=b"\n" * 32, y=True, challenge=b"\n" * 8),
        Ticket(iat=2**32 - 2, exp=2**32 - 1, ts=2**32 - 1),
    ):
        assert agree(ticket.token())


def test_every_single_bit_and_byte_of_a_token() -> None:
    for token in (TOKEN, Ticket(challenge=bytes(8), max_fare=2**32 - 1, product=300).token()):
        for bit in range(len(token) * 8):
            flipped = bytearray(token)
            flipped[bit // 8] ^= 1 << (bit % 8)
            agree(bytes(flipped))
        for at in range(len(token)):
            agree(token[:at] + token[at + 1 :])
            agree(token[:at] + b"\x00" + token[at:])
            agree(token[:at])


@pytest.mark.parametrize(
    "changed",
    [
        {"ctr": 0}, {"ctr": 256}, {"pax": 0}, {"pax": 10}, {"ts": 65535}, {"exp": 1790000000},
        {"iat": 5, "exp": 9},
        {"max_taps": 0}, {"max_taps": 256}, {"product": 65536}, {"exp": 1790000000 + 72 * 3600 + 1},
        {"proof_tail": [NOW_S, 7]}, {"proof_tail": [NOW_S, 7, 1, bytes(8), 0]}, {"challenge": bytes(7)},
    ],
    ids=str,
)  # fmt: skip
def test_values_that_the_pattern_does_not_read_are_left_to_the_reader(changed: dict[str, int]) -> None:
    assert not agree(Ticket(**changed).token())  # type: ignore[arg-type]


def test_longer_integers_and_wrong_array_heads_are_left_to_the_reader() -> None:
    token = Ticket(product=3).token()
    for short, long in (
        (b"\x83\x03\x18", b"\x83\x18\x03\x18"),
        (b"\x83\x03\x18", b"\x83\x19\x00\x03\x18"),
        (b"\x83\x03\x18", b"\x83\x19\x00\xff\x18"),
        (b"\x19\x01\x90", b"\x1a\x00\x00\x01\x90"),
        (b"\x58\xa5\x84\x84", b"\x58\xa5\x85\x84"),
        (b"\x58\xa5\x84\x84", b"\x58\xa4\x84\x84"),
        (b"\xa0\x58\x50\xa5", b"\xa0\x58\x4f\xa5"),
    ):
        assert token.count(short) == 1
        assert not agree(token.replace(short, long))


edits = st.lists(st.tuples(st.integers(0, 260), st.binary(max_size=3), st.integers(0, 3)), max_size=4)


@given(edits, st.sampled_from([TOKEN, Ticket(challenge=bytes(8)).token()]))
def test_edited_tokens(edited: list[tuple[int, bytes, int]], token: bytes) -> None:
    for at, inserted, removed in edited:
        token = token[:at] + inserted + token[at + removed :]
    agree(token)


@given(st.integers(0, 2**32 - 1))
def test_matched_integers_have_their_values(value: int) -> None:
    assert matched_uint(write_uint(value)) == value


def test_without_the_pattern_nothing_changes_but_the_time() -> None:
    with patch.object(mc1, "matched", lambda _token: None):
        slow = mc1.decode_ticket(GOLDEN["text"])
    assert slow == mc1.decode_ticket(GOLDEN["text"])
