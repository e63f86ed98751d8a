"""How many APDUs a tap takes, counted on the virtual card. Nothing is timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from benchmarks import cards
from benchmarks.measuring import APDUS, Measured
from fare.core.desfire.application import personalise, run
from fare.core.desfire.keys import CardKeys
from fare.core.desfire.transaction_mac import Reading
from fare.core.entitlement import Pass, day_number
from hardware.emulator.state import CardState

_TODAY = day_number(datetime.fromtimestamp(cards.NOW_S, UTC).date())
_PASS = Pass(cards.PASS_PRODUCT, _TODAY - 1, _TODAY + 30)
_WAITING = replace(cards.BUNDLE, entitlements={1: cards.signed(version=2)})


def measure() -> list[Measured]:
    """One line for each kind of tap; the aim is what the card page allows."""
    purse, with_pass = cards.issued(), cards.issued((_PASS,))
    abort = Reading(abort_after_reads=True)
    return [
        _line("purse", "a tap from the purse", 11, purse, cards.tap),
        _line("pass", "a tap on a pass", 11, with_pass, cards.tap),
        _line(
            "load", "a tap that delivers an entitlement", 12, purse, lambda t: cards.tap(t, bundle=_WAITING)
        ),
        _line("roll", "a tap during a key roll", 12, purse, lambda t: cards.tap(t, cards.ROLLING_VALIDATOR)),
        _line("abort", "a tap with the Abort switch", 12, purse, lambda t: cards.tap(t, reading=abort)),
        _issuing(),
    ]


def _line(
    name: str, what: str, most: int, state: CardState, ride: Callable[[cards.Transmit], cards.Ride]
) -> Measured:
    recorder = cards.Recorder(cards.ready(state).transmit)
    taken = ride(recorder.transmit)
    expects_debit = name != "pass"
    if bool(taken.charge.price.amount) != expects_debit or bool(taken.charge.delivered) != (name == "load"):
        raise TypeError(f"the benchmark's tap '{name}' is not what it says: {taken.charge}")
    return Measured(f"apdus-{name}", f"APDUs: {what}", APDUS, len(recorder.commands), most=most)


def _issuing() -> Measured:
    recorder = cards.Recorder(cards.blank(0).transmit)
    keys = CardKeys.for_card(cards.MASTERS, cards.uid(0))
    run(
        personalise(keys, cards.uid(0), cards.signed(), cards.FIRST_RECORD, cards.Draws("")),
        recorder.transmit,
    )
    return Measured("apdus-issue", "APDUs: personalising a card", APDUS, len(recorder.commands))
