"""Bus owners, riders and clocks that lie about rides which the ledger prices anew."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from fare.collection.adjustments import told_too_little
from fare.collection.clocks import contradicted, in_order
from fare.core.tariff.model import LegRule, Tariff
from fare.core.tariff.periods import cap_period
from fare.core.tariff.state import CapUse, RiderState
from fare.database.engine import read, write
from fare.fleet.models import Owner
from fare.reconciliation.audit import audit
from fare.settlement import make_statements, seal_day
from tests.collection.bus import FARE_RIAL, NOON, OWNER_RIAL, Bus, City, RidersCard
from tests.collection.remembering import HOUR_FREE, day_cap, pay, remember

DAY = date(2026, 11, 22)
IBAN = "IR062960000000100324200001"


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def earned(city: City, owner: str) -> int:
    return -city.balance(f"owner_payable:{owner}")


def adjusted(city: City, ref: str) -> dict[int, int]:
    """What a card's rides were adjusted by in all, by counter."""
    rows = city.rows(
        "SELECT counter, sum(rider_rial) FROM travel_adjustment WHERE medium_ref = :ref GROUP BY 1", ref=ref
    )
    return {counter: int(rial) for counter, rial in rows if rial}


def seal(city: City, day: date) -> None:
    with write(city.engine) as session:
        assert seal_day(session, day, NOON + timedelta(days=5), city.keys).clearing_rial == 0


def assert_books(city: City) -> None:
    """All postings sum to nothing, and everything in the journal is explained by what happened."""
    assert city.rows("SELECT sum(amount_rial) FROM ledger_posting") == [(0,)]
    with read(city.engine) as session:
        found = audit(session)
    assert found.holds, [str(each) for each in found.findings]


# --- an owner ---------------------------------------------------------------------------------------------


def test_a_line_that_nobody_knows_earns_nothing(city: City) -> None:
    """The tariff asks nothing there, so all of the debit waits in suspense; pricing anew pays none of it."""
    remember(
        city,
        windows=(HOUR_FREE,),
        leg_rules=(LegRule("g", "single", network_id="n-7"),),
        routes={"r-7": "n-7"},
        lines={7: "r-7"},
    )
    bus = city.bus(1)
    card = city.card()
    load = card.load(city, 900_000)
    bus.ride(card, fare_rial=500_000, deliver=load, record={"line": 999}, tariff_version=2)
    pay(bus, card, NOON + hours(2))
    bus.ride(card, NOON + hours(4), fare_rial=300_000, record={"line": 999}, tariff_version=2)
    bus.send()
    assert earned(city, "o-1") == OWNER_RIAL
    assert city.balance("suspense:device:1") == -800_000
    seal(city, DAY)
    assert earned(city, "o-1") == OWNER_RIAL
    assert_books(city)


def test_a_clock_that_runs_ahead_takes_nothing_from_other_owners(city: City) -> None:
    """Else every later ride would count to the hour of the false one, and be a free transfer."""
    remember(city, windows=(HOUR_FREE,), caps=(day_cap(3 * FARE_RIAL),))
    liar, first, second = city.bus(1, "o-1"), city.bus(2, "o-2"), city.bus(3, "o-2")
    card = city.card()
    pay(liar, card, NOON + timedelta(days=6), deliver=card.load(city, 900_000))
    for n, hour in enumerate((1, 3, 25, 27, 50, 53)):
        pay(first if n % 2 else second, card, NOON + hours(hour))
    for bus in (first, second):
        bus.send(NOON + timedelta(days=3))
    assert earned(city, "o-2") == 6 * OWNER_RIAL
    liar.send(NOON + timedelta(days=6, hours=1))
    assert (earned(city, "o-2"), earned(city, "o-1")) == (6 * OWNER_RIAL, OWNER_RIAL)
    assert adjusted(city, str(card.serial)) == {}


def test_a_hundred_taps_by_one_liar_outvote_nobody() -> None:
    honest = [0, 7_200, 90_000]
    times = [500_000 + n for n in range(100)] + honest
    vehicles = ["liar"] * 100 + ["a", "b", "a"]
    assert contradicted(times, vehicles) == set(range(100))
    # Two that contradict each other: the one that would make the other late is not believed.
    assert contradicted([500_000, 0], ["a", "b"]) == {0}
    assert contradicted([0, 500_000, 100], ["a", "b", "a"]) == {1}
    # A bus behind the time among others that agree.
    assert contradicted([100_000, 100_060, 0, 100_120], ["a", "b", "c", "a"]) == {2}
    # Clocks are never quite alike, and unknown vehicles each have a voice.
    assert contradicted([60, 0, 120, 100], ["a", "b", "a", "b"]) == set()
    assert contradicted([], []) == set()
    assert contradicted([9_000, 0, 10], [None, None, None]) == {0}
    assert in_order([5, 4], 4)
    assert not in_order([5, 4], 5)


def test_voices_are_counted_right_against_a_slow_look() -> None:
    """The greatest agreement, found by trying every subset of short rows."""
    dice = Random(5)
    for _ in range(300):
        size = dice.randint(2, 7)
        times = [dice.choice((0, 10_000, 20_000, 30_000)) for _ in range(size)]
        vehicles = [dice.choice("ab") for _ in range(size)]
        voices = [int(i == 0 or vehicles[i] != vehicles[i - 1]) for i in range(size)]
        most = 0
        for subset in range(1 << size):
            chosen = [i for i in range(size) if subset >> i & 1]
            rising = all(times[i] <= times[j] for i, j in pairwise(chosen))
            most = max(most, sum(voices[i] for i in chosen)) if rising else most
        left = [i for i in range(size) if i not in contradicted(times, vehicles)]
        assert all(times[i] <= times[j] for i, j in pairwise(left))
        assert sum(voices[i] for i in left) >= most


