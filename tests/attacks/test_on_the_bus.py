"""A rider with a card editor or a screenshot, and somebody between the bus and its ledger."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from fare.core.desfire.application import open_card, run
from fare.core.desfire.errors import AuthenticationFailed
from fare.core.desfire.keys import CardKey, CardKeys, KeyPurpose, ValidatorKeys
from fare.core.errors import MalformedDocument
from fare.core.signed import BadSignature, split
from readers.bundles import BundleRefused
from readers.shown import Lamp
from tests.readers.bus import FARE_RIAL, NOW_S, SYSTEM_ID, Bus, Issuer, ManualClock, open_bus
from tests.readers.chips import Transmit, chip_with, present, put_back
from tests.readers.conftest import bus, cards, issuer
from tests.readers.ledger_server import LedgerServer, serving
from tests.readers.test_sync import new_process

__all__ = ["bus", "cards", "issuer"]

STRANGERS = 1_000
OTHERS = 10_000
UID_ANSWER = b"\x04" + (1001).to_bytes(6, "big") + b"\x90\x00"


# --- not genuine (A1), keys of another card (A3), a recording (A5) ----------------------------------------


def plain(draw: random.Random) -> Transmit:
    """A UID, and one answer to whatever is asked: Classic, Ultralight, bank cards, bare UIDs."""
    uid = draw.randbytes(draw.choice((4, 7, 7, 10))) + b"\x90\x00"
    status = draw.choice((b"\x6a\x81", b"\x6e\x00", b"\x91\xa0", b"\x91\x00", b"\x91\xaf", b"\x90\x00", b""))
    answer = draw.randbytes(draw.choice((0, 0, 1, 8, 16, 32))) + status
    return lambda apdu: uid if apdu[:2] == b"\xff\xca" else answer


def talkative(draw: random.Random) -> Transmit:
    """The UID of a card of ours, and well-formed answers that no key made."""
    sizes = {0x5A: 0, 0x71: 16, 0xAF: 32, 0xAD: 136, 0xAB: 40, 0x6C: 12, 0xC7: 20}

    def transmit(apdu: bytes) -> bytes:
        if apdu[:2] == b"\xff\xca":
            return UID_ANSWER
        return draw.randbytes(sizes.get(apdu[1], 8)) + (b"\x91\xaf" if apdu[1] == 0x71 else b"\x91\x00")

    return transmit


def test_of_a_thousand_cards_that_are_not_genuine_none_rides(bus: Bus) -> None:
    draw = random.Random(1)
    foreign = Issuer()
    for n in range(STRANGERS):
        # Every tenth is a whole card of another system, under a UID of ours.
        kind = draw.choice((plain, talkative))
        transmit = kind(draw) if n % 10 else chip_with(foreign, 1001).transmit
        shown = present(bus, transmit)
        assert shown.lamp is not Lamp.GREEN
        assert shown.reason in {"not_our_card", "card_not_genuine", "held_too_short"}
    assert not [tap for tap in bus.journalled() if tap.card is not None or tap.fare_rial]


def test_a_card_with_an_edited_entitlement_does_not_ride(bus: Bus) -> None:
    """Written with the validator's own key, which may write file 01."""
    issuer = bus.issuer
    chip_with(issuer, 1002)
    true, others = issuer.entitlement(1001), issuer.entitlement(1002, loaded=4_000_000)
    richer = bytearray(true)
    richer[22:26] = (4_000_000).to_bytes(4, "little")
    mine = Issuer()
    mine.uids[1001] = issuer.uids[1001]
    for edited in (bytes(richer), others, mine.entitlement(1001, loaded=4_000_000), bytes(128)):
        shown = present(bus, chip_with(issuer, 1001, edited).transmit)
        assert (shown.lamp, shown.reason) == (Lamp.RED, "bad_entitlement")


def test_the_keys_of_one_card_open_none_of_ten_thousand_others(issuer: Issuer) -> None:
    dumped = CardKeys.for_card(issuer.masters, b"\x04" + (1001).to_bytes(6, "big"))
    names = ("picc", "k0", "k1", "k2", "tm")
    held = {getattr(dumped, name) for name in names}
    assert len(held) == len(names)
    for serial in range(2_000, 2_000 + OTHERS):
        other = CardKeys.for_card(issuer.masters, b"\x04" + serial.to_bytes(6, "big"))
        assert held.isdisjoint(getattr(other, name) for name in names)


def test_a_validator_that_thinks_all_cards_are_one_opens_none(issuer: Issuer) -> None:
    """A thief with one card's k1 who answers every UID with it."""

    class OneKey(ValidatorKeys):
        def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
            return issuer.masters.key(purpose, version, b"\x04" + (1001).to_bytes(6, "big"))

    keys = OneKey({1: bytes(16)}, SYSTEM_ID)
    draw = random.Random(3)
    run(open_card(keys, lambda: draw.randbytes(16)), chip_with(issuer, 1001).transmit)
    for serial in range(3_000, 3_020):
        with pytest.raises(AuthenticationFailed):
            run(open_card(keys, lambda: draw.randbytes(16)), chip_with(issuer, serial).transmit)


def test_a_recorded_ride_played_to_the_validator_is_refused(bus: Bus) -> None:
    tape: list[bytes] = []
    chip = chip_with(bus.issuer, 1001)

    def recorder(apdu: bytes) -> bytes:
        tape.append(chip.transmit(apdu))
        return tape[-1]

    assert present(bus, recorder).lamp is Lamp.GREEN
    for _ in range(20):
        answers = iter(tape)
        shown = present(bus, lambda _apdu, answers=answers: next(answers, b"\x91\x1e"))
        assert (shown.lamp, shown.reason) == (Lamp.RED, "card_not_genuine")
    assert sum(tap.fare_rial for tap in bus.journalled()) == FARE_RIAL


def test_a_recording_of_one_card_is_no_use_with_another(bus: Bus) -> None:
    """The genuine card opens the session; a recording goes on."""
    tape: list[tuple[int, bytes]] = []
    chip, other = chip_with(bus.issuer, 1001), chip_with(bus.issuer, 1002)

    def recorder(apdu: bytes) -> bytes:
        tape.append((apdu[1], chip.transmit(apdu)))
        return tape[-1][1]

    assert present(bus, recorder).lamp is Lamp.GREEN
    for switch_at in range(4, len(tape)):
        steps = iter(range(len(tape)))

        def mixed(apdu: bytes, steps: Iterator[int] = steps, switch_at: int = switch_at) -> bytes:
            step = next(steps, 0)
            return other.transmit(apdu) if step < switch_at else tape[step][1]

        put_back(other)
        assert present(bus, mixed).lamp is not Lamp.GREEN


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
    assert process.sync_once()
    process.scan("one")
    assert process.sync_once()
    old = ledger.last_answer
    ledger.ledger.now_ms += 3_600_000
    process.scan("two")
    assert process.sync_once()
    assert clock.heard[-1] == ledger.ledger.now_ms
    process.scan("three")
    ledger.last_answer, ledger.faults = old, ["repeat"]
    process.sync_once()
    assert clock.heard == sorted(clock.heard)
    assert process.sync_once()
    assert process.journal.unsent_count() == 0
    process.stop()
