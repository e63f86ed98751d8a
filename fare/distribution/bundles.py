"""The bundle that every validator polls: put together from each room's answer, signed, and numbered.

A new number is given only when the content changes, so a poll that finds nothing new costs one query a part
and no bytes. It decides nothing that is in the bundle.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from fare.core.bundle import Bundle
from fare.core.signed import BUNDLE, canonical, seal
from fare.core.tap import BundleVersion
from fare.core.tariff.model import Tariff
from fare.distribution.models import PublishedBundle
from fare.distribution.tariffs import tariffs_for_buses
from fare.fleet import configurations
from fare.issuing import denied, entitlements_waiting
from fare.keys import KeyStore
from fare.settings import LedgerSettings

_LOCK: Final = 0x4D43_4442  # "MCDB"


def current_bundle(
    session: Session, keys: KeyStore, settings: LedgerSettings, now: datetime
) -> tuple[BundleVersion, bytes]:
    """The newest bundle, published first if anything in it changed; its version and its MCD1 envelope.

    Needs a session that may write. Raises NoTariffInForce.
    """
    content = _content(session, keys, settings, now)
    return _published(session, keys, content) or _publish(session, keys, content, now)


def unchanged_bundle(
    session: Session, keys: KeyStore, settings: LedgerSettings, now: datetime
) -> tuple[BundleVersion, bytes] | None:
    """The newest bundle, or None if `current_bundle` would publish another. It only reads."""
    return _published(session, keys, _content(session, keys, settings, now))


def _content(session: Session, keys: KeyStore, settings: LedgerSettings, now: datetime) -> Bundle:
    """The bundle without number and time: what its hash is taken over."""
    serials, ctis = denied(session, now)
    starts = settings.day_starts_at
    return Bundle(
        version=BundleVersion(keys.ledger_epoch, 0),
        issued_at_s=0,
        city=settings.city,
        zone=settings.zone,
        day_starts_s=starts.hour * 3600 + starts.minute * 60,
        issuer=settings.issuer,
        tariffs=tuple(
            (int(starts_at.timestamp()), tariff) for starts_at, tariff in tariffs_for_buses(session, now)
        ),
        card_keys={keys.card_issuer.kid: keys.card_issuer.public_bytes},
        channel_keys=keys.channels.trusted(),
        acknowledgement_keys={keys.acknowledgement.kid: keys.acknowledgement.public_bytes},
        denied_cards=frozenset(serials),
        denied_tickets=frozenset(ctis),
        devices=configurations(session, now),
        entitlements=entitlements_waiting(session),
    )


def _digest(content: Bundle) -> bytes:
    """What tells one content from the next: taken at every poll, so a tariff's part of it is kept with it."""
    digest = hashlib.sha256(replace(content, tariffs=()).encode())
    for starts_at_s, tariff in content.tariffs:
        digest.update(starts_at_s.to_bytes(8, "big") + tariff.derive(_tariff_digest))
    return digest.digest()


def _tariff_digest(tariff: Tariff) -> bytes:
    return hashlib.sha256(canonical(tariff.to_document())).digest()


def _published(session: Session, keys: KeyStore, content: Bundle) -> tuple[BundleVersion, bytes] | None:
    newest = _newest(session, keys.ledger_epoch)
    if newest is None or newest.content_sha256 != _digest(content):
        return None
    return BundleVersion(newest.ledger_epoch, newest.n), newest.envelope


def _publish(session: Session, keys: KeyStore, content: Bundle, now: datetime) -> tuple[BundleVersion, bytes]:
    connection = session.connection()
    if connection.dialect.name == "postgresql":  # SQLite's writers already take turns
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if (meanwhile := _published(session, keys, content)) is not None:
            return meanwhile
    newest = _newest(session, keys.ledger_epoch)
    version = BundleVersion(keys.ledger_epoch, 1 if newest is None else newest.n + 1)
    numbered = replace(content, version=version, issued_at_s=int(now.timestamp()))
    envelope = seal(BUNDLE, numbered.encode(), keys.bundle.kid, keys.bundle.private)
    session.add(
        PublishedBundle(
            ledger_epoch=version.ledger_epoch,
            n=version.n,
            content_sha256=_digest(content),
            envelope=envelope,
            issued_at=now,
        )
    )
    session.flush()
    return version, envelope


def _newest(session: Session, ledger_epoch: bytes) -> PublishedBundle | None:
    return session.exec(
        select(PublishedBundle)
        .where(col(PublishedBundle.ledger_epoch) == ledger_epoch)
        .order_by(col(PublishedBundle.n).desc())
        .limit(1)
    ).first()
