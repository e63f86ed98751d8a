"""Phone tickets at the ledger: both signatures, the hold behind them, one ride for one counter."""

from __future__ import annotations

from datetime import timedelta

from fare.collection import ProofState
from tests.collection.bus import FARE_RIAL, NOON, OWNER_RIAL, City


def test_a_ticket_is_verified_and_posted(city: City) -> None:
    bus = city.bus(1)
    phone = city.phone()
    bus.scan(phone, 1)
    bus.scan(phone, 2, NOON + timedelta(hours=2), pax=3)
    bus.send()
    assert [(r[1], r[4], r[6]) for r in city.rides()] == [(1, FARE_RIAL, 0), (2, 3 * FARE_RIAL, 0)]
    assert city.taps() == [(1, 1, "valid", ""), (1, 2, "valid", "")]
    assert city.balance("clearing:2026-11-22") == 4 * FARE_RIAL


def test_one_counter_on_two_buses_is_a_conflict(city: City) -> None:
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    phone = city.phone()
    first.scan(phone, 1, pax=2)
    second.scan(phone, 2)  # the same boarding, as the companion's
    second.scan(phone, 3)
    first.send()
    second.send()
    assert city.taps() == [
        (1, 1, "valid", "disputed"),
        (2, 1, "conflict", "signed_twice"),
        (2, 2, "valid", ""),
    ]
    # The rider has paid once; neither bus is credited for what both claim.
    assert city.balance("owner_payable:o-1") == 0
    assert city.balance("owner_payable:o-2") == -OWNER_RIAL
    assert city.balance("suspense:device:1") == -2 * FARE_RIAL


def test_the_same_ticket_again_on_the_same_bus_is_the_same_ride(city: City) -> None:
    bus = city.bus(1)
    phone = city.phone()
    bus.scan(phone, 1)
    bus.scan(phone, 1, NOON + timedelta(seconds=20))
    bus.send()
    assert city.taps() == [(1, 1, "valid", ""), (1, 2, "valid", "same_ride")]
    assert len(city.rides()) == 1


def test_a_ticket_that_does_not_hold_moves_no_money(city: City) -> None:
    bus = city.bus(1)
    phone = city.phone(max_taps=2)
    text = phone.ticket_text(int(NOON.timestamp()), 1)
    bus.scan(phone, 1, ticket=text[:-3] + ("AAA" if text[-3:] != "AAA" else "BBB"))
    bus.scan(phone, 3)
    bus.scan(phone, 1, NOON + timedelta(days=3))
    bus.scan(phone, 1, ticket="not a ticket")
    bus.send(NOON + timedelta(days=4))
    states = city.taps()
    assert {state for _, _, state, _ in states} == {ProofState.BAD}
    assert states[1][3] == "ticket_counter_exhausted"
    assert states[2][3] == "ticket_expired"
    assert states[3][3] == "ticket_not_a_ticket"
    assert city.rides() == []


def test_a_ticket_signed_by_us_and_issued_to_nobody_is_not_paid(city: City) -> None:
    """A leaked channel key: the signature is right, and no hold is behind it."""
    from fare.core.proof.mc1 import EntitlementClaims, sign_entitlement
    from hardware.emulator.phone import VirtualPhone

    bus = city.bus(1)
    phone = VirtualPhone.new()
    x, y = phone.public_key_xy
    now_s = int(NOON.timestamp())
    claims = EntitlementClaims(now_s + 3600, now_s, b"12345678", x, bool(y[-1] & 1), 1, 200, FARE_RIAL)
    channel = city.keys.channel
    phone.hold(sign_entitlement(claims, channel.private, bytes([channel.kid])))
    bus.scan(phone, 1)
    bus.send()
    assert city.taps() == [(1, 1, "bad", "unknown_ticket")]
    assert city.rides() == []


def test_a_ticket_costs_what_the_tariff_asks_whatever_the_bus_claims(city: City) -> None:
    bus = city.bus(1)
    phone = city.phone()
    bus.scan(phone, 1, fare_rial=9 * FARE_RIAL)
    bus.scan(phone, 2, fare_rial=100)
    bus.send()
    assert [r[4] for r in city.rides()] == [FARE_RIAL, 100]
    assert [flags for *_, flags in city.taps()] == ["price_differs", "price_differs"]


def test_a_refused_ticket_is_registered_and_free(city: City) -> None:
    from fare.core.tap import Outcome

    bus = city.bus(1)
    phone = city.phone()
    bus.scan(phone, 1, outcome=Outcome.REFUSED, reason="already_paid", fare_rial=0)
    bus.send()
    assert city.taps() == [(1, 1, "none", "")]
    assert city.rides() == []
