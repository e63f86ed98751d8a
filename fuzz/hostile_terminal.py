"""Target `emulator`: a hostile terminal commands the virtual card. Never judges the driver.

The input is a list of moves: bytes of any kind, wrapped and native commands, power cycles, and, as far as the
terminal was given keys, authentications and commands under right session keys, whole, mutated or in frames.
Whatever it does, the card answers (it never raises), its memory survives its image, and

- without a key nothing on a card of this system changes;
- with k1 and k2 nothing but the contents of its four files changes, only k1 debits, each Commit counts one,
  and the value falls by exactly what was debited since the last one, never otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from fare.core.desfire import layout
from fare.core.desfire.authentication import SecretKey, authenticate_ev2_first, authenticate_ev2_non_first
from fare.core.desfire.errors import CardFault, SessionOver
from fare.core.desfire.frames import Conversation, run
from fare.core.desfire.messaging import Ev2Session
from fare.core.desfire.opcodes import CommMode
from fuzz import world
from fuzz.choices import Choices, Draws
from fuzz.ev1_terminal import Ev1Terminal
from fuzz.hostile_card import BrokenRule
from hardware.emulator.card import COMMANDS, VirtualCard
from hardware.emulator.files import TransactionMacFile
from hardware.emulator.memory import Fields, card_document, read_card
from hardware.emulator.state import DELIVERED_KEY, CardState

MOST_MOVES: Final = 80
MOST_REPLY_BYTES: Final = 258
"""256 bytes of data and the status word: what a short APDU can carry back."""

COMMIT, DEBIT = 0xC7, 0xDC
INSTRUCTIONS: Final = (*sorted(COMMANDS), 0xAF, 0x00, 0x90, 0xFF)
APPLICATION_KEYS: Final = (world.KEYS.k0, world.KEYS.k1, world.KEYS.k2)
ZERO_KEY: Final = bytes(16)


@dataclass(frozen=True, slots=True)
class Seat:
    """What the terminal begins with: a card, and the keys it may use there by (AID, number)."""

    name: str
    card: Callable[[], CardState]
    keys: dict[tuple[bytes, int], bytes]
    contents_only: bool
    """Do its keys open nothing but the contents of the four files?"""


_OF_THE_BUS: Final = {(layout.AID, 1): world.KEYS.k1, (layout.AID, 2): world.KEYS.k2}
_ALL: Final = {(layout.AID, number): key for number, key in enumerate(APPLICATION_KEYS)}
_FACTORY: Final = {(layout.PICC_AID, 0): ZERO_KEY} | {(layout.AID, n): ZERO_KEY for n in range(3)}

SEATS: Final = (
    Seat("keys of the bus", world.issued, _OF_THE_BUS, contents_only=True),
    Seat("no key", world.issued, {}, contents_only=True),
    Seat("every key", world.issued, _ALL | {(layout.PICC_AID, 0): world.KEYS.picc}, contents_only=False),
    Seat("a blank card", lambda: CardState(world.UID), _FACTORY, contents_only=False),
    Seat("a card as delivered", lambda: CardState(world.UID, DELIVERED_KEY), _FACTORY, contents_only=False),
)


class HostileTerminal:
    """One card on one reader, and everything the terminal knows about its own session."""

    def __init__(self, seat: Seat, card: VirtualCard, choices: Choices) -> None:
        self.seat = seat
        self.card = card
        self.choices = choices
        self.draws = Draws("terminal")
        self.selected = layout.PICC_AID
        self.session: Ev2Session | None = None
        self.older: Ev1Terminal | None = None
        self.key_no: int | None = None
        """The key that was authenticated last."""
        self.debited_rial = 0
        """Accepted by the card since the last commit."""

    def forget(self) -> None:
        """Whatever session there was is over, and what was pending is gone."""
        self.session = self.older = self.key_no = None
        self.debited_rial = 0

    def send(self, apdu: bytes, *, commits: bool = False) -> bytes:
        """Exchange one APDU and judge what it did to the card's memory."""
        before = self.card.state
        reply = self.card.transmit(apdu)
        if not 1 <= len(reply) <= MOST_REPLY_BYTES:
            raise BrokenRule(f"a reply of {len(reply)} bytes to {apdu.hex()}")
        if self.seat.contents_only and self.card.state != before:
            if not commits:
                raise BrokenRule(f"the card changed at {apdu.hex()}, which is no authenticated Commit")
            _check_commit(before, self.card.state, self.debited_rial)
        if apdu[:1] != b"\xff" and not _accepted(apdu, reply):
            self.forget()
        return reply

    def heard(self, reply: bytes) -> None:
        """Whatever session is still open counts one answer."""
        if self.older is not None:
            self.older.heard(reply[:-2])
        if self.session is not None and reply[-2:] == b"\x91\x00":
            self.session.cmd_ctr += 1

    def wrapped(self, ins: int, data: bytes = b"", *, commits: bool = False) -> bytes:
        """`90 INS 00 00 [Lc data] 00`, as far as one frame carries it."""
        data = data[:255]
        length = bytes([len(data)]) if data else b""
        return self.send(bytes([0x90, ins, 0, 0]) + length + data + b"\x00", commits=commits)


