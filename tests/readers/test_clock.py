"""The bus's clock: a floor before it knows, the ledger's time once told, however the wall jumps."""

from __future__ import annotations

import pytest

from fare.core.tap import ClockQuality
from readers.clock import TRUSTED_FOR_MS, SystemClock

NOW_MS = 1_795_000_000_000


class Machine:
    """The machine's two clocks."""

    def __init__(self) -> None:
        self.wall_ns = NOW_MS * 1_000_000
        self.mono = 5_000_000_000

    def time_ns(self) -> int:
        return self.wall_ns

    def monotonic_ns(self) -> int:
        return self.mono

    def run_ms(self, milliseconds: int) -> None:
        self.wall_ns += milliseconds * 1_000_000
        self.mono += milliseconds * 1_000_000


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr("readers.clock.time", machine)
    monkeypatch.setattr("readers.clock._kernel_is_synchronised", lambda: False)
    return machine


def test_a_clock_of_1970_starts_at_the_floor_and_runs(machine: Machine) -> None:
    machine.wall_ns = 0
    bus = SystemClock(floor_ms=NOW_MS)
    assert (bus.wall_ms(), bus.quality()) == (NOW_MS, ClockQuality.UNSYNCHRONISED)
    machine.run_ms(1_500)
    assert bus.wall_ms() == NOW_MS + 1_500


@pytest.mark.parametrize("jump_ms", [-40 * 365 * 86_400_000, 10 * 365 * 86_400_000])
def test_the_ledgers_time_is_carried_on_through_any_jump(machine: Machine, jump_ms: int) -> None:
    bus = SystemClock()
    bus.heard_server_time(NOW_MS + 7)
    machine.wall_ns += jump_ms * 1_000_000
    machine.run_ms(60_000)
    assert (bus.wall_ms(), bus.quality()) == (NOW_MS + 60_007, ClockQuality.SYNCHRONISED)


def test_the_ledgers_time_lowers_a_floor_that_was_wrong(machine: Machine) -> None:
    bus = SystemClock(floor_ms=NOW_MS + 10**12)
    assert bus.wall_ms() == NOW_MS + 10**12
    bus.heard_server_time(NOW_MS)
    assert bus.wall_ms() == NOW_MS


def test_trust_ends_after_72_hours_without_the_ledger(machine: Machine) -> None:
    bus = SystemClock()
    bus.heard_server_time(NOW_MS)
    machine.run_ms(TRUSTED_FOR_MS)
    assert bus.quality() is ClockQuality.SYNCHRONISED
    machine.run_ms(1)
    assert bus.quality() is ClockQuality.UNSYNCHRONISED


def test_a_kernel_that_keeps_time_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readers.clock._kernel_is_synchronised", lambda: True)
    assert SystemClock().quality() is ClockQuality.SYNCHRONISED
