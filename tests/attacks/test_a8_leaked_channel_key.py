"""A8: the key that signs tickets has leaked, and somebody makes tickets of his own with it.

One command, `mancard keys revoke-channel`: a bus refuses them from its next sync on, honest phones are given
new tickets by themselves, and nobody is ever paid for a ticket that no money is behind.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session

from fare.collection import taken_in
from fare.core.proof.mc1 import EntitlementClaims, decode_ticket, sign_entitlement
from fare.core.proof.possession import PhoneKey
from fare.database.engine import write
from fare.issuing import confirm_paid, request_load, wallet_balance
from fare.issuing.phone_tickets import (
    IssuedTicket,
    TicketNotIssued,
    TicketPolicy,
    due_ticket,
    issue_phone_ticket,
    phone_account,
)
from fare.ledger import accounts
from fare.reconciliation import look_at
from fare.settings import LedgerSettings
from fare.settlement import seal_day
from hardware.emulator.phone import VirtualPhone
from readers.process import ValidatorOptions
from tests.attacks.doors import FleetDoor
from tests.collection.bus import EVENING, FARE_RIAL, NOON, City, Rider

REVOKED_WITHIN = timedelta(minutes=15)
POLICY = TicketPolicy(FARE_RIAL)
LOADED_RIAL = POLICY.rides_per_ticket * FARE_RIAL

MakeDoor = Callable[[int, str], FleetDoor]


@pytest.fixture
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LedgerSettings:
    """The ledger as the command finds it too."""
    monkeypatch.setenv("MANCARD_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("MANCARD_DATABASE_URL", database_url)
    return LedgerSettings()


@pytest.fixture
def door(city: City, settings: LedgerSettings, tmp_path: Path) -> Iterator[MakeDoor]:
    made: list[FleetDoor] = []

    def make(device: int, owner: str) -> FleetDoor:
        made.append(FleetDoor(city, settings, device, owner, NOON, tmp_path))
        return made[-1]

    yield make
    for one in made:
        one.close()


def revoke_by_command() -> str:
    """What a technician types while the ledger runs on: another process, and no restart of this one."""
    command = [sys.executable, "-c", "from fare.cli import main; main()", "keys", "revoke-channel"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def revoke(city: City) -> None:
    """The same within this process."""
    city.keys.channels.revoke(city.keys.channel.kid, "tara", NOON)


def stolen(city: City) -> tuple[Ed25519PrivateKey, int]:
    """A copy of the key that signs now, as it lies in the folder."""
    channel = city.keys.channel
    assert isinstance(channel.private, Ed25519PrivateKey)
    return Ed25519PrivateKey.from_private_bytes(channel.private.private_bytes_raw()), channel.kid


def forged_ticket(leaked: tuple[Ed25519PrivateKey, int]) -> VirtualPhone:
    """The thief's own phone with a ticket of his own making."""
    key, kid = leaked
    phone = VirtualPhone.new()
    x, y = phone.public_key_xy
    now_s = int(NOON.timestamp())
    claims = EntitlementClaims(
        now_s + 72 * 3600, now_s, secrets.token_bytes(8), x, bool(y[-1] & 1), 1, 255, FARE_RIAL
    )
    phone.hold(sign_entitlement(claims, key, bytes([kid])))
    return phone


def code(phone: VirtualPhone, ctr: int, seconds: int = 0) -> str:
    return phone.ticket_text(int(NOON.timestamp()) + seconds, ctr)


def honest(city: City) -> Rider:
    """A rider with some money and a phone."""
    rider = city.rider()
    with write(city.engine) as session:
        order = request_load(session, "wallet", rider.wallet_id, LOADED_RIAL, "web", "t-1", NOON)
        confirm_paid(session, city.keys, order, f"psp-{order}", NOON)
    return rider


def refreshed(city: City, rider: Rider) -> VirtualPhone | TicketNotIssued:
    """What the rider's page does by itself when a ticket is due: a fresh key, and a ticket for it."""
    phone = VirtualPhone.new()
    key = PhoneKey(*phone.public_key_xy, keeps_keys=True)
    with write(city.engine) as session:
        issued = issue_phone_ticket(session, city.keys, POLICY, rider.phone_id, key, NOON)
    if isinstance(issued, IssuedTicket):
        phone.hold(issued.raw)
        return phone
    return issued


def ticket_of(city: City, rider: Rider) -> VirtualPhone:
    phone = refreshed(city, rider)
    assert isinstance(phone, VirtualPhone), phone
    return phone


def kid_of(phone: VirtualPhone) -> int:
    return decode_ticket(code(phone, 1)).kid[0]


