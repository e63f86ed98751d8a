"""A lying desk lets two jobs speak with one card in turn, or keeps all places of the relay for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

import pytest

from fare.core import entitlement
from fare.core.desfire.application import Conversation, open_card, run
from fare.database.engine import write
from fare.desk import Outcome
from fare.desk.jobs import load
from fare.desk.relay import MAX_JOBS, MAX_JOBS_OF_AN_ACCOUNT, Relay, RelayRefusal, RelayRefused
from fare.issuing import entitlements_waiting, sign_next_entitlement
from hardware.emulator.card import VirtualCard
from hardware.emulator.files import DataFile
from tests.collection.bus import NOON, drawn
from tests.desk.build import PAID, Counter, laid_again
from tests.desk.conftest import counter, sqlite_engine

__all__ = ["counter", "sqlite_engine"]

READ_UID = bytes.fromhex("FFCA000000")


def test_an_older_load_laid_over_a_newer_one_is_not_the_last_word(counter: Counter) -> None:
    """The first job's last leg waits until the second has written: the newer load must not be lost."""
    card, bus = counter.issued(1), counter.city.bus(1)
    for told in (True, False):
        slow = load(counter.desk, card.serial, replace(PAID, reference=f"slow {told}"), with_card=True)
        laid_again(card.chip)
        apdu = next(slow)
        asked = 0
        while asked < 3:  # whose card, who is it again, and the third begins the writing
            asked += apdu == READ_UID
            if asked < 3:
                apdu = slow.send(card.chip.transmit(apdu))
        newer = replace(PAID, reference=f"newer {told}")
        run(load(counter.desk, card.serial, newer, with_card=True), laid_again(card.chip).transmit)
        laid_again(card.chip)
        try:
            while True:
                reply = card.chip.transmit(apdu)
                if not told and apdu[1] == 0xC7:
                    break  # the desk keeps the last answer to itself
                apdu = slow.send(reply)
        except StopIteration:
            pass
        newest = counter.city.rows("SELECT max(version) FROM ledger_entitlement")[0][0]
        opened = run(
            open_card(counter.city.keys.validator_keys, lambda: drawn(16)), laid_again(card.chip).transmit
        )
        assert entitlement.decode(opened.entitlement).version == newest - 1, "the older one was written last"
        if not told:
            bus.ride(card)
            bus.send()
        waiting = counter.read(entitlements_waiting)
        assert [entitlement.decode(raw).version for raw in waiting.values()] == [newest]
        bus.ride(card, deliver=waiting[card.serial])
        bus.send()
        assert counter.read(entitlements_waiting) == {}


def asking() -> Iterator[bytes]:
    """A job that waits for its card."""
    while True:
        yield READ_UID


def test_one_account_does_not_keep_all_desks_of_the_city_waiting() -> None:
    relay = Relay(lambda: NOON)
    job = cast("Callable[[], Conversation[Outcome]]", asking)
    for number in range(MAX_JOBS_OF_AN_ACCOUNT):
        relay.start(f"session {number}", "1", b"", job, account="omid")
    with pytest.raises(RelayRefused) as caught:
        relay.start("one more", "1", b"", job, account="omid")
    assert caught.value.reason is RelayRefusal.TOO_MANY_JOBS
    assert len(relay) == MAX_JOBS_OF_AN_ACCOUNT
    for number in range(MAX_JOBS - MAX_JOBS_OF_AN_ACCOUNT):
        relay.start(f"of others {number}", "1", b"", job, account=f"clerk {number}")


def test_an_older_entitlement_put_back_with_a_validators_key_is_replaced_again(counter: Counter) -> None:
    """A card that was charged holds less now; its owner has somebody lay the version before over that."""
    card, bus = counter.issued(1), counter.city.bus(1)
    loaded = card.load(counter.city, 100_000)
    bus.ride(card, deliver=loaded)
    with write(counter.city.engine) as session:
        charged = sign_next_entitlement(
            session, counter.city.keys, card.serial, add_withdrawn_rial=70_000, now=NOON
        )
    bus.ride(card, deliver=charged)
    bus.send()
    assert counter.read(entitlements_waiting) == {}
    (application,) = card.chip.state.applications.values()
    file = application.files[1]
    assert isinstance(file, DataFile)
    put_back = application.with_files({1: file.written(0, loaded)})
    card.chip = VirtualCard(card.chip.state.with_application(put_back))
    bus.ride(card)
    bus.send()
    assert counter.read(entitlements_waiting) == {card.serial: charged}
    bus.ride(card, deliver=charged)
    bus.send()
    assert counter.read(entitlements_waiting) == {}
