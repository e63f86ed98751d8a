"""The jobs of a desk: conversations with a card, and the transactions around them. No job holds a transaction
while it waits for a card.

A job is a `Conversation`: whoever drives it lays its APDUs before a card and gives the answers back, in this
process (`fare.core.desfire.application.run`) or over a network (`fare.desk.relay`). It may be dropped at any
point and nothing is lost:

    issue     the card is registered before it is touched; laid down again, it is continued
    load      paid and signed first, then written under k2; torn, the next bus delivers it
    block     on the denylist first, then on the card
    replace   see `fare.desk.lost_cards`
    roll      the card is asked which keys it has, so a torn roll is finished the next time

Whatever is read under k1 is evidence, and is reported like the next bus's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from sqlmodel import Session

from fare.collection.card_register import is_copied
from fare.collection.card_service import (
    CardSighting,
    CommitKind,
    CommitTaken,
    ServiceCommit,
    Sighted,
    card_committed,
    card_seen,
)
from fare.core import card_record, entitlement
from fare.core.card_record import CardRecord
from fare.core.desfire import application, layout
from fare.core.desfire.application import Conversation, OpenCard
from fare.core.desfire.errors import CardFault
from fare.core.desfire.inspection import Inspection, ask_chip
from fare.core.entitlement import CardEntitlement, EntitlementFault
from fare.core.errors import MalformedDocument
from fare.core.proof.card import CardEvidence
from fare.database.engine import read, write
from fare.desk.context import Desk
from fare.desk.outcomes import Blocked, Inspected, Issued, Loaded, ReadRecord, Rolled
from fare.issuing import (
    CardView,
    IssuingRefusal,
    IssuingRefused,
    allow_card,
    card_view,
    card_with_uid,
    card_written,
    deny_card,
    entitlement_bytes,
    keys_found,
    load_card,
    personalisation,
    register_card,
)

SHOWN_TAPS: Final = 6
CHANNEL: Final = "desk"
_NO_DEVICE: Final = 0
_UNBELIEVED: Final[Mapping[CommitTaken, str]] = {
    CommitTaken.NOT_PROVEN: "Its proof does not verify: keep this card for whoever runs the ledger.",
    CommitTaken.DOUBLE: "Another chip has shown a proof under this card's counter: it is denied, keep it.",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a new card. `expires_on` None: as long as the issuer gives."""

    rider_category: int = 0
    category_expires_on: date | None = None
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that was taken for a load. `reference` None: the order's own id."""

    amount_rial: int
    terminal: str
    reference: str | None = None


def issue(desk: Desk, terms: Terms) -> Conversation[Issued]:
    """Make a fresh chip a card of ours.

    Raises NotACardOfThisSystem for a chip that is no DESFire EV2 or EV3, IssuingRefused (already_issued).
    """
    chip = yield from ask_chip()
    uid = yield from application.read_uid()
    with write(desk.engine) as session:
        serial = register_card(
            session,
            desk.keys,
            uid=uid,
            now=desk.now(),
            issuer=desk.issuer,
            rider_category=terms.rider_category,
            category_expires_on=terms.category_expires_on,
            expires_on=terms.expires_on,
        )
        first = entitlement_bytes(session, [(serial, 1)])[serial, 1]
        key_version = card_view(session, serial).key_version
        conversation = personalisation(
            session, desk.keys, serial, rnd_a=desk.random, factory_key=desk.factory_key
        )
    proof = yield from conversation
    now = desk.now()
    written = card_record.first_record(entitlement.decode(first).issued_at_s)
    with write(desk.engine) as session:
        card_written(session, serial, now.date())
        commit = ServiceCommit(serial, CommitKind.PERSONALISED, proof, None, 1, 0, written, now)
        note = _taken(session, desk, commit)
    return Issued(serial, uid, chip.kind, key_version, proof.tmc, now, note)


def inspect(desk: Desk) -> Conversation[Inspected]:
    """Read everything and change nothing; what is read is reported as evidence."""
    seen = yield from application.inspect_card(desk.keys.cards, desk.random)
    now = desk.now()
    on_card = _verified(desk, seen.uid, seen.entitlement)
    sighted = None
    with write(desk.engine) as session:
        known = card_with_uid(session, seen.uid)
        if known is not None:
            sighting = CardSighting(
                known.serial,
                _version(on_card),
                seen.records[0],
                seen.spent,
                seen.proof,
                now,
                older_records=tuple(seen.records[1:]),
            )
            sighted = _seen(session, desk, sighting, now)
            known = card_view(session, known.serial)
    return _told(seen, on_card, known, sighted, now)


