"""Journals and their batches: order, repeats, forks, poison, clocks. Nothing is lost and nothing is posted
twice.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.collection import BatchRefusal, intake
from fare.core.signed import canonical, seal
from fare.core.tap import ClockQuality, decode_tap
from fare.database.engine import write
from tests.collection.bus import EVENING, FARE_RIAL, NOON, OWNER_RIAL, ZONE, City, drawn


def test_a_journal_of_refusals_is_taken_in(city: City) -> None:
    bus = city.bus(1)
    for minute in range(3):
        bus.write(NOON + timedelta(minutes=minute), flags=("door_2",))
    receipt = bus.send()
    assert receipt.acked_seq == 3
    assert city.taps() == [(1, seq, "none", "door_2") for seq in (1, 2, 3)]
    assert city.rows("SELECT DISTINCT reason, outcome FROM travel_tap") == [("not_our_card", 0)]


@pytest.mark.parametrize("seed", range(3))
def test_batches_in_any_order_and_repeated_converge(city: City, seed: int) -> None:
    chance = random.Random(seed)
    bus = city.bus(1)
    card = city.card()
    load = card.load(city, 1_000_000)
    for minute in range(8):
        bus.ride(card, NOON + timedelta(minutes=minute), deliver=load if minute == 0 else None)
    pieces = [(first, min(8, first + size)) for first in range(1, 9) for size in range(3)]
    chance.shuffle(pieces)
    for first, last in pieces:
        city.take(bus.batch(first, last))
    receipt = bus.send()
    assert receipt.acked_seq == 8
    assert [r[1] for r in city.rides()] == list(range(2, 10))
    assert city.balance("owner_payable:o-1") == -8 * OWNER_RIAL
    assert city.rows("SELECT count(*) FROM travel_quarantine") == [(0,)]


def test_two_validators_with_one_identity_are_a_fork(city: City) -> None:
    bus = city.bus(1)
    bus.write()
    bus.write(NOON + timedelta(minutes=1))
    clone = replace(bus, journal=list(bus.journal))
    bus.write(NOON + timedelta(minutes=2))
    clone.write(NOON + timedelta(minutes=3))
    clone.write(NOON + timedelta(minutes=4))
    true = bus.send()
    forked = clone.send()
    assert forked.acked_seq == 3
    assert forked.acked_hash == true.acked_hash
    assert forked.quarantined == ((3, "fork"), (4, "fork"))
    kept = city.rows("SELECT seq, reason, raw FROM travel_quarantine ORDER BY seq")
    assert [(seq, reason, bytes(raw)) for seq, reason, raw in kept] == [
        (3, "fork", clone.journal[2]),
        (4, "fork", clone.journal[3]),
    ]
    assert len(city.taps()) == 3
    # However often it is sent again, it is kept once, and the honest journal goes on.
    assert clone.send().quarantined == forked.quarantined
    assert city.rows("SELECT count(*) FROM travel_quarantine") == [(2,)]
    bus.write(NOON + timedelta(minutes=5))
    assert bus.send().acked_seq == 4


def test_a_restored_journal_that_begins_anew_is_a_fork(city: City) -> None:
    bus = city.bus(1)
    bus.write()
    bus.send()
    bus.journal.clear()
    bus.write(NOON + timedelta(minutes=1))
    bus.write(NOON + timedelta(minutes=2))
    assert bus.send().quarantined == ((1, "fork"), (2, "fork"))
    assert len(city.taps()) == 1


def test_one_bad_tap_in_a_hundred_is_set_aside_and_the_rest_is_posted(city: City) -> None:
    bus = city.bus(1)
    card = city.card()
    load = card.load(city, 10_000_000)
    poison = {
        20: b"\xff\xff not a tap",
        40: b"\xa0",
        60: canonical({**_fields(bus.blank().encode()), 10: "bad\0word"}),
        80: replace(bus.blank(), seq=5).encode(),
        90: replace(bus.blank(), seq=90, recovers=2**40).encode(),
    }
    for seq in range(1, 101):
        if seq in poison:
            bus.journal.append(poison[seq])
        elif seq % 10 == 1:
            bus.ride(card, NOON + timedelta(minutes=seq), deliver=load if seq == 1 else None)
        else:
            bus.write(NOON + timedelta(minutes=seq))
    receipt = bus.send()
    assert receipt.acked_seq == 100
    assert dict(receipt.quarantined) == {
        20: "undecodable",
        40: "undecodable",
        60: "undecodable",
        80: "out_of_place",
        90: "out_of_place",
    }
    kept = city.rows("SELECT seq, raw FROM travel_quarantine")
    assert {seq: bytes(raw) for seq, raw in kept} == poison
    assert len(city.taps()) == 95
    assert len(city.rides()) == 10
    assert bus.send() == receipt
    assert len(city.rows("SELECT seq FROM travel_quarantine")) == 5


def _fields(raw: bytes) -> dict[int, object]:
    import cbor2

    return cbor2.loads(raw)


def test_whole_uploads_that_are_refused(city: City) -> None:
    bus = city.bus(1)
    bus.write()
    envelope = bus.batch()
    stranger = Ed25519PrivateKey.from_private_bytes(drawn(32))
    other = replace(bus, key=stranger)
    unknown = replace(bus, device=77)
    assert city.offer(b"") is BatchRefusal.NOT_A_BATCH
    assert city.offer(canonical([b"not a batch", 0, bytes(64)])) is BatchRefusal.NOT_A_BATCH
    assert city.offer(b"\0" * (intake.MAX_ENVELOPE_BYTES + 1)) is BatchRefusal.TOO_LARGE
    assert city.offer(other.batch()) is BatchRefusal.BAD_SIGNATURE
    assert city.offer(unknown.batch()) is BatchRefusal.UNKNOWN_DEVICE
    assert city.offer(seal(b"MCR1", bus.batch(), 0, bus.key)) is BatchRefusal.NOT_A_BATCH
    flipped = bytearray(envelope)
    flipped[40] ^= 1
    assert city.offer(bytes(flipped)) in {BatchRefusal.BAD_SIGNATURE, BatchRefusal.NOT_A_BATCH}
    assert city.rows("SELECT count(*) FROM travel_quarantine") == [(0,)]
    assert city.taps() == []


def test_a_signed_batch_that_cannot_be_read_is_kept_whole(city: City) -> None:
    bus = city.bus(1)
    bus.write()
    damaged = bus.batch(head_hash=bytes(32))
    assert city.offer(damaged) is BatchRefusal.DAMAGED_BATCH
    assert city.offer(damaged) is BatchRefusal.DAMAGED_BATCH
    ((device, reason, raw),) = city.rows("SELECT device_id, reason, raw FROM travel_quarantine")
    assert (device, reason, bytes(raw)) == (1, "damaged_batch", damaged)


@pytest.mark.parametrize(
    "hostile",
    [
        {"newest_seq": 0xFFFF_FFFF},
        {"wall_ms": (1 << 64) - 1},
        {"mono_ns": (1 << 64) - 1},
        {"wall_ms": 0, "mono_ns": 0},
    ],
)
def test_extreme_numbers_in_a_batch_are_taken_in(city: City, hostile: dict[str, Any]) -> None:
    bus = city.bus(1)
    bus.write(wall_ms=(1 << 64) - 1, mono_ns=(1 << 64) - 1, fare_rial=0xFFFF_FFFF, line=0xFFFF)
    assert city.take(bus.batch(**hostile)).acked_seq == 1


def test_an_unset_clock_is_corrected_within_one_boot(city: City) -> None:
    bus = city.bus(1)
    unset = {"clock_quality": ClockQuality.UNSYNCHRONISED, "wall_ms": 1_000}
    bus.write(NOON, **unset)
    bus.write(NOON, **unset, boot_id=drawn(8))
    bus.write(NOON, wall_ms=int((NOON + timedelta(days=3650)).timestamp() * 1000))
    bus.write(NOON, wall_ms=1_000, boot_id=drawn(8))
    bus.send(EVENING)
    told = city.rows("SELECT tapped_at, flags FROM travel_tap ORDER BY seq")
    assert [flags for _, flags in told] == [
        "clock_corrected",
        "clock_unknown",
        "clock_implausible",
        "clock_implausible",
    ]
    stored = city.rows("SELECT count(*) FROM travel_tap WHERE service_day = '2026-11-22'")
    assert stored == [(4,)]
    noon, evening = (str(at.replace(tzinfo=None)) for at in (NOON, EVENING))
    assert [str(at)[:19] for at, _ in told] == [noon, evening, noon, evening]


def test_before_four_in_the_morning_it_is_still_yesterday(city: City) -> None:
    bus = city.bus(1)
    four = EVENING.astimezone(ZONE).replace(hour=4, minute=0, second=0) + timedelta(days=1)
    bus.write(four - timedelta(seconds=1))
    bus.write(four)
    bus.send(four + timedelta(hours=1))
    assert [str(day) for (day,) in city.rows("SELECT service_day FROM travel_tap ORDER BY seq")] == [
        "2026-11-22",
        "2026-11-23",
    ]


def test_nothing_is_kept_of_a_batch_whose_transaction_fails(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = city.bus(1)
    card = city.card()
    bus.ride(card, deliver=card.load(city, 100_000))
    envelope = bus.batch()
    with monkeypatch.context() as patched:
        patched.setattr(intake, "seal", _power_cut)
        with pytest.raises(PowerCut):
            city.offer(envelope)
    for table in ("travel_tap", "travel_ride", "travel_batch", "travel_stream", "travel_quarantine"):
        assert city.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert city.entries() == 0
    assert city.take(envelope).acked_seq == 1
    assert len(city.rides()) == 1


class PowerCut(Exception):
    """The process ends between the last write and the commit."""


def _power_cut(*_: object) -> bytes:
    raise PowerCut


def test_an_acknowledgement_lost_after_the_commit_is_given_again(city: City) -> None:
    bus = city.bus(1)
    card = city.card()
    bus.ride(card, deliver=card.load(city, 100_000))
    envelope = bus.batch()
    with write(city.engine) as session:
        intake.take_in(session, city.keys, envelope, EVENING, ZONE)
    receipt = city.take(envelope, EVENING + timedelta(minutes=1))
    assert receipt.acked_seq == 1
    assert city.entries() == 1


def test_many_buses_upload_at_once_and_meet_in_the_same_rides(city: City) -> None:
    """Each ride of the shared cards is brought twice: by its own bus, and by the next bus as evidence."""
    buses = [city.bus(n, f"o-{1 + n % 2}") for n in range(1, 5)]
    cards = [city.card() for _ in range(4)]
    loads = [card.load(city, 1_000_000) for card in cards]
    for minute in range(5):
        for n, card in enumerate(cards):
            bus = buses[(minute + n) % 4]
            bus.ride(card, NOON + timedelta(minutes=minute), deliver=loads[n] if minute == 0 else None)
    for size in (2, 5):
        envelopes = [bus.batch(1, size) for bus in buses]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(city.take, envelopes))
    assert len(city.rides()) == 20
    assert {(r[4], r[5]) for r in city.rides()} == {(FARE_RIAL, OWNER_RIAL)}
    assert city.balance("owner_payable:o-1") + city.balance("owner_payable:o-2") == -20 * OWNER_RIAL
    assert {state for _, _, state, _ in city.taps()} == {"valid"}
    for raw in (raw for bus in buses for raw in bus.journal):
        tap = decode_tap(raw)
        assert tap.card is not None
        assert tap.card.proof is not None
        owner = f"o-{1 + tap.device % 2}"
        key = (str(tap.card.serial), tap.card.proof.tmc, tap.device, owner)
        assert key in {r[:4] for r in city.rides()}
