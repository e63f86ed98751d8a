"""What a proven ride is, before and after its money is divided. Values only: no database, no keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from fare.collection.words import MediumKind, ProvenBy, SuspenseReason
from fare.core import card_record
from fare.core.errors import MalformedDocument
from fare.core.proof.card import CardEvidence


@dataclass(frozen=True, slots=True, order=True)
class RideKey:
    """The name of a ride: card serial and TMC, or cti (hex) and ctr, whatever device brought it."""

    kind: MediumKind
    ref: str
    counter: int


@dataclass(frozen=True, slots=True)
class TapSource:
    """Which tap of which journal. `journal_id` is empty where only the card's record names the tap."""

    device: int
    journal_id: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class KnownRide:
    """What later proofs need of a ride that is proven: its proof and, of a card, the state it left behind.

    `proof` is the TMV of a card ride and the token of a ticket. `version_after` is the entitlement in force.
    """

    source: TapSource
    proof: bytes
    record_written: bytes | None
    version_after: int | None
    vehicle_id: str | None = None


@dataclass(frozen=True, slots=True)
class ProvenRide:
    """A ride with a valid proof. `ceiling_rial` is the tariff's most for it; `funds_left_rial` what the
    medium's signed funds still covered before it, None where a hold covers it; `held_back` sends all of it
    to suspense.
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

    def known(self) -> KnownRide:
        """This ride as the base of later proofs."""
        e = self.evidence
        if e is None:
            return KnownRide(self.source, self.proof, None, None)
        return KnownRide(self.source, self.proof, e.record_written, version_after(e))


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
