"""Whatever a card answers, a conversation ends with a named fault or with its result, and soon."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from fare.core.desfire import errors
from fare.core.desfire.application import (
    Conversation,
    inspect_card,
    personalise,
    roll_keys,
    run,
    write_entitlement,
)
from hardware.emulator.card import VirtualCard
from tests.core.desfire.card_field import (
    ENTITLEMENT,
    FARE_RIAL,
    FIRST,
    KEYS,
    NEWER,
    RING,
    UID,
    issued,
    opened,
    put_back,
    ride,
    rnd_a,
)

MOST_APDUS = 200
CONVERSATIONS: list[Callable[[], Conversation[object]]] = [
    lambda: ride(FARE_RIAL, NEWER),
    lambda: inspect_card(RING, rnd_a),
    lambda: write_entitlement(RING, UID, NEWER, rnd_a),
    lambda: roll_keys(RING, UID, rnd_a),
    lambda: personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a),
]
STATUS = st.sampled_from([b"\x91\x00", b"\x91\xaf", b"\x90\x00", b"\x91\xae", b"\x91\x9d", b"\x6f\x00", b""])
ANSWER = st.binary(max_size=80).flatmap(lambda body: STATUS.map(lambda status: body + status))


def _speak(which: int, transmit: Callable[[bytes], bytes]) -> bool:
    """Whether the conversation came to its result; nothing but a CardFault may be raised."""
    said: list[bytes] = []

    def counted(apdu: bytes) -> bytes:
        said.append(apdu)
        assert len(said) <= MOST_APDUS
        return transmit(apdu)

    try:
        run(CONVERSATIONS[which](), counted)
    except errors.CardFault:
        return False
    return True


@settings(max_examples=150, deadline=None)
@given(which=st.integers(0, 4), at=st.integers(0, 36), answers=st.lists(ANSWER, min_size=1, max_size=3))
def test_a_genuine_card_that_turns_hostile_is_a_named_fault(
    which: int, at: int, answers: list[bytes]
) -> None:
    virtual = VirtualCard.factory(UID, des_master=True) if which == 4 else issued()[0]
    put_back(virtual)
    step = iter(range(MOST_APDUS + 1))
    replaced = dict(enumerate(answers, at))

    def hostile(apdu: bytes) -> bytes:
        number = next(step)
        return replaced[number] if number in replaced else virtual.transmit(apdu)

    _speak(which, hostile)
    if which < 3:
        assert opened(virtual).spent in (0, FARE_RIAL)


@settings(max_examples=150, deadline=None)
@given(which=st.integers(0, 4), answers=st.lists(ANSWER, max_size=12))
def test_a_card_that_answers_anything_is_never_taken_for_ours(which: int, answers: list[bytes]) -> None:
    waiting = iter([UID + b"\x90\x00", *answers])
    assert not _speak(which, lambda _: next(waiting, b"\x91\xaf"))
