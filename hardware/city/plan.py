"""The plan of a simulated service day: who presents what, where and when. One seed, one plan.

A day is cut into slots. Within a slot every medium stays on one bus, so that buses may run side by side
and each card still sees its taps in order. Nothing here taps, pays or keeps time.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum

SLOT_MS = 15 * 60_000
SLOTS = 72
"""05:00 to 23:00 local, in quarters of an hour."""

_PEAK_SLOTS = {*range(7, 16), *range(44, 58)}
_LOAD_CHOICES_RIAL = (300_000, 500_000, 1_000_000)
_AMPLE_LOAD_RIAL = 3_000_000
_SCANT_LOAD_RIAL = 20_000
_LOAD_SHARE = 0.05
_CARD_SHARE = 0.12
_PHONE_TAP_SHARE = 0.06
_TAPS_PER_PHONE = 12
_BLANK_SHARE = 0.01
_REPLAY_SHARE = 0.01
_TORN_SHARE = 0.012


class Presented(StrEnum):
    """What is held to the validator."""

    CARD = "card"
    BLANK = "blank"
    TICKET = "ticket"
    TICKET_AGAIN = "ticket_again"


class Tear(StrEnum):
    """What goes wrong in the field of the reader, if anything."""

    NONE = "none"
    REPLY_LOST = "reply_lost"
    CUT_BEFORE_COMMIT = "cut_before_commit"


@dataclass(frozen=True, slots=True)
class Presentation:
    """One presentation: `medium` is the number of the card or phone, `ctr` the phone's ride."""

    at_ms: int
    vehicle: int
    kind: Presented
    medium: int
    tear: Tear = Tear.NONE
    ctr: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """A top-up paid for a card during the day."""

    at_ms: int
    card: int
    amount_rial: int


@dataclass(slots=True)
class Slot:
    """A quarter of an hour: presentations by vehicle in order, loads, and the buses without uplink."""

    starts_ms: int
    presentations: dict[int, list[Presentation]] = field(default_factory=dict[int, list[Presentation]])
    loads: list[Load] = field(default_factory=list[Load])
    cut: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class DayPlan:
    """A whole day: `vehicles`, `cards` and `phones` are counts; numbering starts at 1."""

    vehicles: int
    cards: int
    phones: int
    first_loads_rial: tuple[int, ...]
    slots: tuple[Slot, ...]

    @property
    def taps(self) -> int:
        """How many presentations there are in all."""
        return sum(len(taps) for slot in self.slots for taps in slot.presentations.values())


def plan_day(*, vehicles: int, taps: int, seed: int, opens_ms: int, offline_share: float) -> DayPlan:
    """Plan exactly `taps` presentations on `vehicles` buses from `opens_ms` (unix ms of 05:00 local)."""
    return _Planner(vehicles, taps, seed, opens_ms).plan(offline_share)