def test_forged_tickets_are_refused_by_every_bus_after_one_sync(
    city: City, door: MakeDoor, tmp_path: Path
) -> None:
    leaked = stolen(city)
    buses = [door(n, "o-1") for n in (1, 2, 3)]
    assert buses[0].lets_on(code(forged_ticket(leaked), 1)), "nothing tells it offline"
    buses[0].sync()
    assert [state for _, _, state, _ in city.taps()] == ["bad"]
    proofs = city.session(lambda session: look_at(session, NOON.date(), EVENING))
    assert "bad_proof" in {item.kind for item in proofs["card"].items}, "and so the leak is found"
    assert f"Revoked: channel key {leaked[1]}," in revoke_by_command()
    assert leaked[1] not in city.keys.channels.trusted(), "the running ledger needs no restart"
    for bus in buses:
        bus.sync()
        for _ in range(3):
            bus.clock.pass_s(6)
            assert bus.scan(code(forged_ticket(leaked), 1, 10)).reason == "unknown_key"
    assert city.rides() == []
    assert city.balance("owner_payable:o-1") == 0
    # A validator asks for the bundle far more often than the bound allows.
    assert timedelta(seconds=ValidatorOptions(tmp_path).poll_s) * 10 < REVOKED_WITHIN


def test_honest_phones_get_new_tickets_by_themselves_and_lose_no_rial(city: City, door: MakeDoor) -> None:
    rider = honest(city)
    synced, offline = door(1, "o-1"), door(2, "o-2")
    old = ticket_of(city, rider)
    assert refreshed(city, rider) is TicketNotIssued.NOT_DUE
    assert offline.lets_on(code(old, 1)), "a ride that no ledger has heard of yet"
    leaked = stolen(city)
    revoke(city)
    revoked = city.keys.channels.revoked()
    assert kid_of(old) in revoked
    due = city.session(lambda session: due_ticket(session, POLICY, rider.phone_id, NOON, revoked))
    assert due is None, "at once, long before it expires"
    told = city.session(lambda session: phone_account(session, POLICY, rider.phone_id, NOON, revoked))
    assert told.ticket is not None
    assert told.ticket.reissue
    new = ticket_of(city, rider)
    assert kid_of(new) not in revoked
    assert kid_of(new) != leaked[1]
    # The key that signs now was made known in advance: a bus that was offline all the time takes it too.
    synced.sync()
    offline.clock.pass_s(6)
    synced.clock.pass_s(6)
    assert offline.lets_on(code(new, 1, 6))
    assert synced.scan(code(old, 2, 6)).reason == "unknown_key"
    synced.clock.pass_s(6)
    assert synced.lets_on(code(new, 2, 12))
    for bus in (offline, synced):
        bus.sync()
    assert [state for _, _, state, _ in city.taps()] == ["none", "valid", "valid", "valid"]
    money_is_whole(city, rider, [old, new], rides=3)


def money_is_whole(city: City, rider: Rider, phones: list[VirtualPhone], rides: int) -> None:
    """Every ride was paid once, and what was loaded is in the wallet, in holds, or ridden."""
    assert [ride[4] for ride in city.rides()] == [FARE_RIAL] * rides
    ctis = [decode_ticket(code(phone, 1)).cti for phone in phones]

    def left_rial(session: Session) -> int:
        told = taken_in(session, ctis)
        held = sum(-city.balance(accounts.holds(cti)) for cti in ctis)
        return (
            wallet_balance(session, rider.wallet_id) + held - sum(one.unsealed_rial for one in told.values())
        )

    assert city.session(left_rial) == LOADED_RIAL - rides * FARE_RIAL
    with write(city.engine) as session:
        assert seal_day(session, NOON.date(), EVENING, city.keys).clearing_rial == 0


def test_a_ride_on_a_registered_ticket_is_paid_after_the_revocation_and_no_other(
    city: City, door: MakeDoor
) -> None:
    rider = honest(city)
    late = door(1, "o-1")
    genuine, leaked = ticket_of(city, rider), stolen(city)
    assert late.lets_on(code(genuine, 1))
    late.clock.pass_s(6)
    assert late.lets_on(code(forged_ticket(leaked), 1, 6))
    revoke(city)
    late.sync()
    assert [(state, flags) for _, _, state, flags in city.taps()] == [
        ("valid", ""),
        ("bad", "unknown_ticket"),
    ]
    assert [ride[4] for ride in city.rides()] == [FARE_RIAL]
    # Nor may a copy of the alias stand for the ticket: the thief's key in it is not the rider's.
    alias = decode_ticket(code(genuine, 1)).cti
    key, kid = leaked
    phone = VirtualPhone.new()
    x, y = phone.public_key_xy
    now_s = int(NOON.timestamp())
    claims = EntitlementClaims(now_s + 3600, now_s, alias, x, bool(y[-1] & 1), 1, 255, FARE_RIAL)
    phone.hold(sign_entitlement(claims, key, bytes([kid])))
    thief = city.bus(9, "o-2")
    thief.scan(phone, 2)
    thief.send()
    assert city.taps()[-1][2:] == ("bad", "unknown_ticket")
    assert len(city.rides()) == 1
