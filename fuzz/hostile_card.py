"""Target `card`: a hostile card answers the driver. Never judges what the emulator says by itself.

A virtual card lies behind a field that tears, cuts, repeats, replays, forges and floods, as the input says.
Whatever it does, a conversation ends within its frames, raises nothing but a CardFault (or lets the reader's
own fault through), leaves no session to go on with, and debits at most once. Unless the field knew the
session's key (a forged answer), what the driver was told is what the card holds. Put on an honest reader
afterwards, the card does what it should have done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fare.core.desfire import layout
from fare.core.desfire.crypto import MAC_SIZE
from fare.core.desfire.errors import AlreadyPersonalised, CardFault
from fare.core.desfire.frames import run
from fare.core.desfire.messaging import Ev2Session
from fuzz import world
from fuzz.choices import Choices, Draws
from fuzz.conversations import SCENARIOS, Scenario
from hardware.emulator.card import VirtualCard
from hardware.emulator.memory import Fields, card_document, read_card
from hardware.emulator.state import CardState

FRAMES_A_COMMAND: Final = 70
COMMANDS_A_CONVERSATION: Final = 80
LEAVE_A_SESSION: Final = frozenset((b"\x5a", b"\x71"))
MOST_APDUS: Final = FRAMES_A_COMMAND * COMMANDS_A_CONVERSATION


class ReaderGone(Exception):
    """The reader's own fault, as a reader port would raise it."""


class BrokenRule(AssertionError):
    """The driver or the card did what it must never do; the message says what."""


@dataclass
class HostileField:
    """What lies between driver and card; `tricks` are drawn one an APDU until the input is used up."""

    card: VirtualCard
    choices: Choices
    sessions: list[Ev2Session]
    recorded: tuple[bytes, ...]
    other_card: CardState
    answers: list[bytes] = field(default_factory=list[bytes])
    apdus: int = 0
    honest_for: int = 0
    flood: bytes = b""
    forged: bool = False
    sessions_left: int = 0
    """How many of the sessions were left for good by a new selection or authentication."""

    def transmit(self, apdu: bytes) -> bytes:
        """One APDU, with or without a trick."""
        self.apdus += 1
        if self.apdus > MOST_APDUS:
            raise BrokenRule(f"the conversation did not end after {MOST_APDUS} APDUs")
        if apdu[1:2] in LEAVE_A_SESSION:
            self.sessions_left = len(self.sessions)
        if self.flood:
            return self.flood
        if self.honest_for or self.choices.used_up:
            self.honest_for = max(0, self.honest_for - 1)
            answer = self.card.transmit(apdu)
        else:
            answer = self.choices.pick(TRICKS)(self, apdu)
        self.answers.append(answer)
        return answer


Trick = Callable[[HostileField, bytes], bytes]


def _honest(air: HostileField, apdu: bytes) -> bytes:
    air.honest_for = air.choices.number(48)
    return air.card.transmit(apdu)


def _torn_before(air: HostileField, apdu: bytes) -> bytes:
    air.card.power(False)
    return b""


def _torn_after(air: HostileField, apdu: bytes) -> bytes:
    air.card.transmit(apdu)
    air.card.power(False)
    return b""


def _lost(air: HostileField, apdu: bytes) -> bytes:
    air.card.transmit(apdu)
    return air.choices.pick((b"", b"\x00", b"\x91"))


def _shortened(air: HostileField, apdu: bytes) -> bytes:
    answer = air.card.transmit(apdu)
    return answer[: air.choices.number(len(answer) + 1)]


def _cut_inside(air: HostileField, apdu: bytes) -> bytes:
    """Shorter, yet with its status word."""
    answer = air.card.transmit(apdu)
    return answer[: air.choices.number(len(answer) + 1)] + answer[-2:]


def _longer(air: HostileField, apdu: bytes) -> bytes:
    answer = air.card.transmit(apdu)
    return answer[:-2] + air.choices.some(255) + answer[-2:]


def _flipped(air: HostileField, apdu: bytes) -> bytes:
    return air.choices.flipped(air.card.transmit(apdu))


def _other_status(air: HostileField, apdu: bytes) -> bytes:
    return air.card.transmit(apdu)[:-1] + air.choices.exactly(1)


def _other_status_word(air: HostileField, apdu: bytes) -> bytes:
    return air.card.transmit(apdu)[:-2] + air.choices.exactly(2)


def _random(air: HostileField, apdu: bytes) -> bytes:
    return air.choices.some(300)


def _random_wrapped(air: HostileField, apdu: bytes) -> bytes:
    return air.choices.some(64) + b"\x91" + air.choices.pick((b"\x00", b"\xaf", b"\xae"))


def _repeated(air: HostileField, apdu: bytes) -> bytes:
    """An earlier answer of this conversation instead of the due one."""
    answer = air.card.transmit(apdu)
    return air.choices.pick(air.answers) if air.answers else answer


def _withheld(air: HostileField, apdu: bytes) -> bytes:
    """An earlier answer, while the card never hears the command."""
    return air.choices.pick(air.answers) if air.answers else b"\x91\x00"


def _pretended(air: HostileField, apdu: bytes) -> bytes:
    """Says "done", while the card never hears the command."""
    return b"\x91\x00"


def _replayed(air: HostileField, apdu: bytes) -> bytes:
    """An answer recorded in another session with the same card."""
    air.card.transmit(apdu)
    return air.choices.pick(air.recorded)