def load(desk: Desk, serial: int, payment: Payment, *, with_card: bool) -> Conversation[Loaded]:
    """Sign a load that was paid, and write it onto the card when that lies there.

    A card that is torn away does not fail the load: the next bus delivers it, and the result says so. Raises
    IssuingRefused; before anything is ordered when another card lies there (other_card).
    """
    if with_card:
        yield from _expect(desk, serial)
    with write(desk.engine) as session:
        paid = load_card(
            session,
            desk.keys,
            serial,
            payment.amount_rial,
            channel=CHANNEL,
            terminal=payment.terminal,
            psp_reference=payment.reference,
            now=desk.now(),
        )
    on_card, note = (yield from try_to_deliver(desk, serial)) if with_card else (False, None)
    return Loaded(serial, paid.amount_rial, paid.order_id, on_card, note)


def block(desk: Desk, serial: int, *, with_card: bool) -> Conversation[Blocked]:
    """Deny a card at once, and write the block onto it when it lies there."""
    with write(desk.engine) as session:
        deny_card(session, serial)
    return (yield from _mark(desk, serial, with_card=with_card, blocked=True))


def unblock(desk: Desk, serial: int, *, with_card: bool) -> Conversation[Blocked]:
    """Take a card off the denylist, and the block off the card when that lies there.

    Raises IssuingRefused, copied among others: a card of which there are two is replaced, never let ride.
    """
    with write(desk.engine) as session:
        if is_copied(session, serial):
            raise IssuingRefused(IssuingRefusal.COPIED)
        allow_card(session, serial)
    return (yield from _mark(desk, serial, with_card=with_card, blocked=False))


def roll(desk: Desk, serial: int | None = None) -> Conversation[Rolled]:
    """Bring a card to the newest generation of keys. Raises IssuingRefused: unknown_card, other_card."""
    uid = yield from application.read_uid()
    with read(desk.engine) as session:
        known = card_with_uid(session, uid)
    if known is None:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_CARD)
    if serial not in (None, known.serial):
        raise IssuingRefused(IssuingRefusal.OTHER_CARD)
    version = yield from application.roll_keys(desk.keys.cards, uid, desk.random)
    with write(desk.engine) as session:
        keys_found(session, known.serial, version)
    return Rolled(known.serial, version, known.key_version)


def try_to_deliver(desk: Desk, serial: int) -> Conversation[tuple[bool, str | None]]:
    """Write the newest entitlement onto the card on the reader: (it is there, what a person must know)."""
    try:
        return True, (yield from _deliver(desk, serial))
    except (CardFault, IssuingRefused) as fault:
        # What was paid and signed stands, whatever lies on the reader by now.
        return False, str(fault)


def _deliver(desk: Desk, serial: int) -> Conversation[str | None]:
    card, known = yield from _open(desk, serial)
    with read(desk.engine) as session:
        newest = entitlement_bytes(session, [(serial, known.version)])[serial, known.version]
    if card.entitlement == newest:
        return None
    proof = yield from application.write_entitlement(desk.keys.cards, card.uid, newest, desk.random)
    commit = ServiceCommit(
        serial, CommitKind.LOADED, proof, None, known.version, card.spent, None, desk.now()
    )
    with write(desk.engine) as session:
        return _taken(session, desk, commit)


def _mark(desk: Desk, serial: int, *, with_card: bool, blocked: bool) -> Conversation[Blocked]:
    if not with_card:
        return Blocked(serial, blocked, on_card=False, note=None)
    yield from _expect(desk, serial)
    try:
        note = yield from _write_flag(desk, serial, blocked=blocked)
    except CardFault as fault:
        return Blocked(serial, blocked, on_card=False, note=str(fault))
    return Blocked(serial, blocked, on_card=True, note=note)


def _write_flag(desk: Desk, serial: int, *, blocked: bool) -> Conversation[str | None]:
    card, _ = yield from _open(desk, serial)
    on_card = _verified(desk, card.uid, card.entitlement)
    if isinstance(on_card, EntitlementFault):
        # Junk there would make the block unprovable; the ledger's own words cure it.
        yield from _deliver(desk, serial)
        card, _ = yield from _open(desk, serial)
        on_card = _verified(desk, card.uid, card.entitlement)
    newest = _record(card.newest_record)
    if isinstance(newest, CardRecord) and newest.blocked == blocked:
        return None
    now = desk.now()
    record = card_record.record_without_ride(
        blocked=blocked,
        validator=_NO_DEVICE,
        seq=0,
        at_s=int(now.timestamp()),
        spent_rial=card.spent,
        entitlement_version=_version(on_card),
    )
    yield from application.stage(card, 0, record, None)
    proof = yield from application.commit(card)
    evidence = CardEvidence(
        serial=serial,
        entitlement_version=_version(on_card),
        delivered_version=None,
        record_read=card.newest_record,
        spent_before=card.spent,
        debit_rial=0,
        record_written=record,
        previous=card.previous,
        proof=proof,
    )
    kind = CommitKind.BLOCKED if blocked else CommitKind.UNBLOCKED
    commit = ServiceCommit(serial, kind, proof, evidence, _version(on_card), card.spent, record, now)
    with write(desk.engine) as session:
        return _taken(session, desk, commit)


