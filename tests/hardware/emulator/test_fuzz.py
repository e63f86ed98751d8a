"""Whatever bytes arrive, the card answers a status word at once and stays a card."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware.emulator.card import COMMANDS, VirtualCard
from hardware.emulator.kinds import ChipKind
from hardware.emulator.other_chips import OtherChip
from hardware.emulator.state import CardState
from tests.hardware.emulator.conftest import UID
from tests.hardware.emulator.ev1_terminal import Cbc, Ev1Terminal
from tests.hardware.emulator.terminal import AID, K0, K1, ZERO_KEY, Terminal

_INSTRUCTIONS = st.sampled_from([*sorted(COMMANDS), 0xAF, 0x00, 0xFF])
_FILES = st.sampled_from([b"\x01", b"\x02", b"\x03", b"\x0f", b"", b"\x00"])
_DATA = st.builds(
    bytes.__add__, _FILES, st.one_of(st.binary(max_size=40), st.just(bytes(6)), st.just(bytes(16)))
)
_WRAPPED = st.builds(
    lambda ins, data: bytes((0x90, ins, 0, 0)) + (bytes((len(data),)) + data if data else b"") + b"\x00",
    _INSTRUCTIONS,
    _DATA,
)
_NATIVE = st.builds(lambda ins, data: bytes((ins,)) + data, _INSTRUCTIONS, _DATA)
APDUS = st.lists(st.one_of(_WRAPPED, _NATIVE, st.binary(max_size=80)), min_size=1, max_size=12)
BOUNDED = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def personalised() -> CardState:
    card = VirtualCard.factory(UID)
    Terminal(card.transmit).prepare()
    return card.state


STATE = personalised()


def opened(way: str) -> VirtualCard:
    """A card in each of the states of mind that a command may find it in."""
    if way == "delivered":
        card = VirtualCard.factory(UID, des_master=True)
        Ev1Terminal(card.transmit).authenticate(0, ZERO_KEY, des=True)
        return card
    if way == "d40":
        card = VirtualCard.factory(UID, des_master=True)
        cipher = Cbc(ZERO_KEY, des=True)
        rnd_b = cipher.receive(card.transmit(b"\x0a\x00")[1:], bytes(8))
        token = cipher.send(bytes(8) + rnd_b[1:] + rnd_b[:1], bytes(8), decrypt=True)
        assert card.transmit(b"\xaf" + token)[0] == 0
        return card
    card = VirtualCard(STATE)
    if way == "ev2":
        Terminal(card.transmit).open(0, K0)
    elif way == "ev1":
        t = Ev1Terminal(card.transmit)
        t.select(AID)
        t.authenticate(1, K1)
    return card


@BOUNDED
@given(way=st.sampled_from(["closed", "ev2", "ev1", "delivered", "d40"]), apdus=APDUS)
def test_a_card_answers_any_bytes_with_a_status(way: str, apdus: list[bytes]) -> None:
    card = opened(way)
    for apdu in apdus:
        answer = card.transmit(apdu)
        assert answer, apdu.hex()
        if apdu[:1] == b"\x90":
            assert answer[-2:-1] in (b"\x91", b"\x6a", b"\x67", b"\x6e"), answer.hex()
    # It is still the same card, and nobody was let at the money who did not hold k1.
    card.power(True)
    if way == "ev2":
        t = Terminal(card.transmit)
        t.open()
        assert t.tap(1, b"S" * 32)[0] == 2


@BOUNDED
@given(kind=st.sampled_from([kind for kind in ChipKind if not kind.is_desfire]), apdus=APDUS)
def test_so_does_any_other_chip(kind: ChipKind, apdus: list[bytes]) -> None:
    chip = OtherChip(CardState(UID[: kind.uid_bytes], kind=kind))
    assert all(chip.transmit(apdu) for apdu in apdus)


@BOUNDED
@given(data=st.data())
def test_an_authenticated_client_may_say_what_it_likes(data: st.DataObject) -> None:
    """With right MACs the commands get further in; k1 can spend and write, never credit or re-permit."""
    t = Terminal(VirtualCard(STATE).transmit)
    t.open(1, K1)
    for _ in range(6):
        ins = data.draw(st.sampled_from([ins for ins in sorted(COMMANDS) if ins not in (0x60, 0x5A)]))
        body = data.draw(_DATA)
        sent = body + t._mac(ins, body)
        _, status = t.exchange(ins, sent)
        assert (ins, status) not in {(0x0C, 0), (0x1C, 0), (0x5F, 0), (0xC4, 0), (0xDF, 0), (0x54, 0)}
        if status not in (0, 0xAF) or ins in (0x71, 0xAA):
            return
        t.ctr += 1
