"""A phone's ticket, from text to lamp, and the cards that hang while it is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fare.core.card_record import decode
from fare.core.proof.mp1 import decode_paper
from fare.core.tap import Outcome
from fare.core.tariff.model import FareProduct, flat_tariff
from readers.shown import Lamp, Shown
from tests.readers.bus import FARE_RIAL, NOW_S, Bus, Issuer, open_bus
from tests.readers.chips import chip_with, present
from tests.readers.ledger_server import serving


def test_a_phone_rides_once(bus: Bus) -> None:
    phone = bus.issuer.phone()
    shown = bus.process.scan(phone.ticket_text(NOW_S, 1))
    assert (shown.lamp, shown.fare_rial, shown.rides_left) == (Lamp.GREEN, FARE_RIAL, 4)
    assert bus.process.scan(phone.ticket_text(NOW_S + 1, 1)).reason == "already_paid"
    assert bus.process.scan(phone.ticket_text(NOW_S + 1, 2)).lamp is Lamp.GREEN
    accepted, refused, _ = bus.journalled()
    assert accepted.ticket is not None
    assert refused.ticket is None


def test_companions_pay_and_use_up_their_rides(bus: Bus) -> None:
    phone = bus.issuer.phone()
    shown = bus.process.scan(phone.ticket_text(NOW_S, 1, 3))
    assert (shown.fare_rial, shown.pax, shown.rides_left) == (3 * FARE_RIAL, 3, 2)
    assert bus.process.scan(phone.ticket_text(NOW_S, 3)).reason == "already_paid"
    assert bus.process.scan(phone.ticket_text(NOW_S, 4, 3)).reason == "counter_exhausted"


def test_a_paid_ride_is_refused_after_a_restart(bus: Bus, tmp_path: Path, issuer: Issuer) -> None:
    phone = bus.issuer.phone()
    bus.process.scan(phone.ticket_text(NOW_S, 1))
    bus.process.stop()
    bus.clock.pass_s(31)
    again = open_bus(issuer, bus.folder, tmp_path / "state", clock=bus.clock)
    assert again.process.scan(phone.ticket_text(NOW_S + 31, 1)).reason == "already_paid"
    again.process.stop()


def test_a_ticket_whose_lamp_was_lost_is_shown_green_once_more_by_the_same_tap(
    bus: Bus, tmp_path: Path, issuer: Issuer
) -> None:
    phone, other = bus.issuer.phone(), bus.issuer.phone()
    bus.process.scan(other.ticket_text(NOW_S, 1))
    charged = bus.process.scan(phone.ticket_text(NOW_S, 2, 2))
    bus.process.stop()
    bus.clock.pass_s(20)
    again = open_bus(issuer, bus.folder, tmp_path / "state", clock=bus.clock)
    # Not for another ride, nor for other companions, nor for an older tap.
    assert again.process.scan(phone.ticket_text(NOW_S + 20, 2)).reason == "already_paid"
    assert again.process.scan(other.ticket_text(NOW_S + 20, 1)).reason == "already_paid"
    taps = len(again.journalled())
    shown = again.process.scan(phone.ticket_text(NOW_S + 20, 2, 2))
    assert (shown.lamp, shown.recovered, shown.seq) == (Lamp.GREEN, True, charged.seq)
    assert (shown.fare_rial, shown.pax, shown.rides_left) == (2 * FARE_RIAL, 2, 2)
    assert len(again.journalled()) == taps
    assert again.process.scan(phone.ticket_text(NOW_S + 21, 2, 2)).reason == "already_paid"
    again.process.stop()


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "not_a_ticket"), ("سلام", "not_a_ticket"), ("MC1:A", "malformed"), ("M" * 5_000, "too_long")],
)
def test_any_other_text_is_a_refusal(bus: Bus, text: str, reason: str) -> None:
    assert bus.process.scan(text).reason == reason


def test_one_screen_held_before_the_scanner_is_one_tap(bus: Bus) -> None:
    for _ in range(20):
        assert bus.process.scan("hello").lamp is Lamp.RED
        bus.clock.pass_s(0.2)
    assert len(bus.journalled()) == 1


def test_stale_tickets_and_a_clock_that_is_not_synchronised(bus: Bus) -> None:
    phone = bus.issuer.phone()
    assert bus.process.scan(phone.ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    bus.clock.pass_s(100)
    assert bus.process.scan(phone.ticket_text(NOW_S, 2)).reason == "stale"
    bus.clock.synchronised = False
    assert bus.process.scan(phone.ticket_text(NOW_S, 3)).reason == "already_paid"  # one ride for each cti
    other = bus.issuer.phone()
    assert bus.process.scan(other.ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    assert bus.journalled()[-1].flags == ("clock_unsynchronised",)


def test_a_ticket_that_does_not_cover_the_fare_is_refused(bus: Bus) -> None:
    dear = flat_tariff(2, "dear", {0: FareProduct("adult", "adult", FARE_RIAL + 1)})
    bus.process.bundles.offer(bus.issuer.bundle(2, tariffs=((0, dear),)))
    assert bus.process.scan(bus.issuer.phone().ticket_text(NOW_S, 1)).reason == "insufficient_balance"


# --- paper ---


def test_a_paper_ticket_for_this_bus_rides_once_without_a_line(bus: Bus) -> None:
    text = bus.issuer.paper("bus-7")
    shown = bus.process.scan(f"  {text}\r\n")
    assert (shown.lamp, shown.fare_rial, shown.rides_left) == (Lamp.GREEN, FARE_RIAL, 0)
    assert bus.process.scan(text).reason == "already_paid"
    assert bus.process.scan(bus.issuer.paper("bus-8")).reason == "wrong_vehicle"
    assert bus.journalled()[0].ticket == text


def test_a_paper_ticket_for_any_bus_asks_the_ledger_once(issuer: Issuer, cards: Path, tmp_path: Path) -> None:
    with serving(issuer) as ledger:
        bus = open_bus(issuer, cards, tmp_path / "state", ledger_url=ledger.url)
        assert bus.process.synchroniser.step()
        text = issuer.paper(None)
        assert bus.process.scan(text).lamp is Lamp.GREEN
        assert bus.process.scan(text).reason == "already_paid"
        assert ledger.redeemed == [decode_paper(text).cti]
        for answer, reason in (
            ("already_redeemed", "already_paid"),
            ("not_valid", "expired"),
            ("other_vehicle", "wrong_vehicle"),
            ("unknown_ticket", "denylisted"),
            ("a word of later years", "needs_line"),
        ):
            ledger.redemption = answer
            assert bus.process.scan(issuer.paper(None)).reason == reason
        # No line, and a line on which nobody answers: red soon, and nothing is taken.
        ledger.redemption = "granted"
        waiting = issuer.paper(None)
        ledger.answer_now.clear()
        began_s = time.monotonic()
        assert bus.process.scan(waiting).reason == "needs_line"
        assert time.monotonic() - began_s < 3
        ledger.answer_now.set()
        bus.process.cut_uplink()
        assert bus.process.scan(issuer.paper(None)).reason == "needs_line"
        bus.process.restore_uplink()
        assert bus.process.scan(waiting).lamp is Lamp.GREEN
        assert [tap.outcome for tap in bus.journalled()].count(Outcome.ACCEPTED) == 2
        bus.process.stop()


# --- a card whose reader hangs ---


def hung(bus: Bus, card: Callable[[bytes], bytes], *, lost: bool = False) -> Shown:
    """The card's answer, whose reader hung at Commit until a phone had ridden; `lost`: no reply ever came."""
    hanging, go_on = threading.Event(), threading.Event()

    def hang(apdu: bytes) -> bytes:
        reply = card(apdu)
        if apdu[1] == 0xC7:
            hanging.set()
            assert go_on.wait(10)
            return b"" if lost else reply
        return reply

    shown: list[Shown] = []
    thread = threading.Thread(target=lambda: shown.append(present(bus, hang)))
    thread.start()
    assert hanging.wait(10)
    assert bus.process.scan(bus.issuer.phone().ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    go_on.set()
    thread.join(10)
    return shown[0]


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readers.ticket_taps.HUNG_CARD_S", 0.05)


@pytest.mark.usefixtures("short_wait")
def test_a_hanging_card_does_not_stop_the_phones(bus: Bus) -> None:
    """The ticket settles the hung tap as unconfirmed; the proof that comes after all is its recovery."""
    assert hung(bus, chip_with(bus.issuer, 1001).transmit).lamp is Lamp.GREEN
    unconfirmed, phone, recovery = bus.journalled()
    assert (unconfirmed.outcome, phone.outcome) == (Outcome.UNCONFIRMED, Outcome.ACCEPTED)
    assert (recovery.outcome, recovery.recovers) == (Outcome.ACCEPTED, unconfirmed.seq)
    assert (recovery.fare_rial, bus.issuer.proof_verifies(recovery)) == (FARE_RIAL, True)


@pytest.mark.usefixtures("short_wait")
def test_a_block_that_hung_is_proven_late_or_not_at_all_and_red_either_way(bus: Bus, issuer: Issuer) -> None:
    bus.process.bundles.offer(issuer.bundle(2, denied_cards=frozenset({1001, 1002})))
    shown = hung(bus, chip_with(issuer, 1001).transmit)
    assert (shown.lamp, shown.reason) == (Lamp.RED, "card_denied")
    without, phone, late = bus.journalled()
    assert phone.ticket is not None
    assert without.card is not None
    assert without.card.record_written is not None
    assert late.card is not None
    written = decode(without.card.record_written)
    assert (written.blocked, written.seq, without.card.proof) == (True, without.seq, None)
    assert (late.recovers, late.card.record_written) == (without.seq, without.card.record_written)
    assert issuer.proof_verifies(late)
    for tap in (without, late):
        assert (tap.outcome, tap.reason, tap.fare_rial) == (Outcome.REFUSED, "card_denied", 0)
    # One whose reply never came leaves no more than the ticket settled.
    shown = hung(bus, chip_with(issuer, 1002).transmit, lost=True)
    assert (shown.lamp, shown.reason) == (Lamp.RED, "card_denied")
    unproven, _ = bus.journalled()[3:]
    assert unproven.card is not None
    assert (unproven.outcome, unproven.reason, unproven.card.proof) == (Outcome.REFUSED, "card_denied", None)
