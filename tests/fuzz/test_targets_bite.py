"""Targets that find nothing are worth something only if they find what is there: defences are taken out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import SimpleNamespace
from unittest.mock import patch

import cbor2
import pytest

from fare.core import card_record, tap
from fare.core.desfire import frames, messaging
from fare.core.proof import paper, phone
from fare.core.strict_cbor import StrictReader
from fuzz.targets import Target, target
from hardware.emulator.chip import Chip
from hardware.emulator.files import ValueFile

TRUSTING = SimpleNamespace(compare_digest=lambda _mine, _theirs: True)
DRAWN = 3000

REMOVED: list[tuple[str, str, AbstractContextManager[object]]] = [
    ("card", "the driver checks no MAC", patch.object(messaging, "hmac", TRUSTING)),
    ("card", "frames without end", patch.object(frames, "MAX_ANSWER_FRAMES", 10**9)),
    ("card", "a session never ends", patch.object(messaging.Ev2Session, "end", lambda _self: None)),
    ("emulator", "the card checks no MAC", patch("hardware.emulator.ev2_session.hmac", TRUSTING)),
    (
        "emulator",
        "every key may do all",
        patch.object(Chip, "granted", lambda _self, _rights, mode: mode),
    ),
    ("emulator", "a debit is lost", patch.object(ValueFile, "debit", lambda self, _amount: self)),
    ("documents", "any CBOR is a tap", patch.object(tap, "decode_canonical", cbor2.loads)),
    ("documents", "a short record is unpacked", patch.object(card_record, "SIZE", 31)),
    ("texts", "a phone's signature is not checked", patch.object(phone, "signature_holds", lambda *_: True)),
    ("texts", "paper's signature is not checked", patch.object(paper, "check_issuer", lambda *_: None)),
    ("texts", "more bytes may follow", patch.object(StrictReader, "end", lambda _self: None)),
    (
        "tariffs",
        "any map is a tariff",
        patch("fare.core.tariff.document.from_map", lambda kind, found, _name: kind(**found)),
    ),
    ("texts", "rides are not counted", patch.object(phone, "check_counter", lambda _ticket: None)),
]


def inputs(of: Target) -> Iterator[bytes]:
    yield from of.seeds()
    draw = random.Random(7)
    for _ in range(DRAWN):
        yield draw.randbytes(draw.randrange(1, 80))


def play(of: Target, prepared: Iterator[bytes]) -> None:
    for data in prepared:
        of.check(data)


@pytest.mark.parametrize(
    ("name", "defence"), [(case[0], case[2]) for case in REMOVED], ids=[c[1] for c in REMOVED]
)
def test_a_removed_defence_is_found(name: str, defence: AbstractContextManager[object]) -> None:
    of = target(name)
    assert of is not None
    prepared = inputs(of)
    of.check(next(prepared))
    with defence, pytest.raises(Exception):  # noqa: B017, PT011 - whatever it raises is a finding
        play(of, prepared)
