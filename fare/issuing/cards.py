"""Cards: registering one, personalising it over relayed APDUs, denying it. It sends no APDU by itself.

A card exists in the ledger before it exists in the field: `register_card` signs version 1 (no money), and
`personalisation` gives the conversation that writes it. Repeated for the same chip, both go on where they
stopped: a card torn away is simply put back.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from fare.core import card_record, entitlement
from fare.core.desfire import application, layout
from fare.core.desfire.application import Conversation
from fare.core.desfire.keys import CardKeys, KeyPurpose
from fare.core.desfire.personalisation import FACTORY_KEY
from fare.core.entitlement import CardEntitlement
from fare.core.proof.card import CommitProof
from fare.issuing.models import Card, Entitlement, Replacement
from fare.issuing.refusals import IssuingRefusal, IssuingRefused
from fare.issuing.words import CardStatus
from fare.keys import KeyStore

CARD_LIFE: Final = timedelta(days=5 * 366)
ISSUING_TERMINAL: Final = "issuing-desk"
_SERIAL_LOCK: Final = 0x4D43_5352  # "MCSR"
_RANDOM_SIZE: Final = 16


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """What a card's proofs are checked with: its UID (7 bytes) and Transaction MAC key (16 bytes)."""

    uid: bytes
    tm_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CardView:
    """A card as others may see it. `loaded_rial` minus `withdrawn_rial` is what it may spend in all.

    `is_written`: its version 1 is known to be on the chip. `waits`: its newest version was not seen there.
    """

    serial: int
    uid: bytes
    status: str
    rider_category: int
    version: int
    loaded_rial: int
    withdrawn_rial: int
    expires_on: date
    category_expires_on: date | None
    overdraft_rial: int
    key_version: int
    is_written: bool
    waits: bool


def register_card(
    session: Session,
    keys: KeyStore,
    *,
    uid: bytes,
    now: datetime,
    issuer: int = 1,
    rider_category: int = 0,
    category_expires_on: date | None = None,
    overdraft_rial: int = 0,
    expires_on: date | None = None,
) -> int:
    """Enter a chip as a card of ours and sign its version 1, with nothing loaded; returns its serial.

    The same chip again returns its serial as long as version 1 was not proven to be on it; afterwards it is
    IssuingRefused (already_issued). `uid` has 7 bytes.
    """
    known = session.exec(select(Card).where(col(Card.uid) == uid)).first()
    if known is not None:
        if _first_entitlement(session, known.serial).seen_day is not None:
            raise IssuingRefused(IssuingRefusal.ALREADY_ISSUED)
        return known.serial
    expires_on = expires_on or now.date() + CARD_LIFE
    card = Card(
        serial=_next_serial(session),
        uid=uid,
        status=CardStatus.ACTIVE,
        key_version=keys.cards.current,
        tm_key_version=keys.cards.current,
        rider_category=rider_category,
        category_expires_day=entitlement.day_number(category_expires_on) if category_expires_on else 0,
        overdraft_rial=overdraft_rial,
        expires_day=entitlement.day_number(expires_on),
        issued_day=now.date(),
    )
    first = CardEntitlement(
        issuer=issuer,
        kid=keys.card_issuer.kid,
        aid=layout.AID,
        serial=card.serial,
        uid=uid,
        version=1,
        loaded_total_rial=0,
        withdrawn_total_rial=0,
        rider_category=card.rider_category,
        category_expires_day=card.category_expires_day,
        overdraft_rial=card.overdraft_rial,
        expires_day=card.expires_day,
        passes=(),
        issued_at_s=int(now.timestamp()),
    )
    session.add(card)
    session.add(
        Entitlement(
            serial=card.serial,
            version=1,
            raw=entitlement.sign(first, keys.card_issuer.private),
            loaded_total_rial=0,
            withdrawn_total_rial=0,
            signed_at=now,
        )
    )
    session.flush()
    return card.serial


def personalisation(
    session: Session,
    keys: KeyStore,
    serial: int,
    *,
    rnd_a: Callable[[], bytes] | None = None,
    factory_key: bytes | None = None,
) -> Conversation[CommitProof]:
    """The conversation that turns a fresh chip into this card. It needs no session while it runs.

    Ends with the proof TMC 1; report that with `card_written`. `rnd_a` gives 16 random bytes at each call;
    `factory_key` (16 bytes) is the transport key that chips came with, None for the factory's own.
    Raises, while it runs, the faults of `fare.core.desfire.errors`.
    """
    card = _card(session, serial)
    first = _first_entitlement(session, serial)
    record = card_record.first_record(entitlement.decode(first.raw).issued_at_s)
    return application.personalise(
        CardKeys.for_card(keys.cards, card.uid, card.tm_key_version),
        card.uid,
        first.raw,
        record,
        rnd_a or _random,
        FACTORY_KEY if factory_key is None else factory_key,
    )


