"""A desk for tests: it opens cards with the city's own keys and reports what it did, or fails to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from fare.collection.card_service import (
    CardSighting,
    CommitTaken,
    ServiceCommit,
    Sighted,
    card_committed,
    card_seen,
)
from fare.collection.words import CommitKind
from fare.core import card_record, entitlement
from fare.core.card_record import CardRecord
from fare.core.desfire.application import OpenCard, commit, open_card, run, stage
from fare.core.desfire.desk_load import write_entitlement
from fare.core.desfire.inspection import inspect_card
from fare.core.proof.card import CardEvidence, CommitProof
from fare.database.engine import write
from tests.collection.bus import EVENING, ZONE, City, RidersCard, drawn


def opened(city: City, card: RidersCard) -> OpenCard:
    """The card on the reader, authenticated with k1."""
    card.chip.power(False)
    card.chip.power(True)
    return run(open_card(city.keys.cards, lambda: drawn(16)), card.chip.transmit)


def sighting(city: City, card: RidersCard, at: datetime = EVENING, *, deep: bool = False) -> CardSighting:
    """What a desk reads of a card; `deep` with all its records."""
    found = opened(city, card)
    older: tuple[bytes, ...] = ()
    if deep:
        card.chip.power(False)
        card.chip.power(True)
        older = tuple(run(inspect_card(city.keys.cards, lambda: drawn(16)), card.chip.transmit).records[1:])
    version = entitlement.decode(found.entitlement).version
    return CardSighting(
        card.serial, version, found.newest_record, found.spent, found.previous, at, older_records=older
    )


def report(city: City, seen: CardSighting) -> Sighted:
    """Tell the ledger of a sighting."""
    with write(city.engine) as session:
        return card_seen(session, city.keys, seen, seen.at, zone=ZONE)


def look(city: City, card: RidersCard, at: datetime = EVENING, *, deep: bool = False) -> Sighted:
    """Read a card and tell the ledger."""
    return report(city, sighting(city, card, at, deep=deep))


def tell(city: City, done: ServiceCommit) -> CommitTaken:
    """Tell the ledger of a commit."""
    with write(city.engine) as session:
        return card_committed(session, city.keys, done, zone=ZONE)


def load(city: City, card: RidersCard, raw: bytes, at: datetime = EVENING) -> ServiceCommit:
    """Write an entitlement under k2. Nobody is told."""
    found = opened(city, card)
    proof = run(write_entitlement(city.keys.cards, found.uid, raw, lambda: drawn(16)), card.chip.transmit)
    version = entitlement.decode(raw).version
    return ServiceCommit(card.serial, CommitKind.LOADED, proof, None, version, found.spent, None, at)


def mark(city: City, card: RidersCard, at: datetime = EVENING, *, blocked: bool) -> ServiceCommit:
    """Write a block, or take it off. Nobody is told."""
    found = opened(city, card)
    version = entitlement.decode(found.entitlement).version
    record = CardRecord(0, 0, int(at.timestamp()), 0, 0, 0, found.spent, version, blocked=blocked).encode()
    run(stage(found, 0, record, None), card.chip.transmit)
    proof = run(commit(found), card.chip.transmit)
    evidence = CardEvidence(
        serial=card.serial,
        entitlement_version=version,
        delivered_version=None,
        record_read=found.newest_record,
        spent_before=found.spent,
        debit_rial=0,
        record_written=record,
        previous=found.previous,
        proof=proof,
    )
    kind = CommitKind.BLOCKED if blocked else CommitKind.UNBLOCKED
    return ServiceCommit(card.serial, kind, proof, evidence, version, found.spent, record, at)


def personalised(city: City, card: RidersCard, proof: CommitProof) -> ServiceCommit:
    """The report of a card that was just personalised."""
    ((raw,),) = city.rows(
        "SELECT raw FROM ledger_entitlement WHERE serial = :s AND version = 1", s=card.serial
    )
    at_s = entitlement.decode(bytes(raw)).issued_at_s
    record = card_record.first_record(at_s)
    return ServiceCommit(card.serial, CommitKind.PERSONALISED, proof, None, 1, 0, record, EVENING)


def forged_commit(done: ServiceCommit) -> ServiceCommit:
    """The same commit with one bit of its MAC off."""
    tmv = bytes([done.proof.tmv[0] ^ 1]) + done.proof.tmv[1:]
    return replace(done, proof=CommitProof(done.proof.tmc, tmv))
