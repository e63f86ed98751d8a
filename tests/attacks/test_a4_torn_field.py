"""A4: the field is cut before and after every APDU. The debit is 0 or 1, and a return within 30 s completes
the tap without a second one.

Every state of a card, every lost reply and every power cut is in `tests/readers/test_exactly_once.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fare.core.tap import Outcome
from hardware.emulator.faults import Fault, FaultKind
from readers.shown import Lamp
from tests.readers.bus import FARE_RIAL, LOADED_RIAL, Bus, Issuer, ManualClock, open_bus
from tests.readers.conftest import bus, cards, issuer
from tests.readers.exact_cards import HERE, CardCase, Cut, Stand, Torn, card_cases, counter, spent

__all__ = ["bus", "cards", "issuer"]

APDUS = 11
COMMIT = 0xC7
CUTS = (FaultKind.CUT_BEFORE, FaultKind.CUT_AFTER)


def test_a_card_torn_at_any_apdu_pays_once_when_it_comes_back(bus: Bus) -> None:
    """Through the reader that stands in for a real one, whose card leaves the field."""
    for serial, (nth, kind) in enumerate(((n, k) for n in range(1, APDUS + 1) for k in CUTS), 2000):
        name = f"card-{serial}"
        bus.issuer.make_card(bus.folder, name, serial)
        head = len(bus.journalled())
        bus.reader.faults.arm(Fault(kind, nth=nth))
        assert bus.tap(name).lamp is Lamp.AMBER
        committed = (nth, kind) == (APDUS, FaultKind.CUT_AFTER)
        assert bus.spent(name) == (FARE_RIAL if committed else 0)
        bus.clock.pass_s(5)
        second = bus.tap(name)
        assert (second.lamp, second.balance_rial) == (Lamp.GREEN, LOADED_RIAL - FARE_RIAL)
        assert bus.spent(name) == FARE_RIAL
        assert second.recovered is committed
        taps = bus.journalled()[head:]
        first = {9: [Outcome.REFUSED], 10: [Outcome.REFUSED], 11: [Outcome.UNCONFIRMED]}.get(nth, [])
        assert [tap.outcome for tap in taps] == [*first, Outcome.ACCEPTED]
        assert bus.issuer.proof_verifies(taps[-1])


@pytest.fixture
def pass_case() -> tuple[Issuer, CardCase]:
    issuer = Issuer()
    return issuer, next(case for case in card_cases(issuer) if case.name == "pass")


def test_a_pass_torn_before_its_commit_is_no_ride_to_complete(
    pass_case: tuple[Issuer, CardCase], tmp_path: Path
) -> None:
    """Its purse says nothing, since nothing is debited: the record alone tells that nothing was committed."""
    issuer, case = pass_case
    stand = Stand(case, issuer, tmp_path / "here", HERE, ManualClock())
    chip = case.chip()
    before = counter(chip)
    assert stand.present(Torn(chip, Cut.FIELD_BEFORE, nth=case.apdus)) is not None
    again = stand.present(Torn(chip))
    assert again is not None
    assert (again.lamp, again.recovered, spent(chip)) == (Lamp.GREEN, False, 0)
    assert counter(chip) == before + 1
    stand.journal.close()


@pytest.mark.parametrize(("later_s", "debits"), [(30, 1), (31, 2)])
def test_the_return_completes_the_tap_for_30_s_and_is_a_ride_of_its_own_after(
    bus: Bus, later_s: int, debits: int
) -> None:
    bus.reader.faults.arm(Fault(FaultKind.CUT_AFTER, ins=COMMIT))
    assert bus.tap("one").reason == "card_torn"
    bus.clock.pass_s(later_s)
    assert bus.tap("one").lamp is Lamp.GREEN
    assert bus.spent("one") == debits * FARE_RIAL


def test_a_validator_that_lost_its_power_at_the_commit_completes_the_tap(
    bus: Bus, issuer: Issuer, tmp_path: Path
) -> None:
    write_outcome = bus.process.journal.write_outcome

    class PowerCut(BaseException):
        """Nothing runs any further."""

    def cut(tap: object) -> None:
        raise PowerCut

    bus.process.journal.write_outcome = cut  # type: ignore[method-assign]
    with pytest.raises(PowerCut):
        bus.tap("one")
    bus.process.journal.write_outcome = write_outcome  # type: ignore[method-assign]
    bus.reader.remove()
    bus.process.journal.close()
    bus.clock.pass_s(90)  # the bus was dark for a while: its rider has waited, and was shown no lamp
    again = open_bus(issuer, bus.folder, tmp_path / "state", clock=bus.clock)
    assert again.tap("one").recovered
    assert again.spent("one") == FARE_RIAL
    again.process.stop()
