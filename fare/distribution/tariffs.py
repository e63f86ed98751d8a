"""Published tariffs: each version once, in force from its start. It prices nothing (`fare.core.tariff`)."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from fare.core.errors import OperatorError
from fare.core.signed import canonical, decode_canonical
from fare.core.tariff.document import from_document
from fare.core.tariff.model import Tariff
from fare.distribution.models import PublishedTariff


class NoTariffInForce(OperatorError):
    """No tariff is in force at the time asked for, so nothing can be priced."""

    def __init__(self) -> None:
        super().__init__("No tariff is in force: publish one that has started before buses can run.")


class TariffRefused(OperatorError):
    """The tariff was not published; the message says why."""


def publish_tariff(
    session: Session, tariff: Tariff, starts_at: datetime, approval_id: str | None = None
) -> None:
    """Publish a tariff version, in force from `starts_at` (aware) until a later one starts.

    The same version with the same content again does nothing. Raises TariffRefused for a version that is
    not above all others or was published with another content, MalformedDocument for a tariff without a
    base fare.
    """
    document = canonical(tariff.to_document())
    from_document(tariff.to_document())
    published = dict(session.exec(select(PublishedTariff.version, PublishedTariff.document)).all())
    if tariff.version in published:
        if published[tariff.version] == document:
            return
        raise TariffRefused(
            f"Tariff version {tariff.version} is published with another content: take the next version."
        )
    newest = max(published, default=0)
    if tariff.version <= newest:
        raise TariffRefused(f"Tariff versions rise: take one above {newest}.")
    session.add(
        PublishedTariff(
            version=tariff.version, document=document, starts_at=starts_at, approval_id=approval_id
        )
    )
    session.flush()


def current_tariff(session: Session, now: datetime) -> Tariff:
    """The tariff in force at `now`: the last one to have started. Raises NoTariffInForce."""
    document = session.exec(
        select(PublishedTariff.document)
        .where(col(PublishedTariff.starts_at) <= now)
        .order_by(col(PublishedTariff.starts_at).desc(), col(PublishedTariff.version).desc())
        .limit(1)
    ).first()
    if document is None:
        raise NoTariffInForce
    return from_document(decode_canonical(document))


def tariff_history(session: Session) -> list[tuple[datetime, Tariff]]:
    """Every published tariff with its start, in the order in which they came into force."""
    rows = session.exec(
        select(PublishedTariff.starts_at, PublishedTariff.document).order_by(
            col(PublishedTariff.starts_at), col(PublishedTariff.version)
        )
    )
    return [(starts_at, from_document(decode_canonical(document))) for starts_at, document in rows]
