"""Target `documents`: what a card holds, or a tap carries, is any bytes at all. No card, no session.

Decoders raise their named fault and nothing else; what they accept is written back as the very same bytes.
The decision about an authenticated card, whatever its entitlement (even under a right signature) and its
newest record say, is a value, and what it wants written fits the card. So it is with the state that a record
carries for the tariff, and with the tariff itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

from fare.core import card_record, entitlement
from fare.core.boarding import Boarding
from fare.core.bundle import Bundle, DeviceConfiguration
from fare.core.decision import CardView, Charge, Refused, decide_card
from fare.core.desfire import layout
from fare.core.entitlement import EntitlementFault
from fare.core.errors import MalformedDocument
from fare.core.proof.card import CardEvidence, CommitProof, tap_tmi
from fare.core.signed import canonical, decode_canonical
from fare.core.tap import BundleVersion, decode_tap
from fare.core.tariff.card_state import from_card, to_card
from fare.core.tariff.context import TapKind
from fare.core.tariff.document import from_document
from fare.core.tariff.model import (
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    FareProduct,
    PassPeriod,
    PassProduct,
    TapOff,
    Tariff,
    TransferWindow,
    flat_tariff,
)
from fuzz import world
from fuzz.choices import Choices
from fuzz.hostile_card import BrokenRule

GOLDEN: Final = Path(__file__).parent.parent / "tests" / "golden"
_TARIFF: Final = flat_tariff(1, "flat", {0: FareProduct("adult", "adult", world.FARE_RIAL)})


_DEVICES: Final = {7: DeviceConfiguration(1, "1", 0, "bus-7")}
_RICH: Final = replace(
    flat_tariff(2, "rich", {0: FareProduct("adult", "adult", world.FARE_RIAL)}),
    windows=(TransferWindow("hour", "an hour", 3_600, Boundary.INCLUSIVE),),
    caps=(Cap("month", "a month", CapPeriod.MONTH, (CapLevel(10 * world.FARE_RIAL),)),),
    passes=(PassProduct("ten", "ten rides", 6, PassPeriod.UNLIMITED, rides=10),),
    default_products={"": "adult"},
)
_TAPPED_OFF: Final = replace(_RICH, version=3, tap_off=TapOff(), windows=(), caps=())
_TARIFFS: Final = (_TARIFF, _RICH, _TAPPED_OFF)


def _bundle(denied: frozenset[int], waiting: dict[int, bytes], tariff: Tariff) -> Bundle:
    return Bundle(
        BundleVersion(bytes(8), 1), world.NOW_S, "urmia", "Asia/Tehran", 14400, 1,
        ((0, _TARIFF), (1, tariff)), {}, {}, {},
        denied_cards=denied, entitlements=waiting, devices=_DEVICES,
    )  # fmt: skip


def _entitlement(choices: Choices) -> None:
    kind = choices.number(3)
    if kind == 0:
        raw = choices.flipped(world.ENTITLEMENT)
    else:
        raw = b"MCC1" + choices.exactly(124) if kind == 1 else choices.some(255)
    try:
        decoded = entitlement.decode(raw)
    except MalformedDocument:
        return
    entitlement.day_of(decoded.expires_day)
    verified = entitlement.verify(raw, world.KEYRING, uid=world.UID, aid=layout.AID)
    if not isinstance(verified, EntitlementFault) and raw != world.ENTITLEMENT:
        raise BrokenRule("an entitlement that nobody signed was accepted")


def _record(choices: Choices) -> None:
    raw = choices.pick((b"\x10" + choices.exactly(31), choices.some(64)))
    try:
        decoded = card_record.decode(raw)
    except MalformedDocument:
        return
    if decoded.encode() != raw:
        raise BrokenRule("a record is not written back as it was read")


def _proof(choices: Choices) -> None:
    raw = choices.pick((choices.exactly(layout.PROOF_SIZE), choices.some(32)))
    try:
        decoded = CommitProof.decode(raw)
    except ValueError:
        return
    if decoded.encode() != raw:
        raise BrokenRule("a proof is not written back as it was read")


def _tap(choices: Choices) -> None:
    """A golden tap with some bytes changed, removed or added, or any bytes."""
    golden = bytearray(choices.pick(golden_taps()))
    for _ in range(choices.number(6)):
        at = choices.number(len(golden)) if golden else 0
        change = choices.number(3)
        if change == 0 and golden:
            golden[at] = choices.number(256)
        elif change == 1:
            golden[at:at] = choices.some(8)
        else:
            del golden[at : at + choices.number(40)]
    raw = bytes(golden) if choices.number(4) else choices.some(255)
    try:
        tap = decode_tap(raw)
    except MalformedDocument:
        return
    if tap.encode() != raw:
        raise BrokenRule("a tap is not written back as it was read")
    if tap.card is not None:
        _rebuild(tap.card, choices)


def _rebuild(evidence: CardEvidence, choices: Choices) -> None:
    delivered = choices.pick((None, world.NEWER))
    try:
        tap_tmi(evidence, choices.pick((world.ENTITLEMENT, choices.some(130))), delivered)
    except ValueError:
        return


def _decision(choices: Choices) -> None:
    """A card that authenticated and is otherwise as hostile as its issuer's signature and its chip allow."""
    body = world.ENTITLEMENT[:7] + choices.exactly(6) + world.UID + choices.exactly(44)
    if choices.number(4):
        # Totals as an issuer would sign them; the rest stays wild.
        body = body[:22] + world.ENTITLEMENT[22:30] + body[30:]
    body = body[:58] + bytes(6)
    stored = body + world.ISSUER.sign(body)
    if choices.number(8) == 7:
        stored = choices.flipped(stored)
    record = choices.pick((world.FIRST_RECORD, b"\x10" + choices.exactly(31), choices.exactly(32)))
    spent_rial = choices.pick((0, world.FARE_RIAL, 2**32 - 1, int.from_bytes(choices.exactly(4), "little")))
    serial = int.from_bytes(body[9:13], "little")
    bundle = _bundle(
        frozenset(choices.pick(((), (serial,)))),
        choices.pick(({}, {serial: choices.some(140)})),
        choices.pick(_TARIFFS),
    )
    kind = choices.pick((TapKind.ON, TapKind.OFF))
    boarding = Boarding(7, choices.number(65536), world.NOW_S, choices.number(65536), 0, "bus-7", kind)
    view = CardView(world.UID, layout.AID, stored, record, spent_rial)
    decided = decide_card(view, boarding, bundle, world.KEYRING)
    if isinstance(decided, Charge):
        if not 0 <= decided.price.amount <= layout.MAX_DEBIT_RIAL:
            raise BrokenRule(f"a fare of {decided.price.amount} rial")
        if card_record.decode(decided.record).alighting is not (kind is TapKind.OFF):
            raise BrokenRule("a boarding was written as an end of a ride, or an end as a boarding")
    elif isinstance(decided, Refused) and decided.block_record is not None:
        card_record.decode(decided.block_record)