class _Planner:
    def __init__(self, vehicles: int, taps: int, seed: int, opens_ms: int) -> None:
        # A seeded generator on purpose: the same seed must plan the same day.
        self._random = random.Random(seed)
        self._vehicles = vehicles
        self._taps = taps
        self._cards = max(6, math.ceil(taps * _CARD_SHARE))
        self._phones = max(1, math.ceil(taps * _PHONE_TAP_SHARE / _TAPS_PER_PHONE))
        self._slots = [Slot(opens_ms + index * SLOT_MS) for index in range(SLOTS)]
        self._kept_on: list[dict[tuple[bool, int], int]] = [{} for _ in range(SLOTS)]
        self._ctr: dict[int, int] = defaultdict(int)
        self._torn_cards: set[int] = set()

    def plan(self, offline_share: float) -> DayPlan:
        drafts: dict[tuple[int, int], list[tuple[Presented, int, Tear]]] = defaultdict(list)
        left = self._taps
        while left > 0:
            left -= self._draft(drafts, left)
        self._time(drafts)
        self._plan_loads()
        self._plan_cuts(offline_share)
        first = tuple(self._first_load(card) for card in range(1, self._cards + 1))
        return DayPlan(self._vehicles, self._cards, self._phones, first, tuple(self._slots))

    def _draft(self, drafts: dict[tuple[int, int], list[tuple[Presented, int, Tear]]], left: int) -> int:
        """Add one presentation, with the one that must follow it; returns how many were added."""
        slot = self._slot_index(SLOTS)
        draw = self._random.random()
        if draw < _BLANK_SHARE:
            drafts[slot, self._random.randint(1, self._vehicles)].append((Presented.BLANK, 1, Tear.NONE))
            return 1
        if draw < _BLANK_SHARE + _PHONE_TAP_SHARE:
            phone = self._random.randint(1, self._phones)
            bus = drafts[slot, self._bus_of(slot, False, phone)]
            bus.append((Presented.TICKET, phone, Tear.NONE))
            if left > 1 and self._random.random() < _REPLAY_SHARE / _PHONE_TAP_SHARE:
                bus.append((Presented.TICKET_AGAIN, phone, Tear.NONE))
                return 2
            return 1
        return self._draft_card(drafts, slot, left)

    def _draft_card(
        self, drafts: dict[tuple[int, int], list[tuple[Presented, int, Tear]]], slot: int, left: int
    ) -> int:
        card = self._random.randint(1, self._cards)
        torn = left > 1 and self._random.random() < _TORN_SHARE
        tear = self._random.choice((Tear.REPLY_LOST, Tear.CUT_BEFORE_COMMIT)) if torn else Tear.NONE
        drafts[slot, self._bus_of(slot, True, card)].append((Presented.CARD, card, tear))
        if not torn:
            return 1
        # Half of the torn cards come back at once; the others ride again later, on any bus, and their next
        # tap proves the torn one. Either way the card rides again, so it must not run out of money before.
        self._torn_cards.add(card)
        later = slot if self._random.random() < 0.5 else min(SLOTS - 1, slot + self._random.randint(1, 8))
        drafts[later, self._bus_of(later, True, card)].append((Presented.CARD, card, Tear.NONE))
        return 2

    def _slot_index(self, below: int) -> int:
        weights = [3 if index in _PEAK_SLOTS else 1 for index in range(below)]
        return self._random.choices(range(below), weights)[0]

    def _bus_of(self, slot: int, is_card: bool, medium: int) -> int:
        """The one bus this medium rides on in this slot."""
        return self._kept_on[slot].setdefault((is_card, medium), self._random.randint(1, self._vehicles))

    def _time(self, drafts: dict[tuple[int, int], list[tuple[Presented, int, Tear]]]) -> None:
        for (index, vehicle), bus in sorted(drafts.items()):
            slot = self._slots[index]
            step = SLOT_MS // (len(bus) + 1)
            at = slot.starts_ms
            timed: list[Presentation] = []
            for kind, medium, tear in bus:
                follows = timed and timed[-1].medium == medium and timed[-1].kind is kind
                again = kind is Presented.TICKET_AGAIN or (follows and timed[-1].tear is not Tear.NONE)
                at += min(step, 7_000) if again else step
                if kind is Presented.TICKET:
                    self._ctr[medium] += 1
                timed.append(Presentation(at, vehicle, kind, medium, tear, self._ctr[medium]))
            slot.presentations[vehicle] = timed

    def _plan_loads(self) -> None:
        for _ in range(math.ceil(self._taps * _LOAD_SHARE)):
            slot = self._slots[self._random.randrange(SLOTS - 4)]
            amount = self._random.choice(_LOAD_CHOICES_RIAL)
            slot.loads.append(Load(slot.starts_ms, self._random.randint(1, self._cards), amount))

    def _plan_cuts(self, offline_share: float) -> None:
        cut: dict[int, set[int]] = defaultdict(set)
        for vehicle in range(1, self._vehicles + 1):
            taps = [len(slot.presentations.get(vehicle, ())) for slot in self._slots]
            wanted = sum(taps) * offline_share
            first = self._random.randrange(SLOTS)
            covered = 0
            for step in range(SLOTS):
                if covered >= wanted:
                    break
                index = (first + step) % SLOTS
                cut[index].add(vehicle)
                covered += taps[index]
        for index, vehicles in cut.items():
            self._slots[index].cut = frozenset(vehicles)

    def _first_load(self, card: int) -> int:
        if card in self._torn_cards:
            return _AMPLE_LOAD_RIAL
        # One card in twelve starts with less than a fare, so that a day has refusals for want of money.
        return _SCANT_LOAD_RIAL if self._random.random() < 1 / 12 else self._random.choice(_LOAD_CHOICES_RIAL)
