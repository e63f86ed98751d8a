"""Ten days of riders on buses that decide by what the cards tell them: for the test of bus against ledger.

The buses here are the door's own decision (`decide_card`) over virtual cards, without readers and displays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

import fare.tariffs
from fare.core import card_record, entitlement
from fare.core.boarding import Boarding, card_context, state_on_card
from fare.core.bundle import Bundle, DeviceConfiguration
from fare.core.decision import CardView, Charge, decide_card
from fare.core.desfire.application import commit, run, stage
from fare.core.desfire.layout import AID
from fare.core.entitlement import KeyRing
from fare.core.proof.card import CardEvidence
from fare.core.tap import Outcome
from fare.core.tariff.context import TapContext, TapKind
from fare.core.tariff.history import price_history
from fare.core.tariff.pricing import close
from fare.database.engine import read, write
from fare.distribution.tariffs import tariff_history
from fare.issuing import entitlements_waiting
from fare.settlement import seal_day
from fare.tariffs import open_tariff
from tests.collection.bus import EPOCH, ZONE, City
from tests.tariffs.published import publish

SAMPLES: Final = Path(fare.tariffs.__file__).parent / "samples"
FIRST_DAY: Final = datetime(2026, 11, 17, 4, tzinfo=ZONE)
"""A Tuesday; the 21st is a Saturday, and the 22nd the first of Azar."""
CHANGE: Final = datetime(2026, 11, 24, 4, tzinfo=ZONE)
DAYS: Final = 10
THE_END: Final = FIRST_DAY + timedelta(days=DAYS + 3)
BUSES: Final = 12
LOADED_RIAL: Final = 40_000_000


@dataclass(frozen=True, slots=True)
class Planned:
    """A tap that a rider is going to make."""

    at: datetime
    rider: int
    bus: int
    area: int
    kind: TapKind


@dataclass
class Ridden:
    """What the buses took of one card, what they would settle, and the taps as they saw them."""

    due_rial: int = 0
    taps: list[tuple[int, TapContext]] = field(default_factory=list[tuple[int, TapContext]])


def plan(riders: int, taps: int, chance: Random) -> list[Planned]:
    """About so many taps in order of time, thick where a day, a month, a window or a tariff ends."""
    found: list[Planned] = []
    each = taps // (riders * DAYS)
    for rider in range(riders):
        usual = chance.sample(range(1, BUSES + 1), 2)
        for day in range(DAYS):
            at = FIRST_DAY + timedelta(
                days=day, seconds=chance.choice((-1, 0, 1, 600, 9_000, 30_000, 70_000))
            )
            found += _a_day(rider, usual, at, each, chance)
    once = {(one.rider, one.at): one for one in found}
    return sorted(once.values(), key=lambda one: (one.at, one.rider))


def _a_day(rider: int, usual: list[int], at: datetime, taps: int, chance: Random) -> Iterator[Planned]:
    bus, kind = chance.choice(usual), TapKind.ON
    for _ in range(taps):
        yield Planned(at, rider, bus, 1 + chance.randrange(3), kind)
        if kind is TapKind.ON and at < CHANGE and chance.random() < 0.85:
            kind = TapKind.OFF
            at += timedelta(seconds=chance.choice((120, 600, 1_500, 3_000, 10_799, 10_800, 10_801)))
            continue
        kind = TapKind.ON
        bus = chance.choice((bus, *usual))
        at += timedelta(seconds=chance.choice((2, 5, 300, 1_800, 3_599, 3_600, 3_601, 5_399, 5_400, 9_000)))


class Fleet:
    """A city with two owners, its buses, the cards of all riders, and what became of every tap."""

    def __init__(self, city: City, riders: int) -> None:
        self.city = city
        with write(city.engine) as session:
            for version, (sample, start) in enumerate((("zones", FIRST_DAY), ("urmia", CHANGE)), 2):
                publish(session, open_tariff(SAMPLES / sample, version), start)
        self.buses = [city.bus(number, f"o-{number % 2 + 1}") for number in range(1, BUSES + 1)]
        self.cards = [city.card(rider_category=rider % 3) for rider in range(riders)]
        for card in self.cards:
            card.load(city, LOADED_RIAL, FIRST_DAY - timedelta(hours=1))
        self.ridden: dict[int, Ridden] = defaultdict(Ridden)
        self.journalled_at: list[list[datetime]] = [[] for _ in range(BUSES)]
        self.bundle, self.ring = self._bundle()

    def _bundle(self) -> tuple[Bundle, KeyRing]:
        signer = self.city.keys.card_issuer
        with read(self.city.engine) as session:
            tariffs = [(int(at.timestamp()), tariff) for at, tariff in tariff_history(session)]
            waiting = entitlements_waiting(session)
        places = {each.device: DeviceConfiguration(7, "7", 0, f"v-{each.device}") for each in self.buses}
        bundle = Bundle(
            EPOCH, 0, "city", "Asia/Tehran", 14_400, 1, tuple(tariffs), {}, {}, {},
            devices=places, entitlements=waiting,
        )  # fmt: skip
        return bundle, {signer.kid: signer.public}

    def tap(self, one: Planned) -> None:
        """A card at a door: decided by its own bytes, debited, written, proven and journalled."""
        bus, card = self.buses[one.bus - 1], self.cards[one.rider]
        opened, at_s = bus._open(card), int(one.at.timestamp())
        self.journalled_at[one.bus - 1].append(one.at)
        view = CardView(opened.uid, AID, opened.entitlement, opened.newest_record, opened.spent)
        boarding = Boarding(bus.device, bus.next_seq, at_s, 7, one.area, f"v-{bus.device}", one.kind)
        decided = decide_card(view, boarding, self.bundle, self.ring)
        version = self.bundle.tariff_at(at_s).version
        if not isinstance(decided, Charge):
            read_only = CardEvidence.of_reading(
                card.serial, entitlement.decode(opened.entitlement).version, opened.newest_record,
                opened.spent, opened.previous,
            )  # fmt: skip
            bus.write(one.at, reason=decided.reason, card=read_only, area=one.area, tariff_version=version)
            return
        price, delivered = decided.price, decided.delivered
        run(stage(opened, price.amount, decided.record, delivered), card.chip.transmit)
        evidence = CardEvidence(
            serial=card.serial,
            entitlement_version=decided.on_card.version,
            delivered_version=None if delivered is None else decided.in_force.version,
            record_read=opened.newest_record,
            spent_before=opened.spent,
            debit_rial=price.amount,
            record_written=decided.record,
            previous=opened.previous,
            proof=run(commit(opened), card.chip.transmit),
        )
        bus.write(
            one.at, outcome=Outcome.ACCEPTED, reason="ok", fare_rial=price.amount, card=evidence,
            area=one.area, tariff_version=version, flags=decided.flags,
        )  # fmt: skip
        ridden = self.ridden[card.serial]
        ridden.due_rial += price.amount + price.adjustment + price.earlier
        assert evidence.proof is not None
        tariff = self.bundle.tariff_at(at_s)
        context = card_context(tariff, decided.in_force, boarding, ZONE, opened.spent)
        ridden.taps.append((evidence.proof.tmc, context))

    def close_journeys(self) -> None:
        """What the journeys that are still open on the cards come to when they are closed."""
        for card in self.cards:
            opened = self.buses[0]._open(card)
            last, held = card_record.decode(opened.newest_record), entitlement.decode(opened.entitlement)
            known = self.bundle.tariffs_of(last.at_s)
            state = state_on_card(known, last, held, ZONE, last.at_s, f"v-{last.validator}")
            ended, _ = close(known[0], state, int(THE_END.timestamp()))
            self.ridden[card.serial].due_rial += 0 if ended is None else ended.adjustment

    def whole_histories(self) -> dict[tuple[str, int], int]:
        """What each ride comes to for who knew all taps of a rider at once, by card and commit."""
        found: dict[tuple[str, int], int] = {}
        until_s = int(THE_END.timestamp())
        for serial, ridden in self.ridden.items():
            taps = [tap for _, tap in ridden.taps]
            priced, _ = price_history(lambda tap: self.bundle.tariff_at(tap.at_s), taps, until_s)
            boarded = 0
            for (commits, tap), one in zip(ridden.taps, priced, strict=True):
                found[str(serial), commits] = one.price.amount
                # What comes back at the exit was paid to the bus that was boarded.
                boarded = commits if tap.kind is TapKind.ON else boarded
                found[str(serial), boarded] += one.adjustment
        return found

    def upload(self, city: City, chance: Random | None) -> tuple[int, int]:
        """Every evening each bus sends what it has. By `chance` they come in any order, one in ten twice and
        one in ten a day late; without it in order, each once. Returns how many came late, how many twice.
        """
        sent, lates, twices = dict.fromkeys(range(BUSES), 0), 0, 0
        for day in range(1, DAYS + 3):
            evening = FIRST_DAY + timedelta(days=day)
            order = list(range(BUSES))
            if chance is not None:
                chance.shuffle(order)
            for number in order:
                until = sum(at <= evening for at in self.journalled_at[number])
                if until == sent[number]:
                    continue
                if chance is not None and day <= DAYS and chance.random() < 0.1:
                    lates += 1
                    continue
                envelope = self.buses[number].batch(sent[number] + 1, until, evening)
                assert city.take(envelope, evening).acked_seq == until
                if chance is not None and chance.random() < 0.1:
                    twices += 1
                    assert city.take(envelope, evening).acked_seq == until
                sent[number] = until
        return lates, twices


def settle(city: City) -> None:
    """Seal every day, which closes the journeys that were never tapped off."""
    for day in range(-1, DAYS + 1):
        with write(city.engine) as session:
            sealed = seal_day(session, (FIRST_DAY + timedelta(days=day)).date(), THE_END, city.keys)
        assert sealed.clearing_rial == 0


def dues(city: City) -> dict[tuple[str, int], int]:
    """What each ride comes to in the ledger, adjustments included, by card and commit."""
    rows = city.rows(
        "SELECT medium_ref, counter, sum(rial) FROM ("
        " SELECT medium_ref, counter, fare_rial AS rial FROM travel_ride"
        " UNION ALL SELECT medium_ref, counter, rider_rial FROM travel_adjustment) AS due"
        " GROUP BY medium_ref, counter"
    )
    return {(ref, counter): int(rial) for ref, counter, rial in rows}
