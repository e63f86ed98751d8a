"""Bus and ledger in step over real HTTP: cut, lost, repeated and refused answers, a restored ledger."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core.batch import Acknowledgement, decode_batch
from fare.core.errors import MalformedDocument
from fare.core.signed import ACKNOWLEDGEMENT, BadSignature, seal, split
from hardware.emulator.reader import InProcessReader
from readers.addresses import Equipment
from readers.bundles import BundleRefused
from readers.process import ValidatorOptions, ValidatorProcess, compose
from readers.sync import backoff_s
from readers.uplink import UplinkDown
from tests.readers.bus import DEVICE, NOW_S, Bus, Disk, Issuer, ManualClock
from tests.readers.ledger_server import LedgerServer, serving


@pytest.fixture
def ledger(issuer: Issuer) -> Iterator[LedgerServer]:
    with serving(issuer) as server:
        yield server


def new_process(issuer: Issuer, cards: Path, state: Path, url: str, clock: ManualClock) -> ValidatorProcess:
    reader = InProcessReader(cards)
    options = ValidatorOptions(state, poll_s=0.2, linger_s=0.0)
    return compose(issuer.kit(url), Equipment(reader, reader), options, clock=clock, storage=Disk())


@pytest.fixture
def online(issuer: Issuer, cards: Path, tmp_path: Path, ledger: LedgerServer) -> Iterator[Bus]:
    clock = ManualClock()
    process = new_process(issuer, cards, tmp_path / "online", ledger.url, clock)
    reader = process.equipment.reader
    assert isinstance(reader, InProcessReader)
    yield Bus(issuer, cards, process, reader, clock, Disk())
    process.stop()


def refuse_some(bus: Bus, count: int) -> None:
    for number in range(count):
        bus.process.scan(f"not a ticket {number}")


def agree(bus: Bus, ledger: LedgerServer) -> bool:
    return ledger.ledger.decoded() == bus.journalled() and bus.process.journal.unsent_count() == 0


def test_the_first_round_claims_fetches_the_bundle_and_learns_the_time(
    online: Bus, ledger: LedgerServer
) -> None:
    assert online.process.synchroniser.step()
    assert ledger.claims == ["c" * 32]
    assert online.clock.heard == [ledger.ledger.now_ms]
    assert online.tap("one").seq == 1
    assert online.process.synchroniser.step()
    assert agree(online, ledger)
    assert ledger.etags == [None, '"0102030405060708-1"']


def test_a_lost_answer_to_the_claim_is_no_dead_end(online: Bus, ledger: LedgerServer) -> None:
    ledger.faults = ["lose-claim"]
    assert not online.process.synchroniser.step()
    assert online.process.synchroniser.step()
    assert online.process.bundles.current is not None


@pytest.mark.parametrize("fault", ["unsealed", "other-key", "replayed"])
def test_only_the_ledgers_own_sealed_answer_to_this_claim_tells_the_time(
    online: Bus, ledger: LedgerServer, fault: str
) -> None:
    online.clock.synchronised = False
    synchroniser = online.process.synchroniser
    synchroniser.step()  # an answer to an earlier claim, for whoever keeps it
    kept = len(online.clock.heard)
    synchroniser._claimed, synchroniser._probed = False, True
    ledger.claim_faults = [fault]
    assert not synchroniser.step()
    assert "claim" in synchroniser.status.problem
    assert len(online.clock.heard) == kept
    assert synchroniser.step()  # asked again, and answered honestly
    assert online.clock.heard[-1] == ledger.ledger.now_ms
    assert 0 not in online.clock.heard


def test_a_claim_that_is_refused_says_so(online: Bus, ledger: LedgerServer) -> None:
    ledger.claims.append("someone else's")
    ledger.ledger.device_key = online.process.kit.bundle_keys[1]  # another key than this device's
    assert not online.process.synchroniser.step()
    assert "Make a new kit" in online.process.synchroniser.status.problem
    assert online.process.bundles.current is None


@pytest.mark.parametrize("fault", ["lose", "early", "repeat", "500", "garbage", "429"])
def test_every_bad_answer_ends_with_each_tap_once(online: Bus, ledger: LedgerServer, fault: str) -> None:
    online.process.synchroniser.step()
    refuse_some(online, 3)
    assert online.process.synchroniser.step()
    refuse_some(online, 700)
    ledger.faults = [fault, "", fault]
    rounds = 0
    while online.process.journal.unsent_count():
        online.process.synchroniser.step()
        rounds += 1
        assert rounds < 10
    assert agree(online, ledger)
    assert online.process.synchroniser.step()
    assert online.process.synchroniser.status.problem == ""


def test_the_ledger_may_ask_for_time(online: Bus, ledger: LedgerServer) -> None:
    online.process.synchroniser.step()
    refuse_some(online, 1)
    ledger.faults = ["429"]
    assert not online.process.synchroniser.step()
    status = online.process.synchroniser.status
    assert status.retry_after_s == 3
    assert "Wait." in status.problem


def test_a_cut_line_is_a_real_outage_and_its_taps_arrive_after_it(online: Bus, ledger: LedgerServer) -> None:
    online.process.synchroniser.step()
    online.process.cut_uplink()
    assert online.tap("one").lamp == "green"
    polls = ledger.polls
    assert not online.process.synchroniser.step()
    assert (ledger.polls, ledger.ledger.taps) == (polls, {})
    online.process.restore_uplink()
    assert online.process.synchroniser.step()
    assert agree(online, ledger)


def test_cutting_breaks_the_request_that_is_under_way(
    online: Bus, ledger: LedgerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    online.process.synchroniser.step()
    refuse_some(online, 1)
    arrived, go_on = threading.Event(), threading.Event()
    take = ledger.ledger.take

    def slow(body: bytes) -> bytes:
        arrived.set()
        assert go_on.wait(10)
        return take(body)

    monkeypatch.setattr(ledger.ledger, "take", slow)
    outcome: list[bool] = []
    round_ = threading.Thread(target=lambda: outcome.append(online.process.synchroniser.step()))
    round_.start()
    assert arrived.wait(10)
    online.process.cut_uplink()
    go_on.set()
    round_.join(10)
    assert outcome == [False]
    assert online.process.journal.unsent_count() == 1
    online.process.restore_uplink()
    assert online.process.synchroniser.step()
    assert agree(online, ledger)


def test_a_dead_ledger_leaves_the_bus_working(online: Bus, ledger: LedgerServer) -> None:
    online.process.synchroniser.step()
    ledger.die()
    assert online.tap("one").lamp == "green"
    assert not online.process.synchroniser.step()
    assert online.process.journal.unsent_count() == 1


def test_a_restored_ledger_gets_everything_again(online: Bus, ledger: LedgerServer, issuer: Issuer) -> None:
    online.process.synchroniser.step()
    refuse_some(online, 20)
    online.process.synchroniser.step()
    ledger.ledger.taps = {seq: raw for seq, raw in ledger.ledger.taps.items() if seq <= 5}
    ledger.ledger.epoch = b"restored"
    ledger.bundle = issuer.bundle(1, epoch=b"restored", issued_at_s=NOW_S + 10)
    assert online.process.synchroniser.step()
    assert agree(online, ledger)
    assert online.process.journal.watermark().ledger_epoch == b"restored"


def test_a_restart_asks_again_for_the_time_and_notices_a_restored_ledger(
    online: Bus, ledger: LedgerServer, issuer: Issuer, cards: Path, tmp_path: Path
) -> None:
    online.process.synchroniser.step()
    refuse_some(online, 4)
    online.process.synchroniser.step()
    online.process.stop()
    ledger.ledger.taps.pop(4)
    ledger.ledger.taps.pop(3)
    again = new_process(issuer, cards, tmp_path / "online", ledger.url, online.clock)
    assert again.synchroniser.step()
    assert len(ledger.ledger.taps) == 4
    assert ledger.claims == ["c" * 32]
    again.stop()


def test_a_wrong_clock_does_not_lock_a_bus_out(online: Bus, ledger: LedgerServer) -> None:
    online.process.synchroniser.step()
    ledger.refuse_poll = 401  # the device's clock is more than 10 minutes off
    assert not online.process.synchroniser.step()
    heard = len(online.clock.heard)
    assert not online.process.synchroniser.step()
    assert len(online.clock.heard) == heard + 1  # told by claiming again with the same key
    refuse_some(online, 1)
    assert not online.process.synchroniser.step()
    assert agree(online, ledger)


def test_a_bus_that_starts_without_taps_learns_the_time_before_the_first(
    online: Bus, ledger: LedgerServer, issuer: Issuer, cards: Path, tmp_path: Path
) -> None:
    online.process.synchroniser.step()
    online.process.stop()
    clock = ManualClock()
    clock.synchronised = False
    again = new_process(issuer, cards, tmp_path / "online", ledger.url, clock)
    assert again.synchroniser.step()
    assert clock.heard == [ledger.ledger.now_ms]
    again.stop()


def test_a_revoked_device_still_uploads(online: Bus, ledger: LedgerServer) -> None:
    online.process.synchroniser.step()
    refuse_some(online, 3)
    ledger.refuse_poll = 403
    assert not online.process.synchroniser.step()
    assert agree(online, ledger)
    assert "403" in online.process.synchroniser.status.problem


def test_a_new_acknowledgement_key_arrives_with_the_bundle(
    online: Bus, ledger: LedgerServer, issuer: Issuer
) -> None:
    online.process.synchroniser.step()
    issuer.ack_key = Ed25519PrivateKey.generate()
    ledger.bundle = issuer.bundle(2)
    refuse_some(online, 1)
    assert not online.process.synchroniser.step()
    assert online.process.synchroniser.step()
    assert agree(online, ledger)


def test_an_acknowledgement_of_other_taps_is_not_believed_and_all_taps_are_handed_over_once(
    online: Bus, ledger: LedgerServer
) -> None:
    online.process.synchroniser.step()
    refuse_some(online, 501)
    handed_over: list[bytes] = []

    def take(body: bytes) -> bytes:
        handed_over.append(body)
        return _foreign_receipt(online, ledger)

    ledger.ledger.take = take  # type: ignore[method-assign]
    assert not online.process.synchroniser.step()
    assert "workshop" in online.process.synchroniser.status.problem
    assert online.process.journal.unsent_count() == 501
    batches = [decode_batch(split(zstandard.decompress(body))[0]) for body in handed_over]
    assert {seq for batch in batches for seq in range(batch.first_seq, batch.last_seq + 1)} == set(
        range(1, 502)
    )
    again = len(handed_over)
    assert not online.process.synchroniser.step()
    assert len(handed_over) == again + 1


def _foreign_receipt(bus: Bus, ledger: LedgerServer) -> bytes:
    receipt = Acknowledgement(
        ledger.ledger.epoch, DEVICE, bus.process.journal.journal_id, 1, bytes(32), (), bytes(32), NOW_S * 1000
    )
    return seal(ACKNOWLEDGEMENT, receipt.encode(), 4, ledger.ledger.issuer.ack_key)


def test_a_forged_acknowledgement_moves_nothing(online: Bus, ledger: LedgerServer) -> None:
    online.process.synchroniser.step()
    refuse_some(online, 1)
    ledger.ledger.issuer = Issuer()  # signs receipts with a key that no bundle names
    assert not online.process.synchroniser.step()
    assert online.process.journal.unsent_count() == 1


def test_the_thread_uploads_soon_after_a_tap_and_retries_at_once_when_the_line_is_back(
    online: Bus, ledger: LedgerServer
) -> None:
    online.process.start()
    caught_up = threading.Event()
    acknowledge = online.process.journal.acknowledge

    def watch(*args: object) -> None:
        acknowledge(*args)  # type: ignore[arg-type]
        if online.process.journal.unsent_count() == 0:
            caught_up.set()

    online.process.journal.acknowledge = watch  # type: ignore[method-assign]
    wait_for_bundle(online)
    online.process.cut_uplink()
    online.reader.place("one")
    assert online.process.display.wait_after(0, 10) is not None
    online.reader.remove()
    online.process.restore_uplink()
    assert caught_up.wait(10)
    assert agree(online, ledger)


def wait_for_bundle(bus: Bus) -> None:
    done = threading.Event()
    for _ in range(200):
        if bus.process.bundles.current is not None:
            return
        done.wait(0.05)
    raise AssertionError("no bundle arrived")


# --- bundles ---


def test_a_rolled_back_foreign_or_edited_bundle_is_not_taken(bus: Bus, issuer: Issuer) -> None:
    bundles = bus.process.bundles
    bundles.offer(issuer.bundle(5))
    before = bus.process.journal.stored_bundle()
    with pytest.raises(BundleRefused):
        bundles.offer(issuer.bundle(4))
    with pytest.raises(BundleRefused):
        bundles.offer(issuer.bundle(9, epoch=bytes(8), issued_at_s=NOW_S - 1))
    with pytest.raises(BadSignature):
        bundles.offer(Issuer().bundle(6))
    good = issuer.bundle(6)
    for position in range(0, len(good), 37):
        flipped = bytearray(good)
        flipped[position] ^= 1
        with pytest.raises((BadSignature, MalformedDocument)):
            bundles.offer(bytes(flipped))
    assert bus.process.journal.stored_bundle() == before
    assert bundles.current is not None
    assert bundles.current.bundle.version.n == 5


def test_a_stored_bundle_outlives_the_process(bus: Bus, issuer: Issuer, tmp_path: Path) -> None:
    bus.process.bundles.offer(issuer.bundle(3))
    bus.process.stop()
    again = new_process(issuer, bus.folder, tmp_path / "state", "http://127.0.0.1:9", bus.clock)
    assert again.bundles.current is not None
    assert again.bundles.current.bundle.version.etag == "0102030405060708-3"
    again.stop()


# --- numbers ---


def test_backoff_has_full_jitter_between_1_s_and_5_min() -> None:
    assert [backoff_s(failures, 1.0) for failures in (1, 2, 3, 9, 10, 500)] == [1, 2, 4, 256, 300, 300]
    assert backoff_s(7, 0.0) == 0
    assert backoff_s(4, 0.5) == 4


def test_nobody_at_the_address_is_an_outage(bus: Bus) -> None:
    with pytest.raises(UplinkDown):
        bus.process.uplink.fetch_bundle(None)
    assert not bus.process.synchroniser.step()
