"""`mancard day`: one simulated service day through the real parts, and the verdict on it.

Each validator is a process with its own journal, the ledger is a process under uvicorn, they speak HTTP;
time is injected. The PSP's report and the bank's statement are made by `outside_world`, which knows no
ledger code. This module conducts; what went on is judged by `verdict`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from fare.core.errors import OperatorError
from fare.database.engine import open_engine, write
from fare.reconciliation import import_bank_statement, import_psp_report
from fare.settings import LedgerSettings
from fare.settlement import instruct_payments, make_statements, payment_file, seal_day
from hardware.city import outside_world
from hardware.city.clock import SharedClock
from hardware.city.corruption import Corruption, corrupt
from hardware.city.founding import City, child_environment, found
from hardware.city.media import (
    IssuedCard,
    IssuedPhone,
    issue_blank_cards,
    issue_cards,
    issue_phones,
    load_card,
    load_card_at_desk,
)
from hardware.city.plan import SLOT_MS, DayPlan, Presentation, Presented, Slot, plan_day
from hardware.city.processes import LedgerProcess, ValidatorProcess, free_port
from hardware.city.verdict import BusReport, Seen, Verdict, judge

_OPENS = time(5)
_FOUNDED = time(4, 15)
_CLOSES_NEXT_DAY = time(5)
_FLEET_SINCE_DAYS = 30
_PHONE_MAX_TAPS = 120
_PHONE_WALLET_RIAL = 6_000_000
_GHOST_PAYMENT_RIAL = 50_000
_UNKNOWN_BOOKING_RIAL = 123_000
_DRAIN_ROUNDS = 5
_CLONED_CARD = 99_999
_EACH_AT_A_DESK = 3
"""Cards whose number is a multiple of this are loaded at a counter, the others over any bus."""


class Injection(StrEnum):
    """One fault of the real world, each for one proof to find."""

    DEVICE = "device"
    CARD = "card"
    CHANNEL = "channel"
    BANK = "bank"


@dataclass(frozen=True, slots=True)
class DayOptions:
    """What to simulate. `offline_share` of each bus's taps are made while its uplink is cut."""

    vehicles: int
    taps: int
    seed: int
    day: date
    offline_share: float
    inject: frozenset[Injection] = frozenset()
    corrupt: Corruption | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the day is: `done` of `total` presentations, and what is going on."""

    done: int
    total: int
    stage: str


@dataclass(slots=True)
class _Running:
    """The processes and what was issued; everything a slot needs."""

    city: City
    clock: SharedClock
    buses: dict[int, ValidatorProcess]
    cards: list[IssuedCard]
    phones: list[IssuedPhone]
    payments: list[outside_world.RiderPayment]
    desk_loads: int = 0
    cut: frozenset[int] = frozenset()
    green_tickets: dict[int, int] = field(default_factory=dict[int, int])


class ServiceDay:
    """Conducts one day in `settings.state_dir`. `verdict` is there once `run` has been exhausted."""

    def __init__(self, options: DayOptions, settings: LedgerSettings) -> None:
        self._options = options
        self._settings = settings
        self._zone = ZoneInfo(settings.zone)
        self._plan = plan_day(
            vehicles=options.vehicles,
            taps=options.taps,
            seed=options.seed,
            opens_ms=_ms(self._local(options.day, _OPENS)),
            offline_share=options.offline_share,
        )
        self.verdict: Verdict | None = None

    def run(self) -> Iterator[Progress]:
        """Live through the day, telling how far it is. Raises OperatorError when a process fails."""
        total = self._options.taps
        yield Progress(0, total, "founding the city")
        with ExitStack() as stack:
            running = self._start(stack)
            done = 0
            for slot in self._plan.slots:
                self._live(running, slot)
                done += sum(len(taps) for taps in slot.presentations.values())
                yield Progress(done, total, "buses on the road")
            yield Progress(done, total, "uploading what waited")
            self._drain(running)
            clones = self._inject_on_the_road(running)
            reports = [BusReport(number, bus.report()) for number, bus in running.buses.items()] + clones
        yield Progress(done, total, "closing and reconciling")
        self.verdict = self._close(running, reports)

    def _local(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self._zone)

    def _start(self, stack: ExitStack) -> _Running:
        state = self._settings.state_dir
        now = self._local(self._options.day, _FOUNDED)
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        clock = SharedClock(state / "clock")
        clock.set_ms(_ms(now))
        port = free_port()
        vehicles = self._options.vehicles
        since = self._options.day - timedelta(days=_FLEET_SINCE_DAYS)
        url = f"http://127.0.0.1:{port}"
        city = found(self._settings, now=now, since=since, vehicles=vehicles, ledger_url=url)
        stack.callback(city.engine.dispose)
        cards, payments = issue_cards(city, self._plan.first_loads_rial, now)
        phones, wallet_loads = issue_phones(
            city, self._plan.phones, wallet_rial=_PHONE_WALLET_RIAL, max_taps=_PHONE_MAX_TAPS, now=now
        )
        issue_blank_cards(city, vehicles)
        environment = child_environment(self._settings)
        ledger = LedgerProcess(state, state / "clock", port, environment)
        stack.callback(ledger.stop)
        ledger.wait_until_it_answers()
        buses: dict[int, ValidatorProcess] = {}
        for number in range(1, vehicles + 1):
            kit = city.kits / f"device-{number}"
            bus = ValidatorProcess(kit, state / f"bus-{number}", city.media, _ms(now), environment)
            stack.callback(bus.stop)
            buses[number] = bus
        running = _Running(city, clock, buses, cards, phones, [*payments, *wallet_loads])
        self._sync(running, _ms(now) + 60_000, must=True)
        return running

    def _live(self, running: _Running, slot: Slot) -> None:
        """A quarter of an hour: switch uplinks, sell loads, let all buses run side by side, synchronise."""
        running.clock.set_ms(max(slot.starts_ms, running.clock.wall_ms()))
        for number, bus in running.buses.items():
            if (number in slot.cut) != (number in running.cut):
                bus.set_uplink(cut=number in slot.cut)
        running.cut = slot.cut
        for load in slot.loads:
            card, at = running.cards[load.card - 1], _at(load.at_ms)
            if load.card % _EACH_AT_A_DESK:
                paid = load_card(running.city, card.serial, load.amount_rial, at)
            else:
                paid = load_card_at_desk(running.city, card, load.amount_rial, at)
                running.desk_loads += 1
            running.payments.append(paid)
        self._present(running, slot.presentations)
        self._sync(running, slot.starts_ms + SLOT_MS - 1)

    def _present(self, running: _Running, presentations: dict[int, list[Presentation]]) -> None:
        for number, taps in presentations.items():
            running.buses[number].send_presentations(taps)
        for number, taps in presentations.items():
            for tap, shown in zip(taps, running.buses[number].receive()["shown"], strict=True):
                if tap.kind is Presented.TICKET and shown["lamp"] == "green":
                    running.green_tickets[tap.medium] = running.green_tickets.get(tap.medium, 0) + 1

    def _sync(self, running: _Running, at_ms: int, *, must: bool = False) -> bool:
        """One round of every bus that has a line, side by side. Whether all succeeded."""
        running.clock.set_ms(max(at_ms, running.clock.wall_ms()))
        online = [bus for number, bus in running.buses.items() if number not in running.cut]
        for bus in online:
            bus.send({"op": "sync", "at_ms": at_ms})
        answers = [bus.receive() for bus in online]
        problems = [answer["problem"] for answer in answers if not answer["ok"]]
        if must and problems:
            raise OperatorError(f"A validator of the simulated city cannot reach its ledger: {problems[0]}")
        return not problems

    def _drain(self, running: _Running) -> None:
        """Restore every uplink and go on until all is uploaded."""
        for number in running.cut:
            running.buses[number].set_uplink(cut=False)
        running.cut = frozenset()
        last_ms = self._plan.slots[-1].starts_ms + SLOT_MS
        for attempt in range(1, _DRAIN_ROUNDS + 1):
            if self._sync(running, last_ms + attempt * 60_000, must=attempt == _DRAIN_ROUNDS):
                return

    def _inject_on_the_road(self, running: _Running) -> list[BusReport]:
        if Injection.CARD in self._options.inject:
            self._tap_a_cloned_card(running)
        if Injection.DEVICE in self._options.inject:
            return [self._run_a_copied_validator(running)]
        return []

    def _run_a_copied_validator(self, running: _Running) -> BusReport:
        """Someone copies a validator's disk; original and copy go on apart under the same numbers."""
        state = self._settings.state_dir
        shutil.copytree(state / "bus-1", state / "bus-1-copied")
        at_ms = running.clock.wall_ms() + 60_000
        self._present(running, {1: [Presentation(at_ms, 1, Presented.BLANK, 1)]})
        self._sync(running, at_ms + 10_000, must=True)
        copy = ValidatorProcess(
            running.city.kits / "device-1",
            state / "bus-1-copied",
            running.city.media,
            at_ms,
            child_environment(self._settings),
        )
        try:
            copy.send_presentations([Presentation(at_ms + 20_000, 1, Presented.BLANK, 1)])
            copy.receive()
            running.clock.set_ms(at_ms + 30_000)
            for _ in range(
                _DRAIN_ROUNDS
            ):  # the ledger's answers tell a copy nothing: a lost one must not count
                copy.sync(at_ms + 30_000)
            return BusReport(1, copy.report(), copied=True)
        finally:
            copy.stop()

    def _tap_a_cloned_card(self, running: _Running) -> None:
        """A card's image is copied; original and clone then ride once each, with the same TMC."""
        media = running.city.media
        at_ms = running.clock.wall_ms() + 60_000
        original = len(running.cards) + 1
        cards, payments = issue_cards(running.city, [500_000], _at(at_ms), first_number=original)
        running.cards += cards
        running.payments += payments
        self._sync(running, at_ms, must=True)
        # The first ride brings the load onto the card, so that the clone has money of its own to ride with.
        self._ride_alone(running, at_ms + 60_000, bus=1, card=original)
        shutil.copy(media / f"card-{original:05d}.card.json", media / f"card-{_CLONED_CARD:05d}.card.json")
        self._ride_alone(running, at_ms + 120_000, bus=1, card=original)
        self._ride_alone(running, at_ms + 180_000, bus=self._options.vehicles, card=_CLONED_CARD)

    def _ride_alone(self, running: _Running, at_ms: int, *, bus: int, card: int) -> None:
        self._present(running, {bus: [Presentation(at_ms, bus, Presented.CARD, card)]})
        self._sync(running, at_ms + 10_000, must=True)

    def _close(self, running: _Running, reports: list[BusReport]) -> Verdict:
        """The morning after: outside records arrive, the day is sealed, paid and judged."""
        day, city = self._options.day, running.city
        morning = self._local(day + timedelta(days=1), _CLOSES_NEXT_DAY)
        payments = list(running.payments)
        if Injection.CHANNEL in self._options.inject:
            ghost = outside_world.RiderPayment("PSP-GHOST-1", payments[0].terminal, _GHOST_PAYMENT_RIAL, day)
            payments.append(ghost)
        bookings = outside_world.deposits(payments, morning.date())
        with write(city.engine) as session:
            seal_day(session, day, morning, city.keys)
            make_statements(session, day, morning)
            instructed = payment_file(instruct_payments(session, day, morning))
            bookings += outside_world.executed_transfers(instructed, morning.date())
        if Injection.BANK in self._options.inject:
            stray = outside_world.BankBooking(
                morning.date(), _UNKNOWN_BOOKING_RIAL, "TRF-UNKNOWN", "transfer"
            )
            bookings.append(stray)
        psp_file = _keep(self._settings.state_dir / "psp-report.csv", outside_world.psp_report(payments))
        bank_file = _keep(
            self._settings.state_dir / "bank-statement.csv", outside_world.bank_statement(bookings)
        )
        with write(city.engine) as session:
            import_psp_report(session, psp_file, now=morning)
            import_bank_statement(session, bank_file, now=morning)
        tampered = self._tamper(city)
        greens = {phone.cti: running.green_tickets.get(phone.number, 0) for phone in running.phones}
        seen = Seen(running.cards, greens, running.desk_loads)
        return judge(city, day, morning, reports, seen, tampered)

    def _tamper(self, city: City) -> str | None:
        if self._options.corrupt is None:
            return None
        engine = open_engine(city.settings.database_url, role="owner")
        try:
            return corrupt(engine, self._options.corrupt)
        finally:
            engine.dispose()


def _keep(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _at(wall_ms: int) -> datetime:
    return datetime.fromtimestamp(wall_ms / 1000, UTC)


__all__ = ["DayOptions", "DayPlan", "Injection", "Progress", "ServiceDay"]
