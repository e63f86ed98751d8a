"""The rides of many riders as pricing anew wants them: contexts, what cards told, gaps. It prices nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlmodel import Session

from fare.collection import histories
from fare.collection.adjusting import WAIT_FOR_A_PERSON
from fare.collection.asked import CardTap, priced_at_s
from fare.collection.card_register import proven_spent
from fare.collection.doubts import signed_entitlement
from fare.collection.earlier_tap import PERSONALISATION_TMC
from fare.collection.folding import PastRide
from fare.collection.histories import Kept, RiderKey
from fare.collection.rides import RideKey, card_key, readable_record
from fare.collection.tariffs import Tariffs
from fare.collection.words import MediumKind, RiderKind, SuspenseReason
from fare.core.boarding import Boarding, ticket_context
from fare.core.proof.mc1 import decode_token
from fare.core.tariff.model import Tariff
from fare.core.tariff.state import RiderState
from fare.fleet import AssignmentTable, assignments_at
from fare.issuing import entitlement_bytes, newest_funds
from fare.issuing.moves import moved_balances


@dataclass(frozen=True, slots=True)
class RowRide:
    """A ride as its row says it, and as the tariff sees it."""

    key: RideKey
    row: Any
    ride: PastRide


@dataclass(frozen=True, slots=True)
class Past:
    """What is priced in a row. `of_rider`: this rider's rides that were ever adjusted.

    `disputed` rides wait for a person's decision, `moved` ones have had it. `funds_rial` is what was loaded
    on a card, adjustments aside, and `spent_rial` what its chip is proven to have spent; both 0 of a wallet,
    which is never charged more than its bus showed.
    """

    rides: Sequence[RowRide]
    of_rider: AbstractSet[RideKey] = frozenset()
    disputed: AbstractSet[RideKey] = field(default_factory=set[RideKey])
    moved: AbstractSet[RideKey] = field(default_factory=set[RideKey])
    funds_rial: int = 0
    spent_rial: Callable[[], int] = lambda: 0


def read_pasts(
    session: Session, riders: Mapping[RiderKey, int], starts: Mapping[RiderKey, Kept], known: Tariffs
) -> tuple[dict[RiderKey, Past], AssignmentTable]:
    """The rides of these riders since their kept states, and where all of their devices were."""
    after = {
        rider.ref: starts.get(rider, histories.NOTHING_KEPT).place
        for rider in riders
        if rider.kind is RiderKind.CARD
    }
    cards = histories.card_rides(session.connection(), after)
    wallets = {
        rider.ref: histories.wallet_rides(session, rider.ref, starts.get(rider, histories.NOTHING_KEPT).place)
        for rider in sorted(riders)
        if rider.kind is RiderKind.WALLET
    }
    devices = {row.device_id for rows in (*cards.values(), *wallets.values()) for row in rows}
    devices |= _validators_before(cards)
    places = assignments_at(session, devices)
    found = {
        RiderKey(RiderKind.CARD, ref): past for ref, past in _cards(session, cards, after, known, places)
    }
    for ref, rows in wallets.items():
        found[RiderKey(RiderKind.WALLET, ref)] = _wallet(session, rows, known)
    return found, places


# --- cards ------------------------------------------------------------------------------------------------


def _validators_before(cards: Mapping[str, Sequence[Any]]) -> set[int]:
    records = (readable_record(bytes(row.record_read or b"")) for rows in cards.values() for row in rows)
    return {record.validator for record in records if record is not None and record.validator}


def _cards(
    session: Session,
    cards: Mapping[str, Sequence[Any]],
    after: Mapping[str, int],
    known: Tariffs,
    places: AssignmentTable,
) -> list[tuple[str, Past]]:
    connection = session.connection()
    counters = histories.commit_counters(connection, after)
    versions = {(int(row.medium_ref), _version(row)) for rows in cards.values() for row in rows}
    signed = entitlement_bytes(session, versions)
    funds = newest_funds(session, [int(ref) for ref in cards])
    in_versions = histories.signed_so_far(connection, list(cards))
    replaced = {moved.old_serial for moved in moved_balances(session, [int(ref) for ref in cards])}
    adjusted = histories.adjusted_so_far(connection, [RiderKey(RiderKind.CARD, ref) for ref in cards])
    found: list[tuple[str, Past]] = []
    for ref, rows in cards.items():
        rides: list[RowRide] = []
        last = max(PERSONALISATION_TMC, after[ref])
        unbroken = True
        for row in rows:
            follows = unbroken and set(range(last + 1, row.counter)) <= counters.get(ref, set())
            ride = _card_ride(row, signed.get((int(ref), _version(row))), known, places, follows=follows)
            last, unbroken = row.counter, ride is not None
            if ride is not None:
                rides.append(RowRide(card_key(int(ref), row.counter), row, ride))
        funds_rial = funds.get(int(ref), (0, 0))[0] + in_versions.get(ref, 0)
        # Whose balance has moved to another card is charged no more; what goes back goes there.
        spent = (
            partial(_all_of, funds_rial) if int(ref) in replaced else partial(proven_spent, session, int(ref))
        )
        of_rider = {key for key in adjusted if key.ref == ref and key.kind is MediumKind.CARD}
        found.append((ref, Past(rides, of_rider, funds_rial=funds_rial, spent_rial=spent)))
    return found


def _all_of(rial: int) -> int:
    return rial


def _version(row: Any) -> int:
    version = row.entitlement_version if row.delivered_version is None else row.delivered_version
    return 0 if version is None else version


def _card_ride(
    row: Any, signed: bytes | None, known: Tariffs, places: AssignmentTable, *, follows: bool
) -> PastRide | None:
    """None where the records, or what was in force, cannot be read: no bus went by them either."""
    before = readable_record(bytes(row.record_read or b""))
    written = readable_record(bytes(row.record_written or b""))
    if before is None or written is None or signed is None or written.blocked:
        return None
    tariff = _tariff(row, known)
    at_s = priced_at_s(written.at_s, row.boarded_at)
    in_force = signed_entitlement(signed)
    tap = CardTap(before, written, in_force, row.device_id, at_s, row.spent_before_rial or 0)
    return PastRide(
        place=row.counter,
        tariff=tariff,
        tap=tap.context(tariff, row.vehicle_id, tariff.zone),
        charged_rial=fare_of(row),
        on_card=_told_by(tap, tariff, known, places),
        follows=follows,
        is_doubted=row.suspense_reason in WAIT_FOR_A_PERSON,
    )


def fare_of(row: Any) -> int:
    """What a bus charged as a fare: without what it took above the tariff, which is nobody's fare."""
    above = row.suspense_rial if row.suspense_reason == SuspenseReason.ABOVE_TARIFF else 0
    return row.fare_rial - above


