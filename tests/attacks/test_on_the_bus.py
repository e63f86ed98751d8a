"""A rider with a screenshot, a thief with a disk, and somebody between the bus and its ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fare.core.desfire.keys import CardKeys, ValidatorKeys
from fare.core.errors import MalformedDocument
from fare.core.signed import BadSignature, split
from readers.bundles import BundleRefused
from readers.shown import Lamp
from tests.readers.bus import NOW_S, SYSTEM_ID, Bus, Issuer, ManualClock, open_bus
from tests.readers.conftest import bus, cards, issuer
from tests.readers.ledger_server import LedgerServer, serving
from tests.readers.test_sync import new_process

__all__ = ["bus", "cards", "issuer"]


# --- a screenshot (A7) ------------------------------------------------------------------------------------


def test_a_screenshot_is_worth_one_ride_on_one_bus_for_half_a_minute(
    bus: Bus, issuer: Issuer, cards: Path, tmp_path: Path
) -> None:
    phone = issuer.phone()
    text = phone.ticket_text(NOW_S, 1)
    assert bus.process.scan(text).lamp is Lamp.GREEN
    for shown_later in (text, phone.ticket_text(NOW_S + 10, 1), phone.ticket_text(NOW_S + 20, 1, 2)):
        bus.clock.pass_s(6)
        assert bus.process.scan(shown_later).reason == "already_paid"
    late = open_bus(issuer, cards, tmp_path / "late", clock=ManualClock(NOW_S + 60))
    assert late.process.scan(text).reason == "stale"
    late.process.stop()
    # A second bus that is offline takes it within the half minute: the bound that the ledger finds at sync.
    second = open_bus(issuer, cards, tmp_path / "second")
    assert second.process.scan(text).lamp is Lamp.GREEN
    assert second.process.scan(phone.ticket_text(NOW_S, 1)).reason == "already_paid"
    second.process.stop()


# --- what a stolen disk holds (A12) -----------------------------------------------------------------------


def test_a_validators_disk_holds_no_master_key_but_k1(bus: Bus, tmp_path: Path, issuer: Issuer) -> None:
    from fare.fleet import write_kit

    bus.tap("one")
    bus.process.scan(issuer.phone().ticket_text(NOW_S, 1))
    bus.process.journal.store_bundle(issuer.bundle(9))
    kit = tmp_path / "kit"
    write_kit(
        kit,
        device_id=7,
        ledger_url="http://127.0.0.1:9",
        bundle_keys={1: issuer.bundle_key.public_key().public_bytes_raw()},
        claim_code="c" * 32,
        card_keys=ValidatorKeys({1: issuer.masters.k1}, SYSTEM_ID),
    )
    image = b"".join(
        path.read_bytes()
        for folder in (kit, tmp_path / "state")
        for path in folder.rglob("*")
        if path.is_file()
    )
    masters = issuer.masters
    own = CardKeys.for_card(masters, issuer.uids[1001])
    secret = [masters.picc, masters.k0, masters.k2, masters.tm, own.picc, own.k0, own.k2, own.tm]
    signers = (issuer.card_key, issuer.channel_key, issuer.bundle_key, issuer.ack_key)
    secret += [key.private_bytes_raw() for key in signers]
    for key in secret:
        assert key not in image
        assert key.hex().encode() not in image.lower()
    assert masters.k1.hex().encode() in image
    modes = {path.stat().st_mode & 0o077 for path in [*kit.iterdir(), *(tmp_path / "state").iterdir()]}
    assert modes == {0}


# --- between bus and ledger -------------------------------------------------------------------------------


def test_no_bundle_that_is_old_mixed_or_changed_leaves_a_trace(bus: Bus, issuer: Issuer) -> None:
    """A14. Every single bit of the envelope, and parts of two genuine bundles put together."""
    bundles, journal = bus.process.bundles, bus.process.journal
    older, newer = issuer.bundle(4), issuer.bundle(6, denied_cards=frozenset({1001}))
    bundles.offer(issuer.bundle(5))
    before = journal.stored_bundle()
    forged: list[bytes] = []
    for bit in range(8 * len(newer)):
        changed = bytearray(newer)
        changed[bit // 8] ^= 1 << bit % 8
        forged.append(bytes(changed))
    forged += [newer[:-64] + older[-64:], newer[:-1], newer + b"\0", b"", split(newer)[0]]
    for one in forged:
        with pytest.raises((BadSignature, MalformedDocument)):
            bundles.offer(one)
    for rolled_back in (older, issuer.bundle(9, epoch=bytes(8), issued_at_s=NOW_S - 1)):
        with pytest.raises(BundleRefused):
            bundles.offer(rolled_back)
    assert journal.stored_bundle() == before
    assert bundles.current is not None
    assert bundles.current.bundle.version.n == 5
    # An old bundle is not a dead bus.
    bus.clock.pass_s(90 * 86_400)
    assert bus.tap("one").lamp is Lamp.GREEN


@pytest.fixture
def ledger(issuer: Issuer) -> Iterator[LedgerServer]:
    with serving(issuer) as server:
        yield server


def test_an_old_acknowledgement_played_again_does_not_turn_the_clock_back(
    issuer: Issuer, cards: Path, tmp_path: Path, ledger: LedgerServer
) -> None:
    """It would let yesterday's screenshot ride."""
    clock = ManualClock()
    process = new_process(issuer, cards, tmp_path / "online", ledger.url, clock)
    assert process.synchroniser.step()
    process.scan("one")
    assert process.synchroniser.step()
    old = ledger.last_answer
    ledger.ledger.now_ms += 3_600_000
    process.scan("two")
    assert process.synchroniser.step()
    assert clock.heard[-1] == ledger.ledger.now_ms
    process.scan("three")
    ledger.last_answer, ledger.faults = old, ["repeat"]
    process.synchroniser.step()
    assert clock.heard == sorted(clock.heard)
    assert process.synchroniser.step()
    assert process.journal.unsent_count() == 0
    process.stop()
