"""Exactly once: whatever is cut, at any step, of any card, the rider pays 0 or 1 fare for one boarding.

Each trial is a first presentation that meets one cut, then the card laid down again: at the same validator
soon or later, at another one, with the validator's power lost in between or not. After each, the same laws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest

from fare.core.tap import Outcome, Tap
from fare.core.tariff.state_life import SAME_TRIP_S
from readers.shown import Lamp, Shown
from readers.torn_taps import RECOVERY_WINDOW_S
from tests.readers.bus import Issuer, ManualClock
from tests.readers.exact_cards import (
    HERE,
    THERE,
    CardCase,
    Cut,
    Stand,
    Torn,
    card_cases,
    counter,
    proven,
    spent,
)

READS = ("FF CA", "5A", "71", "AF", "AD", "AD", "AB", "6C")
FIELD_CUTS = (Cut.FIELD_BEFORE, Cut.FIELD_AFTER, Cut.REPLY_LOST)
NEXT_RIDE_S = SAME_TRIP_S + 1
"""Sooner, the same card at the same bus pays for a companion, whom no pass covers."""
POWER_CUTS = (Cut.POWER_BEFORE, Cut.POWER_AFTER)


class Back(StrEnum):
    """Where and when the rider lays the card down again."""

    SOON = "soon"
    LATER = "later"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Trial:
    """One cut and one return. `row` names a journal row at which the power fails, instead of an APDU."""

    cut: Cut | None
    nth: int
    back: Back
    power_cycle: bool = False
    byte: int = 0
    row: str = ""
    row_written: bool = False


class Place:
    """Two buses and their clock, for all trials of one card."""

    def __init__(self, case: CardCase, issuer: Issuer, folder: Path) -> None:
        self.case, self.issuer, self.clock = case, issuer, ManualClock()
        self.here = Stand(case, issuer, folder / "here", HERE, self.clock)
        self.there = Stand(case, issuer, folder / "there", THERE, self.clock)

    def close(self) -> None:
        self.here.journal.close()
        self.there.journal.close()


def run_trial(place: Place, trial: Trial) -> None:
    """Present, cut, come back; then the laws."""
    place.clock.pass_s(10 * RECOVERY_WINDOW_S)  # nothing of an earlier trial can be recovered
    here, there = place.here, place.there
    heads = here.journal.next_seq - 1, there.journal.next_seq - 1
    chip = place.case.chip()
    before = spent(chip), counter(chip)
    if trial.row:
        here.fail_at(trial.row, written=trial.row_written)
    first = here.present(Torn(chip, trial.cut, trial.nth, trial.byte))
    debited, committed = spent(chip) - before[0], counter(chip) - before[1]
    assert debited in (0, place.case.fare_rial or 0)
    if first is None or trial.power_cycle:
        here.power_cycle()
    place.clock.pass_s(NEXT_RIDE_S if trial.back is Back.LATER else 5)
    second = (there if trial.back is Back.ELSEWHERE else here).present(Torn(chip))
    assert second is not None
    taps = here.taps_after(heads[0]) + there.taps_after(heads[1])
    check_lamps(taps, first, second)
    assert counter(chip) - before[1] <= 2
    check_evidence(place, taps, before[1], counter(chip))
    if place.case.fare_rial is None:
        check_refused(place.case, first, second, spent(chip) - before[0], counter(chip) - before[1])
    else:
        check_ride(place.case, trial, first, second, committed, spent(chip) - before[0])


def check_lamps(taps: list[Tap], first: Shown | None, second: Shown) -> None:
    """Green exactly when the journal has it accepted; what is unconfirmed is never called failed."""
    lamps = [shown for shown in (first, second) if shown is not None]
    green = sum(shown.lamp is Lamp.GREEN for shown in lamps)
    accepted = [tap for tap in taps if tap.outcome is Outcome.ACCEPTED]
    # A power cut between the disk and the lamp leaves one accepted tap that nobody saw.
    assert len(accepted) - green in ((0,) if first is not None else (0, 1))
    for shown in lamps:
        tap = next((t for t in taps if t.seq == shown.seq and t.wall_ms == shown.at_ms), None)
        assert (shown.lamp is Lamp.GREEN) == (tap is not None and tap.outcome is Outcome.ACCEPTED)
        if tap is not None and tap.outcome is Outcome.UNCONFIRMED:
            assert (shown.lamp, shown.reason, shown.fare_rial) == (Lamp.AMBER, "card_torn", 0)


def check_evidence(place: Place, taps: list[Tap], first_tmc: int, last_tmc: int) -> None:
    """Every commit of the card is proven by some tap: its own, its recovery, or the next."""
    assert proven(place.case, place.issuer, taps) == set(range(first_tmc + 1, last_tmc + 1))
    told = [tap.card for tap in taps if tap.card is not None]
    assert first_tmc in {evidence.previous.tmc for evidence in told}, "the tap before these is proven too"


def check_ride(
    case: CardCase, trial: Trial, first: Shown | None, second: Shown, committed: int, debited: int
) -> None:
    """One boarding, one fare: the return completes the tap, or is the ride."""
    fare_rial = case.fare_rial or 0
    assert first is None or first.lamp is not Lamp.GREEN
    assert second.lamp is Lamp.GREEN
    if trial.back is Back.SOON:
        assert debited == fare_rial
        assert second.recovered == bool(committed)
    else:  # the torn tap is evidence only, and the return is a ride of its own
        assert debited == fare_rial * (committed + 1)
        assert not second.recovered


def check_refused(case: CardCase, first: Shown | None, second: Shown, debited: int, committed: int) -> None:
    """Never green, never a debit; a block is written once."""
    assert debited == 0
    assert committed == (1 if case.blocks else 0)
    assert second.lamp is Lamp.RED
    assert second.reason in {"card_denied", "card_blocked"}
    assert first is None or first.lamp is not Lamp.GREEN


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def cases(issuer: Issuer) -> list[CardCase]:
    return card_cases(issuer)


@pytest.fixture(scope="module")
def places(
    issuer: Issuer, cases: list[CardCase], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Place]]:
    made = [Place(case, issuer, tmp_path_factory.mktemp("stand")) for case in cases]
    yield made
    for place in made:
        place.close()


def run_all(place: Place, trials: list[Trial]) -> None:
    for trial in trials:
        try:
            run_trial(place, trial)
        except AssertionError as fault:
            raise AssertionError(f"{place.case.name}: {trial}\n{fault}") from fault


def test_undisturbed_each_card_takes_the_apdus_it_should(places: list[Place]) -> None:
    for place in places:
        place.clock.pass_s(10 * RECOVERY_WINDOW_S)
        chip = place.case.chip()
        torn = Torn(chip)
        before = spent(chip)
        shown = place.here.present(torn)
        assert shown is not None
        assert len(torn.sent) == place.case.apdus, place.case.name
        assert shown.lamp is (Lamp.RED if place.case.fare_rial is None else Lamp.GREEN)
        assert spent(chip) - before == (place.case.fare_rial or 0)
        assert torn.sent.count(0xC7) == (0 if place.case.apdus == len(READS) else 1)


def first_write(case: CardCase) -> int:
    """The number of the first APDU after the decision."""
    extra = len(case.keys.versions) - 1 + case.reading.abort_after_reads
    return len(READS) + extra + 1


def test_a_card_cut_while_it_is_read_is_as_it_was(places: list[Place]) -> None:
    for place in places:
        run_all(
            place,
            [
                Trial(cut, nth, Back.SOON)
                for nth in range(1, first_write(place.case))
                for cut in (*FIELD_CUTS, *POWER_CUTS)
            ],
        )


def test_a_card_cut_while_it_is_written_pays_once(places: list[Place]) -> None:
    for place in places:
        writes = range(first_write(place.case), place.case.apdus + 1)
        field = [
            Trial(cut, nth, back, power_cycle)
            for nth in writes
            for cut in FIELD_CUTS
            for back in Back
            for power_cycle in ((False,) if back is Back.ELSEWHERE else (False, True))
        ]
        power = [Trial(cut, nth, back) for nth in writes for cut in POWER_CUTS for back in Back]
        run_all(place, field + power)


def test_a_validator_that_loses_power_at_its_journal_charges_once(places: list[Place]) -> None:
    for place in places:
        if place.case.apdus > len(READS):
            run_all(
                place,
                [
                    Trial(None, 0, back, row=row, row_written=written)
                    for row in ("write_intent", "write_outcome")
                    for written in (False, True)
                    for back in Back
                ],
            )


def test_a_changed_byte_in_any_reply_is_never_green(places: list[Place]) -> None:
    for place in places:
        run_all(
            place,
            [
                Trial(Cut.REPLY_CHANGED, nth, Back.SOON, byte=byte)
                for nth in range(1, place.case.apdus + 1)
                for byte in (0, -3, -1)
            ],
        )
