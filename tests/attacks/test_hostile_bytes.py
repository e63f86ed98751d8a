"""Bytes from a stranger, or from a stolen device: they cost little and change nothing."""

from __future__ import annotations

import cbor2
import pytest

from fare.collection import BatchRefusal
from fare.core.batch import decode_batch
from fare.core.errors import MalformedDocument
from fare.core.signed import split
from fare.core.tap import MAX_TAP_BYTES, decode_tap
from tests.collection.bus import NOON, City

SAME_HASH = 2**61 - 1
"""Python's hashes of integers repeat with this step: a map of such keys takes quadratic time."""
COLLIDING = 30_000
"""Thousands of times what refusing takes, and a fraction of what decoding took."""


def colliding_map(entries: int) -> bytes:
    pairs = b"".join(cbor2.dumps(SAME_HASH * (n + 9)) + b"\0" for n in range(entries))
    return b"\xba" + entries.to_bytes(4, "big") + pairs


def colliding_tuples(entries: int) -> bytes:
    """hash(-1) == hash(-2): all arrays of the two have one hash."""
    keys = (b"\x90" + bytes(0x20 | (n >> bit & 1) for bit in range(16)) for n in range(entries))
    return b"\xba" + entries.to_bytes(4, "big") + b"".join(key + b"\0" for key in keys)


@pytest.fixture
def guarded_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A general decoder can be kept busy for hours by one megabyte: no long document may reach it."""
    decode = cbor2.loads

    def guarded(raw: bytes) -> object:
        if len(raw) > MAX_TAP_BYTES:
            pytest.fail(f"{len(raw)} hostile bytes reached the general decoder")
        return decode(raw)

    monkeypatch.setattr("fare.core.signed.cbor2.loads", guarded)


BOMBS = {
    "integers with one hash": colliding_map(COLLIDING),
    "arrays with one hash": colliding_tuples(COLLIDING),
    "a million arrays in each other": b"\x81" * 1_000_000 + b"\0",
    "a million tags around nothing": b"\xc1" * 1_000_000 + b"\0",
    "a length of eight exabytes": b"\x9b\x7f" + b"\xff" * 7,
    "a number with a quadrillion digits": cbor2.dumps(cbor2.CBORTag(4, [10**15, 1])),
    "a pattern to compile": cbor2.dumps(cbor2.CBORTag(35, "(" * 50_000)),
}


@pytest.mark.usefixtures("guarded_decoder")
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_an_unsigned_upload_is_refused_at_once(bomb: bytes) -> None:
    for envelope in (bomb, b"\x83" + bomb + b"\0\x58\x40" + bytes(64)):
        with pytest.raises(MalformedDocument):
            split(envelope)


@pytest.mark.usefixtures("guarded_decoder")
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_what_a_stolen_device_signs_is_refused_at_once(bomb: bytes) -> None:
    batch_with_bomb = b"\xab\x00\x01\x01\x07\x02" + bomb
    for payload in (bomb, batch_with_bomb):
        with pytest.raises(MalformedDocument):
            decode_batch(payload)
        with pytest.raises(MalformedDocument):
            decode_tap(bomb)


@pytest.mark.usefixtures("guarded_decoder")
def test_a_stolen_device_cannot_stop_the_ledger_with_one_batch(city: City) -> None:
    bus = city.bus(7)
    bus.write()
    signed = bus.sign(b"\xab\x00\x01\x01\x07\x02" + colliding_map(COLLIDING))
    assert city.offer(signed) is BatchRefusal.DAMAGED_BATCH
    assert bus.send().acked_seq == 1


@pytest.mark.parametrize("bit", range(0, 8 * 40, 7))
def test_an_envelope_with_one_bit_off_is_not_taken_in(bit: int) -> None:
    """The envelope is read strictly: one encoding, no bytes beyond."""
    from fare.core.signed import canonical

    envelope = canonical([b"payload", 0, bytes(64)])
    assert split(envelope) == (b"payload", 0, bytes(64))
    for other in (envelope + b"\0", envelope[:-1], b"\x98\x03" + envelope[1:]):
        with pytest.raises(MalformedDocument):
            split(other)
    changed = bytearray(envelope)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        parts = split(bytes(changed))
    except MalformedDocument:
        return
    assert canonical(list(parts)) == bytes(changed)


def test_words_of_the_ledger_are_not_taken_from_a_device(city: City) -> None:
    """A tap that says it is disputed already could otherwise not be taken back."""
    camera, honest = city.bus(1, "o-1"), city.bus(2, "o-2")
    phone = city.phone()
    camera.scan(phone, 1, flags=("clock_unsynchronised", "disputed"))
    honest.scan(phone, 1)
    camera.send()
    honest.send()
    assert city.balance("owner_payable:o-1") == 0
    assert city.taps()[0][3] == "clock_unsynchronised disputed"


def test_amounts_at_the_end_of_their_range_are_no_fault(city: City) -> None:
    from dataclasses import replace

    from fare.core.tap import Outcome

    bus = city.bus(1)
    card = city.card()
    tap = bus.ride(card, deliver=card.load(city, 100_000))
    evidence = tap.card
    assert evidence is not None
    top = 2**32 - 1
    strange = [
        replace(evidence, debit_rial=top, spent_before=top),
        replace(evidence, spent_before=top, record_written=b"\x10" + b"\xff" * 31),
        replace(evidence, record_read=b"\x10" + b"\xff" * 31, record_written=b"\x13" + b"\xff" * 31),
        replace(evidence, entitlement_version=0, delivered_version=0xFFFF, serial=top),
    ]
    for one in strange:
        for proof in (one.proof, None):
            for outcome in Outcome:
                bus.write(NOON, outcome=outcome, reason="ok", fare_rial=top, card=replace(one, proof=proof),
                          mono_ns=2**64 - 1, wall_ms=2**64 - 1, tariff_version=top)  # fmt: skip
    receipt = bus.send()
    assert receipt.acked_seq == len(bus.journal)
    assert len(city.rides()) == 1