def _accepted(apdu: bytes, reply: bytes) -> bool:
    if apdu[:1] == b"\x90":
        return reply[-2:] in (b"\x91\x00", b"\x91\xaf")
    return reply[0] in (0x00, 0xAF) and len(apdu) > 0


def _check_commit(before: CardState, after: CardState, debited_rial: int) -> None:
    fell = world.value_file(before).value - world.value_file(after).value
    if fell != debited_rial:
        raise BrokenRule(f"{debited_rial} rial were debited and the value fell by {fell}")
    if _counter(after) != _counter(before) + 1:
        raise BrokenRule(f"the transaction counter went from {_counter(before)} to {_counter(after)}")
    if _frame(before) != _frame(after):
        raise BrokenRule("a Commit changed keys, rights, sizes or limits")


def _counter(state: CardState) -> int:
    file = state.applications[layout.AID].files[layout.PROOF_FILE]
    if not isinstance(file, TransactionMacFile):
        raise TypeError("file 0F is no Transaction MAC file any more")
    return file.tmc


def _frame(state: CardState) -> object:
    """A card of this system without the contents of its files."""
    application = state.applications[layout.AID]
    files = {number: (type(file), file.comm, file.access) for number, file in application.files.items()}
    value = world.value_file(state)
    limits = (value.lower, value.upper, value.options)
    return (
        replace(application, files={}),
        files,
        limits,
        replace(state, applications={}),
        len(state.applications),
    )


# --- moves -------------------------------------------------------------------------------------------------


def _select(terminal: HostileTerminal) -> None:
    aid = terminal.choices.pick((layout.AID, layout.PICC_AID, terminal.choices.exactly(3)))
    terminal.forget()
    reply = terminal.wrapped(0x5A, aid)
    terminal.selected = aid if reply == b"\x91\x00" else layout.PICC_AID


def _select_ours(terminal: HostileTerminal) -> None:
    terminal.forget()
    terminal.wrapped(0x5A, layout.AID)
    terminal.selected = layout.AID


def _authenticate(terminal: HostileTerminal) -> None:
    """EV2First with a key of ours, or one it does not have."""
    number = terminal.choices.pick((1, 2, 0, terminal.choices.number(16)))
    key = terminal.seat.keys.get((terminal.selected, number), b"\xee" * 16)
    terminal.forget()
    _open(terminal, number, authenticate_ev2_first(number, SecretKey(key), terminal.draws()))


def _authenticate_next(terminal: HostileTerminal) -> None:
    """EV2NonFirst: the transaction stays open, so what was debited stays pending."""
    number = terminal.choices.pick((2, 1, 0))
    key = terminal.seat.keys.get((terminal.selected, number), b"\xee" * 16)
    if terminal.session is not None:
        running = terminal.session
        again = authenticate_ev2_non_first(running, number, SecretKey(key), terminal.draws())
        _open(terminal, number, again)


def _open(terminal: HostileTerminal, key_no: int, conversation: Conversation[Ev2Session]) -> None:
    try:
        terminal.session = run(conversation, terminal.send)
        terminal.key_no = key_no
    except CardFault:
        terminal.forget()


def _authenticate_ev1(terminal: HostileTerminal) -> None:
    """AuthenticateAES: the older session on the same card, with the same rights."""
    number = terminal.choices.pick((1, 2, 0))
    key = terminal.seat.keys.get((terminal.selected, number), b"\xee" * 16)
    terminal.forget()
    terminal.older = Ev1Terminal.authenticated(number, key, terminal.draws(), terminal.wrapped)
    terminal.key_no = None if terminal.older is None else number


