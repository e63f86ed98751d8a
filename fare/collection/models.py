"""Tables of what the buses sent: streams, raw batches, the tap register, rides, quarantine (schema `travel`).

The distribution key (device, or medium for rides) comes first in every primary key.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from fare.database.columns import instant, money, number, wide


class Stream(SQLModel, table=True):
    """One journal of one device: how far it is acknowledged. Its row is locked while a batch is taken in."""

    __tablename__ = "travel_stream"  # pyright: ignore[reportAssignmentType]
    device_id: int = Field(primary_key=True)
    journal_id: bytes = Field(primary_key=True)
    acked_seq: int = wide()
    acked_hash: bytes
    newest_seq: int = wide()
    last_upload_at: datetime = instant()
    clock_offset_ms: int = Field(sa_type=BigInteger)


class StoredBatch(SQLModel, table=True):
    """A signed batch exactly as it came: the evidence. `batch_id` is SHA-256 of the envelope, in hex."""

    __tablename__ = "travel_batch"  # pyright: ignore[reportAssignmentType]
    device_id: int = Field(primary_key=True)
    batch_id: str = Field(primary_key=True)
    journal_id: bytes
    first_seq: int = wide()
    last_seq: int = wide()
    envelope: bytes
    received_at: datetime = instant()
    entry_id: str | None = Field(default=None, index=True)


class RegisteredTap(SQLModel, table=True):
    """The tap register: one row a tap. `proof_state`: none, valid, pending, bad, conflict.

    `counter` is the ride's TMC or ctr where the tap has a medium; (medium_kind, medium_ref, counter) names
    the ride.
    """

    __tablename__ = "travel_tap"  # pyright: ignore[reportAssignmentType]
    device_id: int = Field(primary_key=True)
    journal_id: bytes = Field(primary_key=True)
    seq: int = wide(primary_key=True)
    batch_id: str = Field(index=True)
    digest: bytes
    service_day: date = Field(index=True)
    tapped_at: datetime = instant()
    outcome: int
    reason: str
    medium_kind: str | None = None
    medium_ref: str | None = Field(default=None, index=True)
    counter: int | None = wide(default=None)
    fare_rial: int = money()
    proof_state: str
    recovers: int | None = wide(default=None)
    flags: str = ""


class Ride(SQLModel, table=True):
    """One proven, posted ride, named by (medium, counter) whatever device brought the proof.

    `proven_by`: tap, or next_tap when the following tap's evidence proved it. Legs: `fare_rial` is what the
    medium paid and equals owner + commission + suspense. `tariff_version`, `tapped_line` and `area` are what
    it was priced by, empty in rows from before they were kept.
    """

    __tablename__ = "travel_ride"  # pyright: ignore[reportAssignmentType]
    medium_kind: str = Field(primary_key=True)
    medium_ref: str = Field(primary_key=True)
    counter: int = wide(primary_key=True)
    device_id: int
    journal_id: bytes
    seq: int = wide()
    service_day: date = Field(index=True)
    boarded_at: datetime = instant()
    line: int
    vehicle_id: str | None = None
    owner_id: str | None = Field(default=None, index=True)
    fare_rial: int = money()
    owner_rial: int = money()
    commission_rial: int = money()
    suspense_rial: int = money()
    suspense_reason: str | None = None
    entry_id: str = Field(index=True)
    proven_by: str
    spent_before_rial: int | None = money(default=None)
    entitlement_version: int | None = None
    delivered_version: int | None = None
    record_read: bytes | None = None
    record_written: bytes | None = None
    proof: bytes
    sealed_entry_id: str | None = None
    tariff_version: int | None = wide(default=None)
    tapped_line: int | None = None
    area: int | None = None


class Adjustment(SQLModel, table=True):
    """A ride's fare, set right by all rides of its rider that are known: for ever, and never an edit.

    `number` counts the adjustments of the ride; the legs are what this one changed of the row and those
    before it, and `rider_rial` is their sum: negative goes back to the rider. (`rider_kind`, `rider_ref`)
    is whose purse it is: a card's, or the wallet behind tickets. `is_held`: the ride was in dispute, so its
    owner's part moved within suspense. `cause` is an AdjustmentCause, `steps` why, as the tariff tells it.
    """

    __tablename__ = "travel_adjustment"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("ix_travel_adjustment_rider", "rider_kind", "rider_ref"),)
    medium_kind: str = Field(primary_key=True)
    medium_ref: str = Field(primary_key=True)
    counter: int = wide(primary_key=True)
    number: int = Field(primary_key=True)
    rider_kind: str
    rider_ref: str
    service_day: date = Field(index=True)
    owner_id: str | None = None
    rider_rial: int = money()
    owner_rial: int = money()
    commission_rial: int = money()
    suspense_rial: int = money()
    is_held: bool = False
    cause: str
    steps: bytes
    tariff_version: int = wide()
    entry_id: str = Field(index=True)
    adjusted_at: datetime = instant()
    sealed_entry_id: str | None = None


_WAITS = text("open_since IS NOT NULL")


class Rider(SQLModel, table=True):
    """A rider as the tariff remembers one: its row is locked while the rides are priced anew.

    `open_since`: the tap-on of a journey whose tap-off is not known.
    """

    __tablename__ = "travel_rider"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        Index("ix_travel_rider_open", "open_since", sqlite_where=_WAITS, postgresql_where=_WAITS),
    )
    rider_kind: str = Field(primary_key=True)
    rider_ref: str = Field(primary_key=True)
    open_since: datetime | None = instant(default=None)


class KeptState(SQLModel, table=True):
    """What the tariff remembered of a rider after the ride at `place`, so that a new ride refolds few.

    `place` is a card's counter, or unix seconds of a wallet's ride. Worked out from rides, and thrown away.
    """

    __tablename__ = "travel_rider_state"  # pyright: ignore[reportAssignmentType]
    rider_kind: str = Field(primary_key=True)
    rider_ref: str = Field(primary_key=True)
    place: int = wide(primary_key=True)
    at_s: int = wide()
    tariff_version: int = wide()
    state: bytes


class OpenEvidence(SQLModel, table=True):
    """Half of a proof that waits for its other half: a working list, emptied as rides are proven.

    (medium_ref, counter) is the card ride it speaks of; the tap in the key is where it came from. `record` is
    what that ride wrote on the card, `tapped_at` its time. With `tmv`: the next tap read this proof on the
    card, and the bytes around it are unknown. With `raw_tap`: an unconfirmed tap knows the bytes, the proof
    is unknown.
    """

    __tablename__ = "travel_open_evidence"  # pyright: ignore[reportAssignmentType]
    medium_ref: str = Field(primary_key=True)
    counter: int = wide(primary_key=True)
    device_id: int = number(primary_key=True)
    journal_id: bytes = Field(primary_key=True)
    seq: int = wide(primary_key=True)
    record: bytes
    tmv: bytes | None = None
    raw_tap: bytes | None = None
    tapped_at: datetime = instant()
    received_at: datetime = instant()


class CardCommit(SQLModel, table=True):
    """A commit of a card that is no ride: personalised, loaded at a desk, blocked or unblocked.

    (medium_ref, counter) names it among the card's rides. `proof`: the 8 bytes of its Transaction MAC value;
    `record_written`: None for a load, which leaves the newest record as it was. `device_id` is the validator
    that blocked the card, 0 for the issuing server. `spent_rial` did not change by it.
    """

    __tablename__ = "travel_card_commit"  # pyright: ignore[reportAssignmentType]
    medium_ref: str = Field(primary_key=True)
    counter: int = wide(primary_key=True)
    kind: str
    spent_rial: int = money()
    proof: bytes
    record_written: bytes | None = None
    entitlement_version: int
    device_id: int
    committed_at: datetime = instant()


_UNDECIDED = text("decision IS NULL")


class TicketConflict(SQLModel, table=True):
    """A ride of a ticket, or a part of it, that a second vehicle showed too: the review queue.

    The ride (cti, ride_ctr) stands; the tap in (device_id, journal_id, seq) claims `first_ctr` to `last_ctr`
    of the same ticket. `shown_at` is the time the phone signed, None of paper. `denied`: it was a repeat, and
    the phone has to enrol anew. `decision`: a ConflictDecision, None while nobody has looked.

    `entry_id` is the journal entry that moved the ride's fare out of suspense, the same for all conflicts of
    the ride that it settled. `back_…` is what it gave back to the ride's own bus, `owner_id` and the two
    beside it what it paid to this tap's; the rest stays in suspense.
    """

    __tablename__ = "travel_ticket_conflict"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        UniqueConstraint("device_id", "journal_id", "seq", name="uq_travel_ticket_conflict_tap"),
        Index(
            "ix_travel_ticket_conflict_open",
            "found_at",
            sqlite_where=_UNDECIDED,
            postgresql_where=_UNDECIDED,
        ),
    )
    conflict_id: str = Field(primary_key=True)
    cti: bytes = Field(index=True)
    ride_ctr: int
    first_ctr: int
    last_ctr: int
    device_id: int
    journal_id: bytes
    seq: int = wide()
    line: int
    vehicle_id: str | None = None
    tapped_at: datetime = instant()
    shown_at: datetime | None = instant(default=None)
    fare_rial: int = money()
    found_at: datetime = instant()
    denied: bool = False
    decision: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = instant(default=None)
    note: str | None = None
    entry_id: str | None = None
    back_owner_rial: int = money(default=0)
    back_commission_rial: int = money(default=0)
    owner_id: str | None = None
    owner_rial: int = money(default=0)
    commission_rial: int = money(default=0)


class PaperRedemption(SQLModel, table=True):
    """A paper ticket for any vehicle that was ridden with the ledger's leave: the device that asked."""

    __tablename__ = "travel_paper_redemption"  # pyright: ignore[reportAssignmentType]
    cti: bytes = Field(primary_key=True)
    device_id: int
    vehicle_id: str | None = None
    redeemed_at: datetime = instant()


class Quarantined(SQLModel, table=True):
    """What could not be taken in, raw and for ever: undecodable, forged, forked. `reason` says which."""

    __tablename__ = "travel_quarantine"  # pyright: ignore[reportAssignmentType]
    device_id: int = Field(primary_key=True)
    quarantine_id: str = Field(primary_key=True)
    journal_id: bytes
    seq: int = wide()
    reason: str
    raw: bytes
    received_at: datetime = instant()
    resolution: str | None = None
