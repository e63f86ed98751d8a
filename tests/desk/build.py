"""Builders for the tests of desks: a desk over a small city, chips, and hands that take a card away."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, TypeVar

from sqlmodel import Session

from fare.core.desfire.application import Conversation, run
from fare.core.desfire.errors import CardTorn
from fare.database.engine import read, write
from fare.desk import Desk, Issued, Payment, Terms
from fare.desk.jobs import issue
from fare.issuing import register_card
from fare.keys import KeyStore
from hardware.emulator.card import VirtualCard
from tests.collection.bus import NOON, ZONE, City, RidersCard

T = TypeVar("T")
PAID = Payment(100_000, "t-1")


class SetClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Counter:
    """A desk, its clock, and chips with numbers."""

    city: City
    clock: SetClock = field(default_factory=SetClock)

    @property
    def desk(self) -> Desk:
        """The desk of whoever works here."""
        return Desk(
            engine=self.city.engine,
            keys=self.city.keys,
            clock=self.clock,
            zone=ZONE,
            issuer=1,
            day_starts_at=time(4),
            waiting=timedelta(hours=72),
        )

    def with_keys(self, keys: KeyStore) -> Desk:
        """The same desk with other keys."""
        return dataclasses.replace(self.desk, keys=keys)

    def issued(self, number: int, *, rider_category: int = 0) -> RidersCard:
        """A card that was issued here."""
        chip = a_chip(number)
        done: Issued = run(issue(self.desk, Terms(rider_category)), chip.transmit)
        return RidersCard(done.serial, chip)

    def registered(self, number: int) -> int:
        """A card that is registered and was never written."""
        with write(self.city.engine) as session:
            return register_card(session, self.city.keys, uid=uid_of(number), now=NOON)

    def read(self, look: Callable[[Session], T]) -> T:
        """Something read in one snapshot."""
        with read(self.city.engine) as session:
            return look(session)

    def commits(self, serial: int) -> list[Any]:
        """(counter, kind) of the card's commits that are no rides."""
        return self.city.rows(
            "SELECT counter, kind FROM travel_card_commit WHERE medium_ref = :ref ORDER BY counter",
            ref=str(serial),
        )


def uid_of(number: int) -> bytes:
    return b"\x04\xde" + number.to_bytes(5, "big")


def a_chip(number: int) -> VirtualCard:
    return VirtualCard.factory(uid_of(number))


def laid_again(chip: VirtualCard) -> VirtualCard:
    """The same chip, taken away and put back."""
    chip.power(False)
    chip.power(True)
    return chip


def length_of(job: Conversation[Any], chip: VirtualCard) -> int:
    """How many APDUs a job takes."""
    counted: list[bytes] = []

    def transmit(apdu: bytes) -> bytes:
        counted.append(apdu)
        return chip.transmit(apdu)

    run(job, transmit)
    return len(counted)


def torn_at(chip: VirtualCard, which: int, *, arrives: bool) -> Callable[[bytes], bytes]:
    """The card is taken away around APDU `which` (from 0); `arrives`: the chip still gets and obeys it."""
    done = 0

    def transmit(apdu: bytes) -> bytes:
        nonlocal done
        done += 1
        if done <= which:
            return chip.transmit(apdu)
        if done == which + 1 and arrives:
            chip.transmit(apdu)
        return b""

    return transmit


def every_cut(steps: int) -> list[tuple[int, bool]]:
    return [(which, arrives) for which in range(steps) for arrives in (False, True)]


def run_torn(job: Conversation[T], chip: VirtualCard, which: int, *, arrives: bool) -> T | None:
    """The job's result, None where the tear ended it; the chip is back on the reader afterwards."""
    try:
        return run(job, torn_at(chip, which, arrives=arrives))
    except CardTorn:
        return None
    finally:
        laid_again(chip)