def card_written(session: Session, serial: int, day: date) -> None:
    """Version 1 is on the card: its chip can be entered no second time."""
    first = _first_entitlement(session, serial)
    if first.seen_day is None:
        first.seen_day = day
        session.add(first)
        session.flush()


def deny_card(session: Session, serial: int) -> None:
    """Put a card on the denylist. It stays ours: its taps are still taken in and paid.

    A replaced card is on it already and stays replaced.
    """
    card = _card(session, serial)
    if card.status == CardStatus.ACTIVE:
        card.status = CardStatus.DENIED
        session.add(card)
        session.flush()


def allow_card(session: Session, serial: int) -> None:
    """Take a card off the denylist; nothing happens to one that is not on it.

    Raises IssuingRefused: unknown_card, reported_lost, already_replaced. A card that was reported lost stays
    denied for ever, since its balance is promised to another one.
    """
    card = _card(session, serial)
    if card.status == CardStatus.REPLACED:
        raise IssuingRefused(IssuingRefusal.ALREADY_REPLACED)
    if session.get(Replacement, serial) is not None:
        raise IssuingRefused(IssuingRefusal.REPORTED_LOST)
    if card.status == CardStatus.DENIED:
        card.status = CardStatus.ACTIVE
        session.add(card)
        session.flush()


def keys_found(session: Session, serial: int, key_version: int) -> None:
    """Note the generation of a card's keys, once its issuer key has proven it: what validators hold proves
    nothing here, since an old generation is retired when no card needs it any more.
    """
    card = _card(session, serial)
    if card.key_version != key_version:
        card.key_version = key_version
        session.add(card)
        session.flush()


def card_identities(session: Session, keys: KeyStore, serials: Iterable[int]) -> dict[int, CardIdentity]:
    """UID and Transaction MAC key of each of these cards that is ours; others are left out."""
    wanted = sorted(set(serials))
    rows = session.exec(
        select(Card.serial, Card.uid, Card.tm_key_version).where(col(Card.serial).in_(wanted))
    )
    return {
        serial: CardIdentity(uid, keys.cards.key(KeyPurpose.TRANSACTION_MAC, version, uid).reveal())
        for serial, uid, version in rows
    }


def cards(session: Session) -> list[CardView]:
    """All cards with their newest version, by serial."""
    return _views(session, sa.true())


def card_view(session: Session, serial: int) -> CardView:
    """One card. Raises IssuingRefused: unknown_card."""
    found = _views(session, col(Card.serial) == serial)
    if not found:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_CARD)
    return found[0]


def card_with_uid(session: Session, uid: bytes) -> CardView | None:
    """The card of this chip; None for a chip that was never entered."""
    found = _views(session, col(Card.uid) == uid)
    return found[0] if found else None


def _views(session: Session, which: sa.ColumnElement[bool]) -> list[CardView]:
    first, newer = aliased(Entitlement), aliased(Entitlement)
    rows = session.exec(
        select(Card, Entitlement, col(first.seen_day))
        .join(Entitlement, col(Entitlement.serial) == col(Card.serial))
        .join(first, sa.and_(col(first.serial) == col(Card.serial), col(first.version) == 1))
        .where(
            which,
            # Asked of each card that is wanted: the newest versions of all cards at once are a scan of them.
            ~sa.exists().where(
                col(newer.serial) == col(Entitlement.serial), col(newer.version) > col(Entitlement.version)
            ),
        )
        .order_by(col(Card.serial))
    )
    return [
        CardView(
            serial=card.serial,
            uid=card.uid,
            status=card.status,
            rider_category=card.rider_category,
            version=signed.version,
            loaded_rial=signed.loaded_total_rial,
            withdrawn_rial=signed.withdrawn_total_rial,
            expires_on=entitlement.day_of(card.expires_day),
            category_expires_on=entitlement.day_of(card.category_expires_day)
            if card.category_expires_day
            else None,
            overdraft_rial=card.overdraft_rial,
            key_version=card.key_version,
            is_written=written_on is not None,
            waits=signed.seen_day is None,
        )
        for card, signed, written_on in rows
    ]


def _card(session: Session, serial: int) -> Card:
    card = session.get(Card, serial)
    if card is None:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_CARD)
    return card


def _first_entitlement(session: Session, serial: int) -> Entitlement:
    return session.get_one(Entitlement, (serial, 1))


def _next_serial(session: Session) -> int:
    """One above the highest: serials stay dense, so a denylist of them stays short."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":  # SQLite's writers already take turns
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SERIAL_LOCK})
    highest = session.exec(select(sa.func.max(col(Card.serial)))).one()
    return int(highest or 0) + 1


def _random() -> bytes:
    return secrets.token_bytes(_RANDOM_SIZE)
