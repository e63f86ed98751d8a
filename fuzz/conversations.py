"""The driver's conversations as a fuzzer starts them: which card, which keys, and what is true afterwards.

A scenario's conversation returns what the driver believes; `truth` says the same from the card's memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from fare.core.desfire import layout
from fare.core.desfire.application import (
    commit,
    inspect_card,
    open_card,
    personalise,
    roll_keys,
    run,
    stage,
    write_entitlement,
)
from fare.core.desfire.frames import MAX_FRAME_SIZE, Conversation
from fare.core.desfire.keys import CardKeys, CardKeyStore
from fare.core.desfire.personalisation import FACTORY_KEY
from fare.core.desfire.transaction_mac import Reading
from fuzz import world
from fuzz.choices import Draws
from hardware.emulator.card import VirtualCard
from hardware.emulator.files import CyclicFile, DataFile, TransactionMacFile
from hardware.emulator.kinds import version_frames
from hardware.emulator.state import DELIVERED_KEY, CardKey, CardState

Told = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`speak` gets the reader's challenges, `truth` the card's memory; a success debits `debit_rial`."""

    name: str
    card: Callable[[], CardState]
    speak: Callable[[Draws], Conversation[Told]]
    truth: Callable[[CardState], Told]
    debit_rial: int = 0
    answer_frame_bytes: int | None = None
    can_be_repeated: bool = True
    """Does the conversation succeed on any card an earlier one may have left behind?"""

    def card_in_field(self, challenges: str) -> VirtualCard:
        """The card, drawing its challenges from that label."""
        return VirtualCard(self.card(), random_bytes=Draws(challenges), frame_bytes=self.answer_frame_bytes)

    def recorded(self) -> tuple[bytes, ...]:
        """The answers of one honest run, in another session than any later one."""
        return _recorded(self.name)


@cache
def _recorded(name: str) -> tuple[bytes, ...]:
    scenario = next(one for one in SCENARIOS if one.name == name)
    card = scenario.card_in_field("earlier card")
    answers: list[bytes] = []

    def transmit(apdu: bytes) -> bytes:
        answers.append(card.transmit(apdu))
        return answers[-1]

    told = run(scenario.speak(Draws("earlier reader")), transmit)
    if told != scenario.truth(card.state):
        raise AssertionError(f"{name} goes wrong without any trick")
    return tuple(answers)


def _contents(state: CardState) -> Told:
    """UID, entitlement, newest record, proof, spent: what a tap reads."""
    files = state.applications[layout.AID].files
    data, records, proof = (
        files[n] for n in (layout.ENTITLEMENT_FILE, layout.RECORD_FILE, layout.PROOF_FILE)
    )
    if not (
        isinstance(data, DataFile)
        and isinstance(records, CyclicFile)
        and isinstance(proof, TransactionMacFile)
    ):
        raise TypeError("the files of the application changed their types")
    return (state.uid, data.data, records.read(0, 1)[1], proof.data, world.spent_rial(state))


def _keys(state: CardState) -> Told:
    """Every key and version on the card, as the issuer means them to be."""
    application = state.applications[layout.AID]
    proof = application.files[layout.PROOF_FILE]
    if not isinstance(proof, TransactionMacFile):
        raise TypeError("file 0F changed its type")
    held = (state.picc_key, *application.keys)
    return (*((key.value, key.version) for key in held), proof.key, state.default_key)


def _meant(keys: CardKeys, tm_key: bytes) -> Told:
    return (*((key, keys.version) for key in (keys.picc, keys.k0, keys.k1, keys.k2)), tm_key, CardKey())


def _as_issued(state: CardState) -> Told:
    return (*_contents(state), *_keys(state))


def _everything_read(state: CardState) -> Told:
    application = state.applications[layout.AID]
    records = application.files[layout.RECORD_FILE]
    if not isinstance(records, CyclicFile):
        raise TypeError("file 03 changed its type")
    chip = b"".join(version_frames(state.kind, state.uid))
    return (*_contents(state), records.records, tuple(key.version for key in application.keys), chip)


def _blank(master: CardKey) -> Callable[[], CardState]:
    return lambda: CardState(world.UID, master)


