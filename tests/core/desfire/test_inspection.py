"""Inspecting a card at a desk: everything read, nothing changed, other chips named."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import pytest

from fare.core.desfire import errors
from fare.core.desfire.application import commit, inspect_card, open_card, run, stage
from fare.core.desfire.chip import ChipKind
from fare.core.desfire.frames import read_uid
from hardware.emulator.card import VirtualCard
from tests.core.desfire.card_field import (
    ENTITLEMENT,
    FIRST,
    MASTERS,
    NEWER_MASTERS,
    RING,
    UID,
    VALIDATOR,
    Field,
    issued,
    opened,
    put_back,
    rnd_a,
)


def test_an_inspection_reads_everything_and_changes_nothing() -> None:
    virtual, proof = issued()
    seen = run(inspect_card(MASTERS, rnd_a), virtual.transmit)
    assert seen.uid == UID
    assert seen.version.kind is ChipKind.EV3
    assert seen.version.storage_bytes >= 2048
    assert seen.key_versions == (1, 1, 1)
    assert (seen.entitlement, seen.records, seen.proof, seen.spent) == (ENTITLEMENT, (FIRST,), proof, 0)
    put_back(virtual)
    again = run(inspect_card(RING, rnd_a), virtual.transmit)
    assert again == seen


def test_who_relays_an_inspection_cannot_answer_for_the_card() -> None:
    virtual, _ = issued()
    honest = Field(virtual)
    truth = run(inspect_card(RING, rnd_a), honest.transmit)
    assert len(honest.sent) == 15
    for number in range(len(honest.sent)):
        put_back(virtual)
        step = itertools.count()

        def lying(apdu: bytes, step: Iterator[int] = step, at: int = number) -> bytes:
            answer = virtual.transmit(apdu)
            return answer if next(step) != at else bytes([answer[0] ^ 3]) + answer[1:]

        with contextlib.suppress(errors.CardFault):
            assert run(inspect_card(RING, rnd_a), lying) == truth, f"APDU {number}"


def test_an_inspection_gives_the_newest_record_first() -> None:
    virtual, proof = issued()
    for number in range(1, 9):
        card = opened(virtual)
        run(stage(card, 10, bytes([number]) * 32, None), virtual.transmit)
        proof = run(commit(card), virtual.transmit)
    put_back(virtual)
    seen = run(inspect_card(VALIDATOR, rnd_a), virtual.transmit)
    assert [record[0] for record in seen.records] == [8, 7, 6, 5, 4, 3]
    assert seen.spent == 80
    assert seen.proof == proof


@pytest.mark.parametrize(
    ("version", "named"),
    [
        ("04010101001605", "EV1"),
        ("04010100001605", "D40"),
        ("04080130001305", "Light"),
        ("040101a0001a05", "DUOX"),
        ("04020111001605", "Plus"),
        ("04030101001105", "Ultralight"),
        ("04040201001105", "NTAG"),
        ("05010133001a05", "unknown"),
        ("04010154001a05", "unknown"),
    ],
)
def test_another_chip_is_named(version: str, named: str) -> None:
    told = bytes.fromhex(version) + bytes(21) + b"\x91\x00"
    answers = iter((UID + b"\x90\x00", b"\x91\xa0", b"\x91\x00", told))
    with pytest.raises(errors.NotACardOfThisSystem, match=named):
        run(inspect_card(VALIDATOR, rnd_a), lambda _: next(answers))


@pytest.mark.parametrize("status", ["6d00", "6a81", "6e00", "911c", "917e"])
def test_a_card_that_fails_get_version_is_refused_as_no_desfire(status: str) -> None:
    answers = iter((UID + b"\x90\x00", bytes.fromhex(status), b"\x91\x00", bytes.fromhex(status)))
    with pytest.raises(errors.NotACardOfThisSystem, match="Classic"):
        run(inspect_card(VALIDATOR, rnd_a), lambda _: next(answers))


def test_a_fresh_card_is_named_with_its_chip() -> None:
    with pytest.raises(errors.NotACardOfThisSystem, match="EV3 without the Mancard application"):
        run(inspect_card(VALIDATOR, rnd_a), VirtualCard.factory(UID).transmit)


def test_a_card_of_keys_not_held_here_is_refused() -> None:
    virtual, _ = issued()
    with pytest.raises(errors.NotACardOfThisSystem, match="generation"):
        run(inspect_card(NEWER_MASTERS, rnd_a), virtual.transmit)


def test_the_uid_alone_is_not_taken_for_a_card() -> None:
    virtual, _ = issued()
    assert run(read_uid(), virtual.transmit) == UID
    with pytest.raises(errors.CardTorn):
        run(open_card(VALIDATOR, rnd_a), lambda _: b"")
