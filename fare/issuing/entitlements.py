"""Card entitlements: signing the next version, and what is known of the versions that were signed.

Every version is kept for ever, as the bytes that were signed: a card's proof is rebuilt from them. Totals
only grow. It never posts money: a load is an order (`fare.issuing.orders`), which asks for the next version
here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from fare.core import entitlement
from fare.core.entitlement import Pass
from fare.database.chunks import in_chunks
from fare.issuing.models import Card, Entitlement
from fare.issuing.refusals import IssuingRefusal, IssuingRefused
from fare.issuing.words import CardStatus
from fare.keys import KeyStore


def sign_next_entitlement(
    session: Session,
    keys: KeyStore,
    serial: int,
    *,
    add_loaded_rial: int = 0,
    add_withdrawn_rial: int = 0,
    passes: tuple[Pass, ...] | None = None,
    order_id: str | None = None,
    even_denied: bool = False,
    now: datetime,
) -> bytes:
    """Sign the card's next version over its newest one and store it; returns its 128 bytes.

    Rider category, overdraft and expiry are those the card has now; `passes` None keeps those of the version
    before. `order_id` names what asked for it: an order, or the entry that replaced a lost card. A denied
    card gets one only if `even_denied` says so: it is charged, not given.

    Raises IssuingRefused: unknown_card, not_active, amount_out_of_range, or card_is_full when a counter on
    the card would run over.
    """
    if add_loaded_rial < 0 or add_withdrawn_rial < 0:
        raise IssuingRefused(IssuingRefusal.AMOUNT_OUT_OF_RANGE)
    # The card's row is the lock: two loads at once make two versions, never one version twice.
    card = session.exec(select(Card).where(col(Card.serial) == serial).with_for_update()).first()
    if card is None:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_CARD)
    if card.status != CardStatus.ACTIVE and not (even_denied and card.status == CardStatus.DENIED):
        raise IssuingRefused(IssuingRefusal.NOT_ACTIVE)
    newest = newest_entitlement(session, serial)
    loaded = newest.loaded_total_rial + add_loaded_rial
    withdrawn = newest.withdrawn_total_rial + add_withdrawn_rial
    if loaded > entitlement.MAX_TOTAL_RIAL or newest.version >= entitlement.MAX_VERSION:
        raise IssuingRefused(IssuingRefusal.CARD_IS_FULL)
    if withdrawn > loaded:
        raise IssuingRefused(IssuingRefusal.SHORT_OF_FUNDS)
    before = entitlement.decode(newest.raw)
    following = dataclasses.replace(
        before,
        kid=keys.card_issuer.kid,
        version=newest.version + 1,
        loaded_total_rial=loaded,
        withdrawn_total_rial=withdrawn,
        rider_category=card.rider_category,
        category_expires_day=card.category_expires_day,
        overdraft_rial=card.overdraft_rial,
        expires_day=card.expires_day,
        passes=before.passes if passes is None else passes,
        issued_at_s=int(now.timestamp()),
    )
    raw = entitlement.sign(following, keys.card_issuer.private)
    session.add(
        Entitlement(
            serial=serial,
            version=following.version,
            raw=raw,
            loaded_total_rial=loaded,
            withdrawn_total_rial=withdrawn,
            order_id=order_id,
            signed_at=now,
        )
    )
    session.flush()
    return raw


def newest_entitlement(session: Session, serial: int) -> Entitlement:
    """The newest version signed for a card that was registered."""
    return session.exec(
        select(Entitlement)
        .where(col(Entitlement.serial) == serial)
        .order_by(col(Entitlement.version).desc())
        .limit(1)
    ).one()


def entitlements_waiting(session: Session) -> dict[int, bytes]:
    """Serial -> newest signed version (128 bytes) of each active card on which it was not yet seen."""
    newer = aliased(Entitlement)
    rows = session.exec(
        select(Entitlement.serial, Entitlement.raw)
        .join(Card, col(Card.serial) == col(Entitlement.serial))
        .where(
            col(Entitlement.seen_day).is_(None),
            col(Entitlement.version) > 1,
            col(Card.status) == CardStatus.ACTIVE,
            ~sa.exists().where(
                col(newer.serial) == col(Entitlement.serial), col(newer.version) > col(Entitlement.version)
            ),
        )
        .order_by(col(Entitlement.serial))
    )
    return dict(rows.all())


def entitlement_bytes(session: Session, versions: Iterable[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """The signed bytes of each (serial, version); one that was never signed is left out."""
    found: dict[tuple[int, int], bytes] = {}
    key = sa.tuple_(col(Entitlement.serial), col(Entitlement.version))
    for chunk in in_chunks(versions):
        rows = session.exec(
            select(Entitlement.serial, Entitlement.version, Entitlement.raw).where(key.in_(chunk))
        )
        found |= {(serial, version): raw for serial, version, raw in rows}
    return found


def newest_funds(session: Session, serials: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Serial -> (loaded minus withdrawn, overdraft) in rial, by the newest version signed for each card."""
    wanted = sorted(set(serials))
    newer = aliased(Entitlement)
    rows = session.exec(
        select(Entitlement.serial, Entitlement.raw).where(
            col(Entitlement.serial).in_(wanted),
            ~sa.exists().where(
                col(newer.serial) == col(Entitlement.serial), col(newer.version) > col(Entitlement.version)
            ),
        )
    )
    funds: dict[int, tuple[int, int]] = {}
    for serial, raw in rows:
        signed = entitlement.decode(raw)
        funds[serial] = (signed.funds_rial, signed.overdraft_rial)
    return funds


def mark_unseen(session: Session, serial: int, above: int) -> None:
    """The card was proven to hold version `above` again: what is newer waits for it once more."""
    session.flush()
    session.connection().execute(
        sa.update(Entitlement)
        .where(
            col(Entitlement.serial) == serial,
            col(Entitlement.version) > above,
            col(Entitlement.seen_day).is_not(None),
        )
        .values(seen_day=None)
    )


def mark_seen(session: Session, versions: Iterable[tuple[int, int]], day: date) -> None:
    """Taps proved that these (serial, version) are on their cards. `day` is the taps' service day.

    A version carries the totals of all before it, so those count as seen too. What was seen keeps its first
    day.
    """
    highest: dict[int, int] = {}
    for serial, version in versions:
        highest[serial] = max(version, highest.get(serial, 0))
    if not highest:
        return
    # In one order for everybody, so that two batches wait for each other but never both ways.
    rows = [{"of": serial, "up_to": version, "day": day} for serial, version in sorted(highest.items())]
    session.flush()
    session.connection().execute(
        sa.update(Entitlement)
        .where(
            col(Entitlement.serial) == sa.bindparam("of"),
            col(Entitlement.version) <= sa.bindparam("up_to"),
            col(Entitlement.seen_day).is_(None),
        )
        .values(seen_day=sa.bindparam("day")),
        rows,
    )
