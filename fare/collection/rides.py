"""What a card's proven commit is, ride or not, and a ticket's ride. Values only: no database, no keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Final

from fare.collection.words import CommitKind, MediumKind, ProvenBy, SuspenseReason
from fare.core import card_record
from fare.core.errors import MalformedDocument
from fare.core.proof.card import CardEvidence, CommitProof

DESK: Final = 0
"""The device number of the issuing server, which reads and writes cards at desks."""


@dataclass(frozen=True, slots=True, order=True)
class RideKey:
    """The name of a ride: card serial and TMC, or cti (hex) and ctr, whatever device brought it.

    A card's commit that is no ride has its name in the same row.
    """

    kind: MediumKind
    ref: str
    counter: int

    def before(self, steps: int = 1) -> RideKey:
        """The name of what this medium did so many steps earlier, not below counter 0."""
        return RideKey(self.kind, self.ref, max(0, self.counter - steps))


@dataclass(frozen=True, slots=True)
class TapSource:
    """Which tap of which journal. `journal_id` is empty where only the card's record names the tap."""

    device: int
    journal_id: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class KnownCommit:
    """What later proofs need of a commit that is proven: its proof and, of a card, the state it left behind.

    `proof` is the TMV of a card and the token of a ticket. `record_written` is None where the newest record
    stayed as it was. `version_after` is the entitlement in force. `service` is None for a ride.
    """

    source: TapSource
    proof: bytes
    record_written: bytes | None
    version_after: int | None
    vehicle_id: str | None = None
    service: CommitKind | None = None


@dataclass(frozen=True, slots=True)
class ProvenCommit:
    """A card's commit with a valid proof that is no ride and moves no money.

    `proof` is its 8-byte TMV, `spent_rial` what the card had spent, ever. `device` is DESK for
    the issuing server.
    """

    key: RideKey
    service: CommitKind
    proof: bytes
    spent_rial: int
    record_written: bytes | None
    version_after: int
    device: int
    committed_at: datetime

    def known(self) -> KnownCommit:
        """This commit as the base of later proofs."""
        return KnownCommit(
            TapSource(self.device, b"", 0),
            self.proof,
            self.record_written,
            self.version_after,
            service=self.service,
        )


@dataclass(frozen=True, slots=True)
class Double:
    """A second valid proof for one counter of a card: a copy of its chip exists. `device` brought it."""

    serial: int
    proof: CommitProof
    record: bytes | None
    device: int


@dataclass(frozen=True, slots=True)
class ProvenRide:
    """A ride with a valid proof. `ceiling_rial` is the tariff's most for it; `funds_left_rial` what the
    medium's signed funds still covered before it, None where a hold covers it; `held_back` sends all of it
    to suspense. `tariff_version` is what it was judged by.
    """

    key: RideKey
    source: TapSource
    boarded_at: datetime
    service_day: date
    line: int
    fare_rial: int
    proven_by: ProvenBy
    proof: bytes
    ceiling_rial: int
    funds_left_rial: int | None
    evidence: CardEvidence | None
    held_back: SuspenseReason | None = None
    tariff_version: int = 0
    area: int = 0

    def known(self) -> KnownCommit:
        """This ride as the base of later proofs."""
        e = self.evidence
        if e is None:
            return KnownCommit(self.source, self.proof, None, None)
        return KnownCommit(self.source, self.proof, e.record_written, version_after(e))


def version_after(evidence: CardEvidence) -> int:
    """The entitlement version on the card after this tap."""
    return evidence.entitlement_version if evidence.delivered_version is None else evidence.delivered_version


@lru_cache(maxsize=4096)  # one tap's records are looked at from several sides
def readable_record(raw: bytes) -> card_record.CardRecord | None:
    """A record of a layout known here, else None."""
    try:
        return card_record.decode(raw)
    except MalformedDocument:
        return None


def card_key(serial: int, counter: int) -> RideKey:
    """The name of a card's commit."""
    return RideKey(MediumKind.CARD, str(serial), counter)


def service_kind(evidence: CardEvidence) -> CommitKind | None:
    """What a commit was that blocked a card, or that a desk made to lift a block; None for a ride."""
    written = None if evidence.record_written is None else readable_record(evidence.record_written)
    if written is None or evidence.debit_rial or written.fare_rial:
        return None
    if written.blocked:
        return CommitKind.BLOCKED
    return None if written.validator else CommitKind.UNBLOCKED
