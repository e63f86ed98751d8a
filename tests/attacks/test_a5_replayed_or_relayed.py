"""A5: recorded APDUs are played again, to the validator or to the card; a card is relayed from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from fare.core.tap import Outcome
from hardware.emulator.faults import Fault, FaultKind
from readers.card_taps import MAX_READING_MS
from readers.shown import Lamp
from tests.collection.bus import NOON, City
from tests.readers.bus import FARE_RIAL, Bus, Issuer, ManualClock, open_bus
from tests.readers.chips import Transmit, chip_with, present, put_back
from tests.readers.conftest import bus, cards, issuer
from tests.readers.exact_cards import spent
from tests.reconciliation.build import close, found
from tests.settlement.build import loaded_card

__all__ = ["bus", "cards", "issuer"]

READS = 8
"""APDUs before the decision."""
RELAYED_MS = 2 * 60
"""What two hops of a mobile network add to an APDU."""


# --- replayed ---------------------------------------------------------------------------------------------


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


def test_recorded_commands_played_to_the_card_debit_nothing(bus: Bus) -> None:
    """Somebody with a reader in a crowd, and what a validator once said to this very card."""
    tape: list[bytes] = []
    chip = chip_with(bus.issuer, 1001)

    def recorder(apdu: bytes) -> bytes:
        tape.append(apdu)
        return chip.transmit(apdu)

    assert present(bus, recorder).lamp is Lamp.GREEN
    for start in range(len(tape)):
        put_back(chip)
        for apdu in tape[start:]:
            chip.transmit(apdu)
    assert spent(chip) == FARE_RIAL


# --- relayed ----------------------------------------------------------------------------------------------


def relayed(bus: Bus, transmit: Transmit, each_ms: float) -> Transmit:
    """A card elsewhere, whose answers come `each_ms` later."""

    def later(apdu: bytes) -> bytes:
        bus.clock.pass_s(each_ms / 1000)
        return transmit(apdu)

    return later


def test_a_relayed_card_is_refused_before_anything_is_written(bus: Bus) -> None:
    chip = chip_with(bus.issuer, 1001)
    shown = present(bus, relayed(bus, chip.transmit, RELAYED_MS))
    assert (shown.lamp, shown.reason, shown.fare_rial) == (Lamp.AMBER, "card_too_slow", 0)
    (tap,) = bus.journalled()
    assert (tap.outcome, tap.reason) == (Outcome.REFUSED, "card_too_slow")
    assert tap.card is not None, "it did authenticate, so the ledger is told which card was relayed"
    assert tap.card.record_written is None
    assert spent(chip) == 0
    put_back(chip)
    assert present(bus, chip.transmit).lamp is Lamp.GREEN


def test_the_bound_is_what_it_says_and_far_from_what_a_reader_takes(bus: Bus) -> None:
    """A USB reader needs 10 ms an APDU; twice a slow one's still rides."""
    for serial, (each_ms, lamp) in enumerate(
        (
            (10, Lamp.GREEN),
            (50, Lamp.GREEN),
            (MAX_READING_MS / READS, Lamp.GREEN),
            (MAX_READING_MS / READS + 1, Lamp.AMBER),
        ),
        1001,
    ):
        chip = chip_with(bus.issuer, serial)
        assert present(bus, relayed(bus, chip.transmit, each_ms)).lamp is lamp, each_ms


def test_a_torn_tap_is_not_completed_through_a_relay(bus: Bus) -> None:
    chip = chip_with(bus.issuer, 1001)
    committed = 0xC7

    def torn(apdu: bytes) -> bytes:
        answer = chip.transmit(apdu)
        return b"" if apdu[1] == committed else answer

    assert present(bus, torn).reason == "card_torn"
    put_back(chip)
    assert present(bus, relayed(bus, chip.transmit, RELAYED_MS)).reason == "card_too_slow"
    put_back(chip)
    assert present(bus, chip.transmit).recovered
    assert spent(chip) == FARE_RIAL


class FollowingClock(ManualClock):
    """A clock that moves when told to, and with the time that really passes."""

    def mono_ns(self) -> int:
        return self.mono + time.monotonic_ns()


def test_a_reader_whose_answers_really_come_late_is_measured(
    issuer: Issuer, cards: Path, tmp_path: Path
) -> None:
    late = open_bus(issuer, cards, tmp_path / "late", clock=FollowingClock())
    late.reader.faults.arm(Fault(FaultKind.DELAY_REPLY, nth=READS, delay_ms=MAX_READING_MS + 20))
    assert late.tap("one").reason == "card_too_slow"
    assert late.spent("one") == 0
    late.process.stop()


def test_a_relay_that_is_fast_enough_is_found_by_its_travel(city: City) -> None:
    """The rider's own tap and the thief's, seconds apart on two buses: no card is in both."""
    here, far_away = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, load = loaded_card(city)
    here.ride(card, NOON, deliver=load)
    far_away.ride(card, NOON + timedelta(seconds=20))
    here.send()
    far_away.send()
    close(city)
    assert found(city) == [f"card:impossible_travel:{card.serial}:3"]