def _told_by(
    tap: CardTap, tariff: Tariff, known: Tariffs, places: AssignmentTable
) -> Callable[[], RiderState]:
    return lambda: tap.state(known, places, tariff.zone)


# --- wallets ----------------------------------------------------------------------------------------------


def _wallet(session: Session, rows: Sequence[Any], known: Tariffs) -> Past:
    disputed, moved = histories.disputes(session.connection(), {row.medium_ref for row in rows})
    rides = [
        RowRide(RideKey(MediumKind.TICKET, row.medium_ref, row.counter), row, _phone_ride(row, known))
        for row in rows
    ]
    return Past(rides, disputed=disputed, moved=moved)


def _phone_ride(row: Any, known: Tariffs) -> PastRide:
    tariff = _tariff(row, known)
    at_s = int(row.boarded_at.timestamp())
    line = row.line if row.tapped_line is None else row.tapped_line
    boarding = Boarding(row.device_id, row.seq, at_s, line, row.area or 0, row.vehicle_id)
    return PastRide(
        place=at_s,
        tariff=tariff,
        tap=ticket_context(tariff, decode_token(bytes(row.proof)), boarding),
        charged_rial=fare_of(row),
        is_doubted=row.suspense_reason in WAIT_FOR_A_PERSON,
    )


def _tariff(row: Any, known: Tariffs) -> Tariff:
    boarded_at: datetime = row.boarded_at
    named = None if row.tariff_version is None else known.of_version(row.tariff_version)
    return named or known(None, boarded_at)
