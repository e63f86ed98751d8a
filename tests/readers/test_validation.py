"""One tap, from medium to lamp: every rule of order, every tear, every replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from fare.core.tap import Outcome
from hardware.emulator.faults import Fault, FaultKind
from readers.shown import Lamp
from tests.readers.bus import FARE_RIAL, LOADED_RIAL, Bus, Issuer, open_bus

TAP_APDUS = ["FFCA", "5A", "71", "AF", "AD1", "AD2", "AB", "6C", "DC", "8B", "C7"]


def test_a_card_rides_and_the_ledger_can_prove_it(bus: Bus) -> None:
    shown = bus.tap("one")
    assert (shown.lamp, shown.fare_rial, shown.balance_rial) == (
        Lamp.GREEN,
        FARE_RIAL,
        LOADED_RIAL - FARE_RIAL,
    )
    (tap,) = bus.journalled()
    assert tap.outcome is Outcome.ACCEPTED
    assert bus.issuer.proof_verifies(tap)
    assert bus.spent("one") == FARE_RIAL


@pytest.mark.parametrize("kind", [FaultKind.CUT_BEFORE, FaultKind.CUT_AFTER])
@pytest.mark.parametrize("apdu", range(1, 12))
def test_a_card_torn_at_any_apdu_is_debited_once_after_its_retap(
    bus: Bus, kind: FaultKind, apdu: int
) -> None:
    bus.reader.faults.arm(Fault(kind, nth=apdu))
    first = bus.tap("one")
    assert first.lamp is Lamp.AMBER
    debited = bus.spent("one")
    assert debited in (0, FARE_RIAL)
    assert debited == (FARE_RIAL if (apdu, kind) == (11, FaultKind.CUT_AFTER) else 0)
    bus.clock.pass_s(5)
    second = bus.tap("one")
    assert (second.lamp, second.balance_rial) == (Lamp.GREEN, LOADED_RIAL - FARE_RIAL)
    assert bus.spent("one") == FARE_RIAL
    outcomes = [tap.outcome for tap in bus.journalled()]
    if apdu == 11:
        assert outcomes == [Outcome.UNCONFIRMED, Outcome.ACCEPTED]
    elif apdu in (9, 10):
        assert outcomes == [Outcome.REFUSED, Outcome.ACCEPTED]
    else:
        assert outcomes == [Outcome.ACCEPTED]
    assert bus.issuer.proof_verifies(bus.journalled()[-1])
    assert second.recovered is (debited > 0)
