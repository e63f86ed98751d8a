"""Everything the ledger knows that a batch is judged by, fetched once for the whole batch. It judges
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import Session

from fare.collection import store
from fare.collection.card_proof import CardFace, CardFacts
from fare.collection.earlier_tap import FIRST_RIDE_TMC
from fare.collection.rides import KnownRide, RideKey, readable_record
from fare.collection.store import OpenRow
from fare.collection.tariffs import tariffs
from fare.collection.upload import City
from fare.collection.words import MediumKind
from fare.core.tap import Tap
from fare.core.tariff.model import Tariff
from fare.fleet import AssignmentTable, DeviceKey, assignments_at, revocations
from fare.issuing import card_identities, entitlement_bytes, newest_funds, ticket_entitlements
from fare.keys import KeyStore


@dataclass(frozen=True, slots=True)
class Facts:
    """`limits_rial`: what each card may have spent in all. `tickets`: entitlements' bytes by cti.

    `revoked` has the revoked ones of all devices named here. `seen_elsewhere` is set for a revoked device
    alone: the highest counter of each card that rode another bus before the revocation.
    """

    cards: CardFacts
    limits_rial: Mapping[int, int]
    tickets: Mapping[bytes, bytes]
    channel_keys: Mapping[bytes, Ed25519PublicKey]
    tariff: Callable[[int | None, datetime], Tariff]
    city: City
    assignments: AssignmentTable
    rides: dict[RideKey, KnownRide]
    open_rows: Sequence[OpenRow]
    revoked: Mapping[int, datetime]
    seen_elsewhere: Mapping[str, int] | None


def card_key(serial: int, counter: int) -> RideKey:
    """The name of a card's ride."""
    return RideKey(MediumKind.CARD, str(serial), counter)


def own_key(tap: Tap) -> RideKey | None:
    """The card ride a tap claims to be: its proof's counter, or the one its commit would have had."""
    if tap.card is None:
        return None
    evidence = tap.card
    return card_key(
        evidence.serial, evidence.previous.tmc + 1 if evidence.proof is None else evidence.proof.tmc
    )


def gather(
    session: Session,
    keys: KeyStore,
    device: DeviceKey,
    taps: Sequence[Tap],
    ctis: Iterable[bytes],
    city: City,
) -> Facts:
    """Fetch what these taps are judged by, in one query for each kind of fact."""
    connection = session.connection()
    cards = [tap.card for tap in taps if tap.card is not None]
    serials = sorted({card.serial for card in cards})
    refs = [str(serial) for serial in serials]
    open_rows = store.open_evidence(connection, refs)
    rides = store.card_rides(connection, _wanted_rides(taps, open_rows))
    ticket_ctis = sorted(set(ctis))
    rides |= store.ticket_rides(connection, [cti.hex() for cti in ticket_ctis])
    versions = _wanted_versions(taps, open_rows, rides)
    identities = card_identities(session, keys, serials)
    funds = newest_funds(session, serials)
    devices = _wanted_devices(device.device_id, taps, open_rows)
    return Facts(
        cards=CardFacts(
            {serial: CardFace(found.uid, found.tm_key) for serial, found in identities.items()},
            entitlement_bytes(session, versions),
        ),
        limits_rial={serial: funds_rial + overdraft for serial, (funds_rial, overdraft) in funds.items()},
        tickets={cti: found.raw for cti, found in ticket_entitlements(session, ticket_ctis).items()},
        channel_keys={bytes([keys.channel.kid]): keys.channel.public},
        tariff=tariffs(session),
        city=city,
        assignments=assignments_at(session, devices),
        rides=rides,
        open_rows=open_rows,
        revoked=revocations(session, devices),
        seen_elsewhere=None
        if device.revoked_at is None
        else store.highest_from_others(connection, device.device_id, refs, device.revoked_at),
    )


def _wanted_rides(taps: Sequence[Tap], open_rows: Sequence[OpenRow]) -> set[RideKey]:
    wanted: set[RideKey] = set()
    for tap in taps:
        key = own_key(tap)
        if tap.card is not None and key is not None:
            previous = tap.card.previous.tmc
            wanted |= {
                key,
                card_key(tap.card.serial, previous),
                card_key(tap.card.serial, max(0, previous - 1)),
            }
    for row in open_rows:
        wanted |= {row.key, RideKey(row.key.kind, row.key.ref, max(0, row.key.counter - 1))}
    return wanted


def _wanted_versions(
    taps: Sequence[Tap], open_rows: Sequence[OpenRow], rides: Mapping[RideKey, KnownRide]
) -> set[tuple[int, int]]:
    wanted: set[tuple[int, int]] = set()
    records = [(row.key.ref, row.record) for row in open_rows]
    # A first ride stands on the card's personalisation, which was version 1.
    wanted |= {(int(row.key.ref), 1) for row in open_rows if row.key.counter == FIRST_RIDE_TMC}
    for tap in taps:
        if tap.card is not None:
            wanted.add((tap.card.serial, tap.card.entitlement_version))
            if tap.card.previous.tmc == FIRST_RIDE_TMC:
                wanted.add((tap.card.serial, 1))
            if tap.card.delivered_version is not None:
                wanted.add((tap.card.serial, tap.card.delivered_version))
            records.append((str(tap.card.serial), tap.card.record_read))
    for ref, raw in records:
        record = readable_record(raw)
        if record is not None:
            wanted.add((int(ref), record.entitlement_version))
    for key, ride in rides.items():
        if ride.version_after is not None:
            wanted.add((int(key.ref), ride.version_after))
    return wanted


def _wanted_devices(device: int, taps: Sequence[Tap], open_rows: Sequence[OpenRow]) -> set[int]:
    """This device, and every validator that a card's record names."""
    wanted = {device}
    for raw in [tap.card.record_read for tap in taps if tap.card is not None] + [
        row.record for row in open_rows
    ]:
        record = readable_record(raw)
        if record is not None and record.validator:
            wanted.add(record.validator)
    return wanted