def _replayed_in_step(air: HostileField, apdu: bytes) -> bytes:
    """The other session's answer to this very step."""
    air.card.transmit(apdu)
    return air.recorded[min(len(air.answers), len(air.recorded) - 1)]


def _flooded(air: HostileField, apdu: bytes) -> bytes:
    """More frames, for ever."""
    air.flood = air.choices.some(59) + b"\x91\xaf"
    return air.flood


def _stuck(air: HostileField, apdu: bytes) -> bytes:
    """The same answer, for ever."""
    air.flood = air.card.transmit(apdu) or b"\x91\xaf"
    return air.flood


def _reset_before(air: HostileField, apdu: bytes) -> bytes:
    air.card.power(True)
    return air.card.transmit(apdu)


def _executed_twice(air: HostileField, apdu: bytes) -> bytes:
    air.card.transmit(apdu)
    return air.card.transmit(apdu)


def _altered_command(air: HostileField, apdu: bytes) -> bytes:
    return air.card.transmit(air.choices.flipped(apdu))


def _other_command(air: HostileField, apdu: bytes) -> bytes:
    return air.card.transmit(b"\x90" + air.choices.exactly(1) + apdu[2:])


def _of_another_card(air: HostileField, apdu: bytes) -> bytes:
    other = VirtualCard(air.other_card, random_bytes=Draws("other"))
    return other.transmit(apdu)


def _reader_gone(air: HostileField, apdu: bytes) -> bytes:
    if air.choices.number(2):
        air.card.transmit(apdu)
    raise ReaderGone


def _forged(air: HostileField, apdu: bytes) -> bytes:
    """A card that knows the session's key and misuses it: any data under a right MAC."""
    answer = air.card.transmit(apdu)
    if not air.sessions:
        return answer
    body = air.choices.pick((answer[: -MAC_SIZE - 2], air.choices.flipped(answer[: -MAC_SIZE - 2]), b""))
    if air.choices.number(2):
        body += air.choices.some(140)
    session = air.sessions[-1]
    air.forged = True
    counter = (session.cmd_ctr + 1 & 0xFFFF).to_bytes(2, "little")
    return body + session._mac.mact(b"\x00" + counter + session.ti + body) + b"\x91\x00"


TRICKS: Final[tuple[Trick, ...]] = (
    _honest, _honest, _honest, _torn_before, _torn_after, _lost, _shortened, _cut_inside, _longer, _flipped,
    _flipped, _other_status, _other_status_word, _random, _random_wrapped, _repeated, _withheld, _pretended,
    _replayed, _replayed_in_step, _flooded, _stuck, _reset_before, _executed_twice, _altered_command,
    _other_command, _of_another_card, _reader_gone, _forged, _forged, _forged,
)  # fmt: skip


def check(data: bytes) -> None:
    """Play one input; BrokenRule, or whatever the driver should not have raised, is a finding."""
    choices = Choices(data)
    scenario = choices.pick(SCENARIOS)
    card = scenario.card_in_field("card")
    recorded, other = scenario.recorded(), world.issued(world.OTHER_UID)
    with world.watched_sessions() as sessions:
        air = HostileField(card, choices, sessions, recorded, other)
        try:
            told = run(scenario.speak(Draws("reader")), air.transmit)
        except (CardFault, ReaderGone) as fault:
            if _lives_on(air) and not isinstance(fault, AlreadyPersonalised):
                raise BrokenRule(f"{scenario.name}: the session lives on after {fault!r}") from fault
        else:
            if not air.forged and told != scenario.truth(card.state):
                raise BrokenRule(f"{scenario.name}: the driver was told {told}, which is not what happened")
    _check_card(scenario, card.state)
    if scenario.can_be_repeated:
        _check_repeated(scenario, card)


def _check_repeated(scenario: Scenario, card: VirtualCard) -> None:
    """A card that was torn or tampered with is put back on an honest reader: nothing may be lost for good."""
    card.power(True)
    told = run(scenario.speak(Draws("honest reader")), card.transmit)
    if told != scenario.truth(card.state):
        raise BrokenRule(f"{scenario.name}: put back, the driver was told {told}, which is not what happened")


def _lives_on(air: HostileField) -> bool:
    """Could the driver go on in the newest session?"""
    return len(air.sessions) > air.sessions_left and air.sessions[-1].alive


def _check_card(scenario: Scenario, state: CardState) -> None:
    if read_card(Fields(card_document(state), "a card")) != state:
        raise BrokenRule(f"{scenario.name}: the card's memory does not survive its image")
    before = scenario.card()
    if layout.AID not in before.applications or layout.AID not in state.applications:
        return
    debited = world.spent_rial(state) - world.spent_rial(before)
    if debited not in (0, scenario.debit_rial):
        raise BrokenRule(f"{scenario.name}: the card was debited {debited} rial")


def seeds() -> list[bytes]:
    """Every scenario played honestly, with each trick early and late, with a plain lie at every step."""
    found = [bytes([number]) for number in range(len(SCENARIOS))]
    pretended = TRICKS.index(_pretended)
    for number, scenario in enumerate(SCENARIOS):
        for trick in range(len(TRICKS)):
            found += [bytes([number, 0, honest, trick, 1, 2, 3]) for honest in (0, 4, 9)]
        found += [bytes([number, 0, step, pretended]) for step in range(len(scenario.recorded()))]
    return found