def _open(desk: Desk, serial: int) -> Conversation[tuple[OpenCard, CardView]]:
    """Open the card under k1 and report what it carries. Raises IssuingRefused: unknown_card, other_card,
    copied.

    A desk may have laid down another card since its number was asked for: the job is about this one alone.
    """
    card = yield from application.open_card(desk.keys.cards, desk.random)
    now = desk.now()
    version = _version(_verified(desk, card.uid, card.entitlement))
    with write(desk.engine) as session:
        known = card_with_uid(session, card.uid)
        if known is None:
            raise IssuingRefused(IssuingRefusal.UNKNOWN_CARD)
        if known.serial != serial:
            raise IssuingRefused(IssuingRefusal.OTHER_CARD)
        sighting = CardSighting(known.serial, version, card.newest_record, card.spent, card.previous, now)
        sighted = _seen(session, desk, sighting, now)
    if sighted.is_copied:
        # The denial is committed: what is known of a copy must outlive the refusal.
        raise IssuingRefused(IssuingRefusal.COPIED)
    return card, known


def _seen(session: Session, desk: Desk, sighting: CardSighting, now: datetime) -> Sighted:
    return card_seen(session, desk.keys, sighting, now, zone=desk.zone, day_starts=desk.day_starts_at)


def _taken(session: Session, desk: Desk, commit: ServiceCommit) -> str | None:
    """Report a commit of our own; a sentence for whoever works there when the ledger does not believe it."""
    taken = card_committed(session, desk.keys, commit, zone=desk.zone, day_starts=desk.day_starts_at)
    return _UNBELIEVED.get(taken)


def _expect(desk: Desk, serial: int) -> Conversation[None]:
    """Go on with the card of this number alone. Raises IssuingRefused: unknown_card, other_card."""
    uid = yield from application.read_uid()
    with read(desk.engine) as session:
        if card_view(session, serial).uid != uid:
            raise IssuingRefused(IssuingRefusal.OTHER_CARD)


def _verified(desk: Desk, uid: bytes, raw: bytes) -> CardEntitlement | EntitlementFault:
    ring = {desk.keys.card_issuer.kid: desk.keys.card_issuer.public}
    return entitlement.verify(raw, ring, uid=uid, aid=layout.AID)


def _version(on_card: CardEntitlement | EntitlementFault) -> int:
    """0 where the card carries no entitlement of ours: nothing is seen there."""
    return 0 if isinstance(on_card, EntitlementFault) else on_card.version


def _record(raw: bytes) -> CardRecord | str:
    try:
        return card_record.decode(raw)
    except MalformedDocument as fault:
        return str(fault)


def _told(
    seen: Inspection,
    on_card: CardEntitlement | EntitlementFault,
    known: CardView | None,
    sighted: Sighted | None,
    now: datetime,
) -> Inspected:
    signed = None if isinstance(on_card, EntitlementFault) else on_card
    newest = _record(seen.records[0])
    waiting = known is not None and known.version > _version(on_card)
    funds_rial = signed.funds_rial if signed else 0
    return Inspected(
        serial=None if known is None else known.serial,
        uid=seen.uid,
        chip=seen.version.kind,
        storage_bytes=seen.version.storage_bytes,
        key_versions=seen.key_versions,
        status=None if known is None else known.status,
        spent_rial=seen.spent,
        balance_rial=None if signed is None else signed.balance_rial(seen.spent),
        version=None if signed is None else signed.version,
        entitlement_fault=on_card if isinstance(on_card, EntitlementFault) else None,
        rider_category=None if signed is None else signed.rider_category,
        expires_on=None if signed is None else entitlement.day_of(signed.expires_day),
        blocked_on_card=isinstance(newest, CardRecord) and newest.blocked,
        waiting_version=known.version if known is not None and waiting else None,
        waiting_rial=known.loaded_rial - known.withdrawn_rial - funds_rial if known and waiting else 0,
        unreported_rial=0 if sighted is None else sighted.unreported_rial,
        is_restored=sighted is not None and sighted.is_behind,
        is_copied=sighted is not None and sighted.is_copied,
        tmc=seen.proof.tmc,
        taps=_taps(seen.records),
        read_at=now,
    )


def _taps(records: Sequence[bytes]) -> tuple[ReadRecord, ...]:
    return tuple(_read_record(_record(raw)) for raw in records[:SHOWN_TAPS])


def _read_record(record: CardRecord | str) -> ReadRecord:
    if isinstance(record, str):
        return ReadRecord(None, None, None, None, None, on_pass=False, blocked=False, fault=record)
    return ReadRecord(
        at=datetime.fromtimestamp(record.at_s, UTC),
        validator=record.validator,
        line=record.line,
        fare_rial=record.fare_rial,
        spent_after_rial=record.spent_after_rial,
        on_pass=record.on_pass,
        blocked=record.blocked,
    )
