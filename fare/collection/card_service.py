"""What a desk reports of a card: that it was read, and commits that are no rides. It sends no APDU and posts
no money of its own.

The issuing server speaks to the card over a session that it authenticated, so what it read is the card's own
word: it proves the tap before exactly as the next bus would, and pays that bus's owner. A commit is believed
by its proof alone, whoever reports it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, time
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from sqlmodel import Session

from fare.collection import commits
from fare.collection.card_proof import proof_fault
from fare.collection.card_register import proven_spent
from fare.collection.earlier_tap import stands_alone
from fare.collection.facts import Facts, gather
from fare.collection.posting import Cause, deny_doubles, post_commits, post_rides, settle_earlier
from fare.collection.repricing import reprice
from fare.collection.rides import DESK, Double, ProvenCommit, TapSource, card_key, service_kind
from fare.collection.unravelling import Witness, unravel
from fare.collection.upload import City
from fare.collection.words import CommitKind
from fare.core.calendar import DAY_STARTS_AT
from fare.core.desfire.layout import RECORD_SIZE
from fare.core.proof.card import CardEvidence, CommitProof
from fare.keys import KeyStore

__all__ = [
    "CardSighting",
    "CommitKind",
    "CommitTaken",
    "ServiceCommit",
    "Sighted",
    "card_committed",
    "card_seen",
]

CAUSE: Final = "sighting"
"""The kind of the journal entries of rides that a desk proved."""


@dataclass(frozen=True, slots=True)
class CardSighting:
    """A card that the issuing server authenticated with k1 and read, before it wrote anything.

    `newest_record` has 32 bytes; `older_records` are those below it, newest first, where they were read too.
    `previous` is what file 0F held, `spent_rial` what was ever debited.
    """

    serial: int
    entitlement_version: int
    newest_record: bytes
    spent_rial: int
    previous: CommitProof
    at: datetime
    device_id: int = DESK
    older_records: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighted:
    """What a sighting came to.

    `rides_proven`: taps that this reading proved and posted. `unreported_rial`: what the card has spent
    beyond all that is proven. `is_behind`: its counter is below one that is proven, so it was restored or
    copied. `is_copied`: it showed a second valid proof for a counter, and is denied now.
    """

    rides_proven: int
    unreported_rial: int
    is_behind: bool
    is_copied: bool


@dataclass(frozen=True, slots=True)
class ServiceCommit:
    """A commit of a card that is no ride, as the issuing server made it.

    `evidence` is what was read and written around a block or its lifting, which prove nothing without it; of
    the others it may be None. `entitlement_version` is the one on the card afterwards, `record_written` None
    for a load, `spent_rial` what was ever debited.
    """

    serial: int
    kind: CommitKind
    proof: CommitProof
    evidence: CardEvidence | None
    entitlement_version: int
    spent_rial: int
    record_written: bytes | None
    at: datetime
    device_id: int = DESK


class CommitTaken(StrEnum):
    """What became of a reported commit. Only RECORDED and KNOWN leave it standing."""

    RECORDED = "recorded"
    KNOWN = "known"
    NOT_PROVEN = "not_proven"
    DOUBLE = "double"


def card_seen(
    session: Session,
    keys: KeyStore,
    sighting: CardSighting,
    now: datetime,
    *,
    zone: ZoneInfo | None = None,
    day_starts: time = DAY_STARTS_AT,
) -> Sighted:
    """Take in what a desk read on a card. The same again changes nothing.

    `zone` is the city's; without it that of `now`, which is then in the city's time.
    """
    evidence = CardEvidence.of_reading(
        sighting.serial,
        sighting.entitlement_version,
        sighting.newest_record,
        sighting.spent_rial,
        sighting.previous,
    )
    older = [(sighting.serial, record) for record in sighting.older_records]
    facts = gather(session, keys, [evidence], _city(now, zone, day_starts), older=older)
    witness = Witness(
        _source(sighting.device_id, sighting.at), evidence, sighting.at, older=sighting.older_records
    )
    proven = _settle(session, facts, [], [witness], now)
    # A version that was only read is not marked as seen: whoever has a validator's key can play any card, and
    # a load would leave the buses' list while its rider still waits for it.
    ref = str(sighting.serial)
    known_rial = proven_spent(session, sighting.serial)
    return Sighted(
        rides_proven=proven,
        unreported_rial=max(0, sighting.spent_rial - known_rial),
        is_behind=commits.highest_counter(session.connection(), ref) > sighting.previous.tmc,
        is_copied=any(double.serial == sighting.serial for double in facts.doubles),
    )


def card_committed(
    session: Session,
    keys: KeyStore,
    commit: ServiceCommit,
    *,
    zone: ZoneInfo | None = None,
    day_starts: time = DAY_STARTS_AT,
) -> CommitTaken:
    """Verify a commit that is no ride and keep it for ever. The same again changes nothing.

    Another valid proof under the same counter is a copy of the chip: the card is denied, and what stood
    stands.
    """
    after = _afterwards(commit)
    before = None if commit.evidence is None else replace(commit.evidence, proof=commit.proof)
    cards = [after] if before is None else [after, before]
    facts = gather(session, keys, cards, _city(commit.at, zone, day_starts))
    if not _is_proven(commit, after, before, facts):
        return CommitTaken.NOT_PROVEN
    key = card_key(commit.serial, commit.proof.tmc)
    known = facts.known.get(key)
    proven = ProvenCommit(
        key=key,
        service=commit.kind,
        proof=commit.proof.tmv,
        spent_rial=commit.spent_rial,
        record_written=commit.record_written,
        version_after=commit.entitlement_version,
        device=commit.device_id,
        committed_at=commit.at,
    )
    if known is not None and known.proof != commit.proof.tmv:
        facts.doubles.append(Double(commit.serial, commit.proof, commit.record_written, commit.device_id))
    elif known is None:
        facts.enter(proven)
    witnesses: list[Witness] = []
    if before is not None:
        read = replace(before, delivered_version=None, debit_rial=0, record_written=None, proof=None)
        witnesses.append(Witness(_source(commit.device_id, commit.at), read, commit.at))
    _settle(session, facts, [proven] if known is None else [], witnesses, commit.at)
    if any(double.serial == commit.serial for double in facts.doubles):
        return CommitTaken.DOUBLE
    return CommitTaken.RECORDED if known is None else CommitTaken.KNOWN


def _settle(
    session: Session,
    facts: Facts,
    own: list[ProvenCommit],
    witnesses: list[Witness],
    now: datetime,
) -> int:
    """Prove what can be proven now, and write all of it. Returns how many rides that was."""
    unravelled = unravel(witnesses, facts, now)
    cause = _cause(witnesses, now)
    post_rides(session, cause, unravelled.rides, [], facts)
    post_commits(session, [*own, *unravelled.commits], facts)
    proven = [*own, *unravelled.commits]
    reprice(session, unravelled.rides, proven, facts.tariff, f"{CAUSE}-{cause.name}", now)
    deny_doubles(session, [], facts, now)
    settle_earlier(session, unravelled, now)
    return len(unravelled.rides)


def _is_proven(commit: ServiceCommit, after: CardEvidence, before: CardEvidence | None, facts: Facts) -> bool:
    if commit.kind in {CommitKind.LOADED, CommitKind.PERSONALISED}:
        alone = stands_alone(
            commit.serial, commit.proof, after.record_read, commit.entitlement_version, facts.cards
        )
        return alone is commit.kind
    return (
        before is not None
        and before.serial == commit.serial
        and service_kind(before) is commit.kind
        and before.record_written == commit.record_written
        and before.spent_before == commit.spent_rial
        and proof_fault(before, commit.proof, facts.cards) is None
    )


def _afterwards(commit: ServiceCommit) -> CardEvidence:
    """The card as whoever reads it next will find it."""
    record = commit.record_written
    if record is None:
        record = bytes(RECORD_SIZE) if commit.evidence is None else commit.evidence.record_read
    return CardEvidence(
        serial=commit.serial,
        entitlement_version=commit.entitlement_version,
        delivered_version=None,
        record_read=record,
        spent_before=commit.spent_rial,
        debit_rial=0,
        record_written=None,
        previous=commit.proof,
        proof=None,
    )


def _source(device: int, at: datetime) -> TapSource:
    """A desk has no journal; the moment tells its readings apart."""
    return TapSource(device, b"", int(at.timestamp() * 1000))


def _cause(witnesses: list[Witness], now: datetime) -> Cause:
    """Named by a digest: no entry may say which card it was."""
    told = hashlib.sha256(CAUSE.encode())
    for witness in witnesses:
        evidence = witness.evidence
        told.update(b"%d:%d:" % (evidence.serial, witness.source.seq) + evidence.previous.encode())
    return Cause(CAUSE, told.hexdigest()[:32], "rides that a desk proved", now)


def _city(now: datetime, zone: ZoneInfo | None, day_starts: time) -> City:
    if zone is None:
        zone = now.tzinfo if isinstance(now.tzinfo, ZoneInfo) else ZoneInfo("UTC")
    return City(zone, day_starts)