def _state(choices: Choices) -> None:
    """Seven bytes of a state, whoever wrote them: what is read lives on, and is written as it was read."""
    tariff = choices.pick(_TARIFFS)
    raw = bytes([choices.number(16) | choices.number(256) & 0xF0]) + choices.exactly(6)
    state = from_card((tariff,), raw, world.NOW_S)
    written = to_card(tariff, state, world.NOW_S)
    if from_card((tariff,), written, world.NOW_S) != state:
        raise BrokenRule("a rider's state is not read back as it was written")


def _tariff(choices: Choices) -> None:
    """A bundle's tariff with some bytes changed: it is read whole, or refused with the field's name."""
    golden = bytearray(canonical(choices.pick(_TARIFFS).to_document()))
    for _ in range(1 + choices.number(4)):
        golden[choices.number(len(golden))] = choices.number(256)
    try:
        tariff = from_document(decode_canonical(bytes(golden)))
    except MalformedDocument:
        return
    if from_document(tariff.to_document()) != tariff:
        raise BrokenRule("a tariff is not written back as it was read")


def golden_taps() -> list[bytes]:
    """The taps of the golden files."""
    document = json.loads((GOLDEN / "tap.json").read_text())
    return [bytes.fromhex(text) for text in _hex_of(document)]


def _hex_of(value: object) -> list[str]:
    """Every long hexadecimal text of a document, wherever it stands."""
    if isinstance(value, dict):
        return [text for part in cast("dict[str, object]", value).values() for text in _hex_of(part)]
    if isinstance(value, list):
        return [text for part in cast("list[object]", value) for text in _hex_of(part)]
    is_bytes = isinstance(value, str) and len(value) > 100 and not set(value) - set("0123456789abcdef")
    return [str(value)] if is_bytes else []


READERS: Final[tuple[Callable[[Choices], None], ...]] = (
    _decision, _tap, _entitlement, _record, _proof, _state, _tariff,
)  # fmt: skip


def check(data: bytes) -> None:
    """Read one input; BrokenRule, or any fault that is not the named one, is a finding."""
    choices = Choices(data)
    choices.pick(READERS)(choices)


def seeds() -> list[bytes]:
    """Each reader's own bytes: signed, golden, or as they stand on a card."""
    taps = [bytes([1, number, 0, 1]) for number in range(len(golden_taps()))]
    return [
        bytes([0]) + world.ENTITLEMENT[7:13] + world.ENTITLEMENT[20:64] + bytes(12),
        *taps,
        bytes([2, 1]) + world.ENTITLEMENT[4:],
        bytes([3]) + world.RECORD[1:],
        bytes([4]) + bytes(12),
        bytes([5, 1, 3]) + bytes(7),
        bytes([6, 1, 0, 9, 3]),
    ]