def _secure(terminal: HostileTerminal, ins: int, header: bytes, data: bytes, mode: CommMode) -> bytes | None:
    """One command under the right session key; its status byte's frame, None without a session."""
    if terminal.older is not None:
        reply = terminal.wrapped(ins, terminal.older.wrap(ins, header, data, mode), commits=ins == COMMIT)
        terminal.heard(reply)
        return reply
    if terminal.session is None:
        return None
    try:
        payload = terminal.session.wrap(ins, header, data, mode)
    except SessionOver:
        terminal.forget()
        return None
    reply = _in_frames(terminal, ins, payload) if terminal.choices.number(8) == 7 else None
    if reply is None:
        reply = terminal.wrapped(ins, payload, commits=ins == COMMIT)
    terminal.heard(reply)
    return reply


def _in_frames(terminal: HostileTerminal, ins: int, payload: bytes) -> bytes | None:
    """The same command, cut in pieces."""
    size = 1 + terminal.choices.number(64)
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    reply: bytes | None = None
    for number, piece in enumerate(pieces):
        reply = terminal.wrapped(ins if number == 0 else 0xAF, piece, commits=ins == COMMIT)
        if reply[-2:] != b"\x91\xaf":
            return reply
    return reply


def _u24(number: int) -> bytes:
    return number.to_bytes(3, "little")


def _read(terminal: HostileTerminal) -> None:
    file_no = terminal.choices.pick((1, 3, 15, 2, 0))
    ins = terminal.choices.pick((0xAD, 0xAB, 0xBD, 0xBB))
    header = bytes([file_no]) + _u24(terminal.choices.number(130)) + _u24(terminal.choices.number(130))
    reply = _secure(terminal, ins, header, b"", CommMode.MAC)
    while reply is not None and reply[-2:] == b"\x91\xaf":
        reply = terminal.wrapped(0xAF)


def _get_value(terminal: HostileTerminal) -> None:
    _secure(terminal, 0x6C, bytes([terminal.choices.pick((2, 1))]), b"", CommMode.MAC)


def _debit(terminal: HostileTerminal) -> None:
    amount = terminal.choices.pick((world.FARE_RIAL, 0, 1, 2**31 - 1, terminal.choices.number(65536)))
    reply = _secure(terminal, DEBIT, b"\x02", amount.to_bytes(4, "little"), CommMode.MAC)
    if reply is None or reply[-2:] != b"\x91\x00":
        return
    if terminal.seat.contents_only and terminal.key_no != layout.VALIDATOR_KEY:
        raise BrokenRule(f"the card accepted a debit under key {terminal.key_no}")
    terminal.debited_rial += amount


def _credit(terminal: HostileTerminal) -> None:
    """Never allowed; `send` sees it if the value rises."""
    ins = terminal.choices.pick((0x0C, 0x1C))
    amount = 1 + terminal.choices.number(65535)
    reply = _secure(terminal, ins, b"\x02", amount.to_bytes(4, "little"), CommMode.MAC)
    if reply is not None and reply[-2:] == b"\x91\x00" and terminal.seat.contents_only:
        raise BrokenRule(f"the card accepted {ins:02X} of {amount} rial")


def _write(terminal: HostileTerminal) -> None:
    ins, file_no = terminal.choices.pick(((0x8D, 1), (0x8B, 3), (0x3D, 1), (0x3B, 3), (0x8D, 15)))
    data = terminal.choices.some(140)
    offset = terminal.choices.pick((0, terminal.choices.number(130)))
    header = bytes([file_no]) + _u24(offset) + _u24(len(data))
    _secure(terminal, ins, header, data, CommMode.MAC)


def _commit(terminal: HostileTerminal) -> None:
    option = terminal.choices.pick((b"\x01", b"\x00", b""))
    reply = _secure(terminal, COMMIT, option, b"", CommMode.MAC)
    if reply is not None and reply[-2:] == b"\x91\x00":
        terminal.debited_rial = 0


def _abort(terminal: HostileTerminal) -> None:
    reply = _secure(terminal, 0xA7, b"", b"", CommMode.MAC)
    if reply is not None:
        terminal.debited_rial = 0


def _any_secure(terminal: HostileTerminal) -> None:
    """Any other instruction with any bytes, under a right MAC or cipher."""
    ins = terminal.choices.pick(INSTRUCTIONS)
    if ins in (COMMIT, DEBIT, 0x71, 0x77, 0xAA, 0x1A, 0x0A, 0x5A, 0xAF):
        return  # moves of their own, whose effect is accounted for
    mode = terminal.choices.pick((CommMode.MAC, CommMode.FULL, CommMode.PLAIN))
    header = terminal.choices.some(12)
    _secure(terminal, ins, header, terminal.choices.some(48), mode)
    if ins == 0xA7:
        terminal.forget()


