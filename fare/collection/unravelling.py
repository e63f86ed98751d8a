"""Bringing half proofs together: torn taps that know the bytes, and next taps that carry the proof. Pure.

A tap that was torn, lost with a burnt bus or withheld is proven by the next bus the card meets. What cannot
be proven yet stays on the working list until its other half, or the ride before it, arrives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fare.collection.doubts import card_not_before, is_contradicted, terms_differ
from fare.collection.earlier_tap import prove_earlier
from fare.collection.facts import Facts, card_key, own_key
from fare.collection.judging import Verdict, card_ceiling, funds_left
from fare.collection.rides import KnownRide, ProvenRide, RideKey, TapSource, readable_record
from fare.collection.store import OpenRow
from fare.collection.tap_time import plausible
from fare.collection.words import Flag, ProofState, ProvenBy, SuspenseReason
from fare.core.proof.card import CardEvidence, CommitProof
from fare.core.tap import Tap, decode_tap


@dataclass(slots=True)
class Unravelled:
    """What came of it: rides proven by a next tap, what became of torn taps, and how the working list
    changes.

    `torn` maps an unconfirmed tap to its new proof state and flag. `differing` are taps whose card told
    another proof of an earlier ride than the one that stands.
    """

    rides: list[ProvenRide] = field(default_factory=list[ProvenRide])
    torn: dict[TapSource, tuple[ProofState, str]] = field(
        default_factory=dict[TapSource, tuple[ProofState, str]]
    )
    differing: set[TapSource] = field(default_factory=set[TapSource])
    add: list[OpenRow] = field(default_factory=list[OpenRow])
    close: list[OpenRow] = field(default_factory=list[OpenRow])


def unravel(verdicts: Sequence[Verdict], facts: Facts, received_at: datetime) -> Unravelled:
    """Prove what can be proven of earlier taps. Rides it proves are entered in `facts.rides`."""
    fresh = [row for verdict in verdicts for row in _half_proofs(verdict, facts, received_at)]
    rows: dict[RideKey, list[OpenRow]] = defaultdict(list)
    for row in [*facts.open_rows, *fresh]:
        rows[row.key].append(row)
    result = Unravelled()
    # In the order of a card's counter one pass is enough: each ride stands on the one before it.
    for key in sorted(rows):
        if key not in facts.rides:
            ride = _prove(key, rows[key], facts)
            if ride is not None:
                facts.rides[key] = ride.known()
                result.rides.append(ride)
        known = facts.rides.get(key)
        if known is not None:
            _close(rows[key], known, result)
    closed = {id(row) for row in result.close}
    stored = {id(row) for row in facts.open_rows}
    result.add = [row for row in fresh if id(row) not in closed]
    result.close = [row for row in result.close if id(row) in stored]
    return result


def _half_proofs(verdict: Verdict, facts: Facts, received_at: datetime) -> list[OpenRow]:
    """What this tap contributes: its card's previous proof, and its own bytes when its proof is missing."""
    evidence = verdict.tap.card
    if evidence is None or evidence.serial not in facts.cards.faces:
        return []
    found: list[OpenRow] = []
    told = readable_record(evidence.record_read)
    previous = card_key(evidence.serial, evidence.previous.tmc)
    if told is not None and told.validator and not _wrote_nothing(evidence.record_read, previous, facts):
        at = plausible(told.at_s * 1000, received_at) or received_at
        found.append(
            OpenRow(
                previous,
                verdict.source,
                evidence.record_read,
                evidence.previous.tmv,
                None,
                at,
                verdict.tapped_at,
            )
        )
    own = own_key(verdict.tap)
    if verdict.state is ProofState.PENDING and own is not None:
        found.append(
            OpenRow(
                own,
                verdict.source,
                evidence.record_written,
                None,
                verdict.raw.raw,
                verdict.tapped_at,
                verdict.tapped_at,
            )
        )
    return found


def _wrote_nothing(record: bytes, previous: RideKey, facts: Facts) -> bool:
    """Whether the card's newest record is an older ride's: its last commit was a load, not a tap."""
    older = facts.rides.get(RideKey(previous.kind, previous.ref, previous.counter - 1))
    return older is not None and older.record_written == record


def _prove(key: RideKey, rows: Sequence[OpenRow], facts: Facts) -> ProvenRide | None:
    torn = [(row, decode_tap(row.raw_tap)) for row in rows if row.raw_tap is not None]
    for carried in rows:
        if carried.tmv is None:
            continue
        own = next(((row, tap) for row, tap in torn if row.record == carried.record), None)
        evidence = prove_earlier(
            serial=int(key.ref),
            proof=CommitProof(key.counter, carried.tmv),
            record=carried.record,
            before=facts.rides.get(RideKey(key.kind, key.ref, key.counter - 1)),
            torn=None if own is None else own[1].card,
            facts=facts.cards,
        )
        if evidence is not None:
            return _ride(key, carried, own, rows, facts, evidence)
    return None


def _ride(
    key: RideKey,
    carried: OpenRow,
    own: tuple[OpenRow, Tap] | None,
    rows: Sequence[OpenRow],
    facts: Facts,
    evidence: CardEvidence,
) -> ProvenRide | None:
    told = readable_record(carried.record)
    if told is None or carried.tmv is None:
        return None
    at = carried.tapped_at if own is None else own[0].tapped_at
    # Its validator was there at its time: that bus is paid, whoever brought the proof.
    source = TapSource(told.validator, b"", told.seq) if own is None else own[0].source
    tariff = facts.tariff(None if own is None else own[1].tariff_version, at)
    earliest = card_not_before(evidence, facts, None)
    held_back = None
    if not _vouched_for(told.validator, carried, rows, facts):
        held_back = SuspenseReason.DEVICE_REVOKED
    elif is_contradicted(at, earliest) and terms_differ(source.device, at, earliest, facts):
        held_back = SuspenseReason.RECORD_DIFFERS
    return ProvenRide(
        key=key,
        source=source,
        boarded_at=at,
        service_day=facts.city.day_of(at),
        line=told.line,
        fare_rial=evidence.debit_rial,
        proven_by=ProvenBy.NEXT_TAP,
        proof=carried.tmv,
        ceiling_rial=card_ceiling(evidence, tariff, source.device, at, facts),
        funds_left_rial=funds_left(evidence, facts),
        evidence=evidence,
        held_back=held_back,
    )


def _vouched_for(validator: int, carried: OpenRow, rows: Sequence[OpenRow], facts: Facts) -> bool:
    """Whether a ride on this validator may be paid: it is not revoked, or another bus met the card before it
    was.
    """
    revoked_at = facts.revoked.get(validator)
    return revoked_at is None or any(
        row.tmv == carried.tmv
        and row.source.device != validator
        and row.source.device not in facts.revoked
        and row.seen_at < revoked_at
        for row in rows
    )


def _close(rows: Sequence[OpenRow], known: KnownRide, result: Unravelled) -> None:
    """The ride is proven: nothing waits for it any more."""
    for row in rows:
        result.close.append(row)
        if row.raw_tap is None:
            if row.tmv != known.proof:
                result.differing.add(row.source)
        elif row.record == known.record_written:
            result.torn[row.source] = (ProofState.VALID, "")
        else:
            # Another commit took that counter, so this one never came to be.
            result.torn[row.source] = (ProofState.NONE, Flag.NOT_COMMITTED)
