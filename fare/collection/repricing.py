"""Pricing rides anew with all rides of their rider that are known, and posting the differences.

    new rides -> their riders, locked -> all rides of each since a state that was kept, in a row
              -> what each comes to -> an adjustment for each that was charged otherwise
              -> one journal entry a service day

The bus prices with what the card told it; the ledger with everything it has. Rides come late, twice and out
of order, and the same set of rides always comes to the same. An adjustment is a row and an entry of its own,
never an edit. Tariffs that remember nothing are not folded at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import accumulate
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session, col

from fare.collection import histories
from fare.collection.adjusting import Parts, cover, due_parts
from fare.collection.bulk import insert_rows, table_of
from fare.collection.clocks import in_order
from fare.collection.folding import Due, Folded, fold
from fare.collection.histories import Kept, RiderKey, SoFar
from fare.collection.models import Adjustment
from fare.collection.pasts import Past, fare_of, read_pasts
from fare.collection.posting import Cause
from fare.collection.rides import ProvenCommit, ProvenRide, RideKey
from fare.collection.tariffs import Tariffs, tariffs
from fare.collection.words import (
    CAUSES_OF_LESS,
    AdjustmentCause,
    CommitKind,
    MediumKind,
    RiderKind,
    SuspenseReason,
)
from fare.core.signed import canonical
from fare.core.tariff.model import Tariff, TransferType
from fare.core.tariff.plain import as_map
from fare.core.tariff.pricing import is_memoryless
from fare.core.tariff.state import RiderState
from fare.fleet import AssignmentTable
from fare.ledger import accounts, post_many
from fare.ledger.models import Entry

_ADJUSTMENT: Final = table_of(Adjustment)
CAUSE: Final = "adjust"
_TEXT: Final = "fares set right by all rides that are known"
_FOR_EVER: Final = 2**62


@dataclass(slots=True)
class _Changes:
    """What pricing anew came to: new adjustments and the device of each, journeys, states to keep."""

    rows: list[tuple[dict[str, Any], int]] = field(default_factory=list[tuple[dict[str, Any], int]])
    open_since: dict[RiderKey, int | None] = field(default_factory=dict[RiderKey, "int | None"])
    kept: dict[RiderKey, list[tuple[Tariff, Kept]]] = field(
        default_factory=dict[RiderKey, list[tuple[Tariff, Kept]]]
    )


def reprice(
    session: Session,
    rides: Sequence[ProvenRide],
    commits: Sequence[ProvenCommit],
    known: Tariffs,
    batch_name: str,
    now: datetime,
) -> None:
    """Price the riders of these new rides anew. `batch_name` names what brought them.

    A card's commit that is no ride may have been all that was missing between two rides.
    """
    if all(is_memoryless(tariff) for _, tariff in known.history):
        return
    remembering = {
        ride.key
        for ride in rides
        if (tariff := known.of_version(ride.tariff_version)) and not is_memoryless(tariff)
    }
    # A card is written once, before it rides: every card's first ride tells of that.
    commits = [commit for commit in commits if commit.service is not CommitKind.PERSONALISED]
    riders = histories.riders_of(session, [each.key for each in (*rides, *commits)])
    wanted = {riders[key] for key in remembering if key in riders}
    # A ride by a tariff that remembers nothing still lies between others of its rider.
    wanted |= histories.known_riders(session.connection(), set(riders.values()) - wanted)
    earliest: dict[RiderKey, int] = {}
    places = [(riders.get(ride.key), _place(ride)) for ride in rides]
    places += [(riders.get(commit.key), commit.key.counter) for commit in commits]
    for rider, place in places:
        if rider is not None and rider in wanted:
            earliest[rider] = min(place, earliest.get(rider, _FOR_EVER))
    _reprice(session, earliest, known, Cause(CAUSE, batch_name, _TEXT, now))


def close_journeys(session: Session, now: datetime) -> None:
    """Close the journeys that were never tapped off and are over at `now`. Again: nothing is left."""
    waiting = histories.open_riders(session.connection())
    if not waiting:
        return
    closings = session.connection().execute(
        sa.select(sa.func.count()).where(
            col(Entry.cause_kind) == CAUSE, col(Entry.cause_id).startswith("closing-", autoescape=True)
        )
    )
    name = f"closing-{int(closings.scalar_one()) + 1}"
    _reprice(session, dict.fromkeys(waiting, _FOR_EVER), tariffs(session), Cause(CAUSE, name, _TEXT, now))


def _reprice(session: Session, earliest: Mapping[RiderKey, int], known: Tariffs, cause: Cause) -> None:
    if not earliest:
        return
    connection = session.connection()
    histories.lock_riders(connection, list(earliest))
    starts = histories.kept_states(connection, earliest)
    pasts, places = read_pasts(session, earliest, starts, known)
    again = [
        rider
        for rider, past in pasts.items()
        if rider in starts and not in_order([each.ride.tap.at_s for each in past.rides], starts[rider].at_s)
    ]
    if again:  # whose clock was wrong, all rides together say
        starts = histories.kept_states(connection, {**earliest, **dict.fromkeys(again, 0)})
        pasts, places = read_pasts(session, earliest, starts, known)
    so_far = histories.adjusted_so_far(connection, list(earliest))
    changes = _Changes()
    until_s = int(cause.posted_at.timestamp())
    for rider, past in sorted(pasts.items()):
        start = starts.get(rider, histories.NOTHING_KEPT)
        folded = fold([each.ride for each in past.rides], start.state, start.at_s, until_s)
        _compare(rider, past, folded, so_far, places, cause, changes)
        changes.open_since[rider] = _open_since(folded)
    histories.mark_open(connection, changes.open_since)
    histories.keep_states(connection, changes.kept)
    insert_rows(connection, _ADJUSTMENT, [row for row, _ in changes.rows])
    post_many(session, _entries(cause, changes.rows), cause.posted_at)


def _place(ride: ProvenRide) -> int:
    return ride.key.counter if ride.key.kind is MediumKind.CARD else int(ride.boarded_at.timestamp())


def _open_since(folded: Folded) -> int | None:
    if folded.open_ride is None:
        return None
    journey = folded.states[-1].journey if folded.states else None
    return None if journey is None else journey.tap.at_s


# --- what each ride should be -----------------------------------------------------------------------------


def _compare(
    rider: RiderKey,
    past: Past,
    folded: Folded,
    so_far: Mapping[RideKey, SoFar],
    places: AssignmentTable,
    cause: Cause,
    changes: _Changes,
) -> None:
    dues = [due.due_rial for due in folded.dues]
    extras = [max(0, due - each.row.fare_rial) for due, each in zip(dues, past.rides, strict=True)]
    covered = [0] * len(dues)
    if rider.kind is RiderKind.CARD and any(extras):
        covered = cover(extras, _room(past, dues, so_far))
    for i, each in enumerate(past.rides):
        if each.key in past.moved:
            continue
        done = so_far.get(each.key, SoFar())
        posted = _posted(each.row)
        place = places.at(each.row.device_id, each.row.boarded_at)
        share_bps = None if place is None or place.owner_id != each.row.owner_id else place.owner_share_bps
        due_rial = min(dues[i], each.row.fare_rial) + covered[i]
        change = due_parts(posted, _reason(each.row), due_rial, share_bps).minus(posted.plus(done.parts))
        # Who has nothing left to pay with told of a false past all the same: that is written down too.
        too_little = extras[i] > 0 and folded.dues[i].cause in CAUSES_OF_LESS
        if not too_little and folded.dues[i].cause in CAUSES_OF_LESS:
            folded.dues[i].cause = AdjustmentCause.REPRICED  # what it took above the tariff paid for it
        if not change.is_nothing or (rider.kind is RiderKind.CARD and too_little != done.too_little):
            held = each.key in past.disputed
            told = _Told(rider, each.key, each.ride.tariff, folded.dues[i], done.count + 1, held)
            changes.rows.append((_row(told, each.row, change, cause), each.row.device_id))
    changes.kept[rider] = _worth_keeping(past, folded, extras, covered)


def _room(past: Past, dues: Sequence[int], so_far: Mapping[RideKey, SoFar]) -> int:
    """What of the card's own funds is left for fares that its chip was not debited for.

    It is counted from what was loaded, whatever adjustments were signed meanwhile: in whichever order rides
    come, each extra is covered or not by all of them.
    """
    here = {each.key for each in past.rides}
    before_rial = sum(done.parts.rider_rial for key, done in so_far.items() if key in past.of_rider - here)
    back_rial = sum(max(0, fare_of(each.row) - due) for each, due in zip(past.rides, dues, strict=True))
    return past.funds_rial - past.spent_rial() - before_rial + back_rial


def _posted(row: Any) -> Parts:
    return Parts(row.fare_rial, row.owner_rial, row.commission_rial, row.suspense_rial)


def _reason(row: Any) -> SuspenseReason | None:
    return None if row.suspense_reason is None else SuspenseReason(row.suspense_reason)


def _worth_keeping(
    past: Past, folded: Folded, extras: Sequence[int], covered: Sequence[int]
) -> list[tuple[Tariff, Kept]]:
    """The state after the last ride of each service day but the newest, where nothing looks back over it."""
    kept: list[tuple[Tariff, Kept]] = []
    times_s = [each.ride.tap.at_s for each in past.rides]
    next_s = list(accumulate(reversed(times_s), min))[::-1]  # of a ride and all after it the earliest
    for i, (each, following) in enumerate(zip(past.rides, past.rides[1:], strict=False)):
        if extras[i] != covered[i]:
            break  # its rider's next load may cover it
        state, tariff = folded.states[i], each.ride.tariff
        ends_a_day = (
            each.row.service_day != following.row.service_day and each.ride.place < following.ride.place
        )
        if ends_a_day and folded.times_s[i] <= next_s[i + 1] and _is_settled(tariff, state):
            kept.append((tariff, Kept(each.ride.place, folded.times_s[i], state)))
    return kept


def _is_settled(tariff: Tariff, state: RiderState) -> bool:
    """Whether no later ride can change what the rides before this state come to."""
    returns = any(rule.transfer_type is TransferType.TRANSFER_ONLY for rule in tariff.transfer_rules)
    return state.journey is None and state.leg is None and not (returns and state.chain is not None)


# --- rows and entries -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Told:
    """Whose ride is adjusted, for the how-manieth time, by which tariff, and why."""

    rider: RiderKey
    key: RideKey
    tariff: Tariff
    due: Due
    number: int
    is_held: bool


def _row(told: _Told, ride: Any, change: Parts, cause: Cause) -> dict[str, Any]:
    return {
        "medium_kind": str(told.key.kind),
        "medium_ref": told.key.ref,
        "counter": told.key.counter,
        "number": told.number,
        "rider_kind": str(told.rider.kind),
        "rider_ref": told.rider.ref,
        "service_day": ride.service_day,
        "owner_id": ride.owner_id,
        "rider_rial": change.rider_rial,
        "owner_rial": change.owner_rial,
        "commission_rial": change.commission_rial,
        "suspense_rial": change.suspense_rial,
        "is_held": told.is_held,
        "cause": str(told.due.cause),
        "steps": canonical([as_map(step) for step in told.due.steps]),
        "tariff_version": told.tariff.version,
        "entry_id": cause.entry_id(ride.service_day),
        "adjusted_at": cause.posted_at,
        "sealed_entry_id": None,
    }


def _entries(cause: Cause, rows: Iterable[tuple[Mapping[str, Any], int]]):
    """One entry for each service day: what its rides take from their riders more or less, and who gets it."""
    days: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row, device in rows:
        postings = days[row["service_day"]]
        postings[accounts.clearing(row["service_day"])] += row["rider_rial"]
        suspense = accounts.suspense(device)
        postings[suspense] -= row["suspense_rial"]
        # While a ride is in dispute its owner's part and the city's wait in suspense too.
        owner = suspense if row["is_held"] else accounts.owner_payable(row["owner_id"] or "nobody")
        postings[owner] -= row["owner_rial"]
        postings[suspense if row["is_held"] else accounts.COMMISSION_REVENUE] -= row["commission_rial"]
    return [cause.draft(day, postings) for day, postings in sorted(days.items())]