def _in_plain(terminal: HostileTerminal) -> None:
    """A known instruction without secure messaging."""
    ins = terminal.choices.pick(INSTRUCTIONS)
    _lose_track(terminal, ins)
    terminal.wrapped(ins, terminal.choices.some(48))


def _native(terminal: HostileTerminal) -> None:
    ins = terminal.choices.pick(INSTRUCTIONS)
    _lose_track(terminal, ins)
    terminal.send(bytes([ins]) + terminal.choices.some(64))


def _lose_track(terminal: HostileTerminal, ins: int) -> None:
    """Nobody knows the session after a selection or half an authentication."""
    if ins in (0x5A, 0x71, 0x77, 0xAA, 0x1A, 0x0A, 0x90):
        terminal.forget()


def _any_bytes(terminal: HostileTerminal) -> None:
    terminal.forget()
    terminal.send(terminal.choices.some(255))


def _broken_wrapper(terminal: HostileTerminal) -> None:
    terminal.send(b"\x90" + terminal.choices.some(16))
    terminal.forget()


def _to_the_reader(terminal: HostileTerminal) -> None:
    terminal.send(b"\xff" + terminal.choices.pick((b"\xca\x00\x00\x00", terminal.choices.some(8))))


def _power(terminal: HostileTerminal) -> None:
    terminal.forget()
    terminal.selected = layout.PICC_AID
    terminal.card.power(False)
    if terminal.card.transmit(b"\x90\x60\x00\x00\x00"):
        raise BrokenRule("the card answers without power")
    terminal.card.power(True)


def _mutated_commit(terminal: HostileTerminal) -> None:
    """The right Commit with one bit off: the card must not commit."""
    if terminal.session is None:
        return
    payload = terminal.session.wrap(COMMIT, b"\x01", b"", CommMode.MAC)
    terminal.wrapped(COMMIT, terminal.choices.flipped(payload))
    terminal.forget()


MOVES: Final = (
    _select_ours, _authenticate, _debit, _write, _commit, _read, _get_value, _debit, _write, _commit, _select,
    _authenticate_next, _authenticate_ev1, _credit, _abort, _any_secure, _any_secure, _in_plain, _native,
    _any_bytes, _broken_wrapper, _to_the_reader, _power, _mutated_commit,
)  # fmt: skip


def play(data: bytes) -> CardState:
    """One input, move by move; the card's memory at the end."""
    choices = Choices(data)
    seat = choices.pick(SEATS)
    card = VirtualCard(seat.card(), random_bytes=Draws("card"))
    terminal = HostileTerminal(seat, card, choices)
    for _ in range(MOST_MOVES):
        if choices.used_up:
            break
        choices.pick(MOVES)(terminal)
    if not seat.keys and card.state != seat.card():
        raise BrokenRule("the card changed for a terminal without any key")
    if read_card(Fields(card_document(card.state), "the card")) != card.state:
        raise BrokenRule("the card's memory does not survive its image")
    return card.state


def check(data: bytes) -> None:
    """Play one input; BrokenRule or anything the card raised is a finding."""
    play(data)


def seeds() -> list[bytes]:
    """A ride under k1 on every seat, a load, an EV1 ride, and each move after them."""
    select, authenticate, debit, write, commit = (bytes([move]) for move in range(5))
    whole = b"\x00"  # not cut into frames
    opened = select + authenticate + bytes(2)
    older = select + bytes([MOVES.index(_authenticate_ev1), 0])
    fare, record, real = debit + bytes(3), write + bytes([1, 32, *range(32), 0, 0]), commit + b"\x00"
    ride = opened + fare + whole + record + whole + real + whole
    older_ride = older + fare + record + real
    found = [bytes([seat]) + moves for seat in range(len(SEATS)) for moves in (ride, older_ride, ride + ride)]
    altered = bytes([MOVES.index(_mutated_commit), 3, 0])
    found.append(bytes([0]) + opened + fare + whole + record + whole + altered)
    for seat in range(len(SEATS)):
        found += [bytes([seat]) + opened + bytes([move, 1, 2, 3]) for move in range(len(MOVES))]
    return found