def _open(
    keys: CardKeyStore = world.VALIDATOR,
    reading: Reading = Reading(),  # noqa: B008 - frozen
) -> Callable[[Draws], Conversation[Told]]:
    def speak(draws: Draws) -> Conversation[Told]:
        card = yield from open_card(keys, draws, reading)
        return (card.uid, card.entitlement, card.newest_record, card.previous.encode(), card.spent)

    return speak


def _ride(
    debit_rial: int,
    delivered: bytes | None = None,
    keys: CardKeyStore = world.VALIDATOR,
    reading: Reading = Reading(),  # noqa: B008 - frozen
    frame_bytes: int = MAX_FRAME_SIZE,
) -> Callable[[Draws], Conversation[Told]]:
    def speak(draws: Draws) -> Conversation[Told]:
        card = yield from open_card(keys, draws, reading)
        card.session.frame_size = frame_bytes
        yield from stage(card, debit_rial, world.RECORD, delivered)
        proof = yield from commit(card)
        entitlement = delivered or card.entitlement
        return (card.uid, entitlement, world.RECORD, proof.encode(), card.spent + debit_rial)

    return speak


def _issue(factory_key: bytes = FACTORY_KEY) -> Callable[[Draws], Conversation[Told]]:
    def speak(draws: Draws) -> Conversation[Told]:
        proof = yield from personalise(
            world.KEYS, world.UID, world.ENTITLEMENT, world.FIRST_RECORD, draws, factory_key
        )
        written = (world.UID, world.ENTITLEMENT, world.FIRST_RECORD, proof.encode(), 0)
        return (*written, *_meant(world.KEYS, world.KEYS.tm))

    return speak


def _inspect(draws: Draws) -> Conversation[Told]:
    seen = yield from inspect_card(world.RING, draws)
    newest = seen.records[0] if seen.records else b""
    read = (seen.uid, seen.entitlement, newest, seen.proof.encode(), seen.spent)
    return (*read, seen.records, seen.key_versions, seen.version.raw)


def _load(draws: Draws) -> Conversation[Told]:
    proof = yield from write_entitlement(world.RING, world.UID, world.NEWER, draws)
    return (world.UID, world.NEWER, world.FIRST_RECORD, proof.encode(), 0)


def _roll(draws: Draws) -> Conversation[Told]:
    yield from roll_keys(world.RING, world.UID, draws)
    return _meant(CardKeys.for_card(world.NEXT_MASTERS, world.UID), world.KEYS.tm)


_ABORT: Final = Reading(abort_after_reads=True)
_FARE: Final = world.FARE_RIAL
_TRANSPORT: Final = bytes(range(100, 116))

SCENARIOS: Final = (
    Scenario("open", world.issued, _open(), _contents),
    Scenario("ride", world.issued, _ride(_FARE), _contents, _FARE),
    Scenario("ride on a pass", world.issued, _ride(0), _contents),
    Scenario("ride with a load", world.issued, _ride(_FARE, world.NEWER), _contents, _FARE),
    Scenario("ride in a roll", world.issued, _ride(_FARE, keys=world.ROLLING_VALIDATOR), _contents, _FARE),
    Scenario("ride after abort", world.issued, _ride(_FARE, reading=_ABORT), _contents, _FARE),
    Scenario("ride in frames", world.issued, _ride(_FARE, world.NEWER, frame_bytes=40), _contents, _FARE, 59),
    Scenario("inspect in frames", world.issued, _inspect, _everything_read, answer_frame_bytes=16),
    Scenario("issue", _blank(CardKey()), _issue(), _as_issued),
    Scenario("issue again", world.issued, _issue(), _as_issued),
    Scenario("issue as delivered", _blank(DELIVERED_KEY), _issue(), _as_issued),
    Scenario("issue by transport key", _blank(CardKey(_TRANSPORT)), _issue(_TRANSPORT), _as_issued),
    Scenario("inspect", world.issued, _inspect, _everything_read),
    Scenario("load", world.issued, _load, _contents),
    Scenario("roll", world.issued, _roll, _keys),
)