# --- a rider ----------------------------------------------------------------------------------------------


def test_who_has_nothing_left_cannot_tell_of_a_false_past_for_ever(city: City) -> None:
    """A card at zero that says "cap reached": nothing can be charged, so somebody must look."""
    tariff = remember(city, caps=(day_cap(100_000),))
    buses = [city.bus(1), city.bus(2, "o-2")]
    card = city.card()
    period = cap_period(tariff, tariff.caps[0], int(NOON.timestamp()), None)
    reached = RiderState(caps={"day": CapUse(period, 100_000)})
    pay(buses[0], card, deliver=card.load(city, FARE_RIAL), leaves=reached)
    for n in range(1, 4):
        assert pay(buses[n % 2], card, NOON + hours(n), leaves=reached).fare_rial == 0
    for bus in reversed(buses):
        bus.send()
        bus.send()
    assert adjusted(city, str(card.serial)) == {}
    told = city.session(lambda session: told_too_little(session, DAY, DAY))
    assert [(each.serial, each.times, each.rider_rial) for each in told] == [(str(card.serial), 3, 0)]
    seal(city, DAY)
    assert_books(city)


def test_a_bus_that_was_only_late_accuses_no_card(city: City) -> None:
    """Until its rides came, the card seemed to tell of a window that nobody had opened."""
    remember(city, windows=(HOUR_FREE,))
    away, home = city.bus(1), city.bus(2, "o-2")
    card = city.card()
    pay(home, card, deliver=card.load(city, 200_000))
    for day in range(2):
        at = NOON + timedelta(days=day)
        pay(away, card, at + hours(3))
        pay(away, card, at + hours(5))
        assert pay(home, card, at + hours(5.5)).fare_rial == 0
    home.send(NOON + timedelta(days=2))
    away.send(NOON + timedelta(days=3))
    for day in range(2):
        on = DAY + timedelta(days=day)
        assert city.session(lambda session, on=on: told_too_little(session, on, DAY)) == []


# --- all of them, for a season ----------------------------------------------------------------------------


class Season:
    """Four cards and a phone on four buses: false states, wrong clocks, wrong prices, lines of nowhere."""

    def __init__(self, city: City, tariff: Tariff, first_device: int, dice: Random) -> None:
        self.tariff = tariff
        owners = [f"o-{first_device + i}" for i in range(4)]
        with write(city.engine) as session:
            for owner in owners:
                session.add(Owner(owner_id=owner, name=owner, kind="private", iban=IBAN))
        self.buses = [city.bus(first_device + i, owner) for i, owner in enumerate(owners)]
        self.cards = [city.card() for _ in range(4)]
        self.rider = city.rider()
        phone = city.phone(8, of=self.rider)
        self._loads = {card.serial: card.load(city, 900_000) for card in self.cards}
        at = NOON
        for n in range(32):
            at += timedelta(minutes=dice.choice((1, 7, 31, 65, 240)))
            bus = dice.choice(self.buses)
            if n % 8 == 7:
                dice.choice(self.buses).scan(phone, n, at, tariff_version=2)
            else:
                self._ride(dice.choice(self.cards), bus, at, dice)

    def _ride(self, card: RidersCard, bus: Bus, at: datetime, dice: Random) -> None:
        load = self._loads.pop(card.serial, None)
        if bus is self.buses[0] and dice.random() < 0.5:
            at += hours(dice.choice((-30, -3, 3, 20)))
        match dice.randrange(6):
            case 0:
                period = cap_period(self.tariff, self.tariff.caps[0], int(at.timestamp()), None)
                reached = RiderState(caps={"day": CapUse(period, 50_000)})
                pay(bus, card, at, deliver=load, leaves=reached)
            case 1:
                pay(bus, card, at, deliver=load, leaves=RiderState())
            case 2:
                rial = dice.choice((0, FARE_RIAL // 2, 60_000))
                record = dice.choice(({}, {"line": 999}, {"blocked": True}))
                bus.ride(card, at, fare_rial=rial, deliver=load, record=record, tariff_version=2)
                if record.get("blocked"):
                    self.cards.remove(card)
            case _:
                pay(bus, card, at, deliver=load)


@pytest.mark.parametrize("seed", [11])
def test_a_hostile_season_adds_up_in_whatever_order_it_is_told(city: City, seed: int) -> None:
    """The same lies told at once, and told late, backwards, in pieces, twice, after days were sealed."""
    tariff = remember(city, windows=(HOUR_FREE,), caps=(day_cap(50_000),))
    days = [DAY + timedelta(days=n) for n in range(-2, 6)]
    at = NOON + timedelta(days=5)
    prompt = Season(city, tariff, 10, Random(seed))
    for bus in prompt.buses:
        bus.send(at)
    late = Season(city, tariff, 20, Random(seed))
    for bus in reversed(late.buses):
        if bus.journal:
            city.take(bus.batch(1, (len(bus.journal) + 1) // 2, at=at), at)
        for day in days:
            seal(city, day)
    for bus in late.buses:
        bus.send(at + hours(1))
        bus.send(at + hours(1))
    for day in days:
        seal(city, day)
    for one, other in zip(prompt.buses, late.buses, strict=True):
        assert earned(city, f"o-{one.device}") == earned(city, f"o-{other.device}")
        assert city.balance(f"suspense:device:{one.device}") == city.balance(
            f"suspense:device:{other.device}"
        )
    for one, other in zip(prompt.cards, late.cards, strict=True):
        assert adjusted(city, str(one.serial)) == adjusted(city, str(other.serial))
    assert_books(city)
    with write(city.engine) as session:
        for day in days:
            statements = make_statements(session, day, at + timedelta(days=1))
            assert all(line.payable_rial >= 0 for line in statements)
