"""Published tariffs: each version once, by two people, in force from its start. It prices nothing.

A tariff is published by spending an approval of exactly it: its document, which holds the version, and its
start. That is checked here for a clear answer, and by a trigger in the database in any case. To withdraw a
tariff that has not started, publish the one before once more, as a later version with the same start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from sqlmodel import Session, col, func, select

from fare.core.errors import OperatorError
from fare.core.signed import canonical, decode_canonical
from fare.core.tariff.document import from_document
from fare.core.tariff.model import Tariff
from fare.distribution.models import PublishedTariff
from fare.staff import Action, use

MAX_TARIFF_BYTES: Final = 3 << 20
"""Of one document. A bundle of 16 MiB carries the one before, the current one and all to come."""
MAX_CARRIED_BYTES: Final = 12 << 20
"""Of all that a bundle carries: what buses cannot take would keep keys and denials from them too."""

LATEST_START: Final = timedelta(days=36_500)
"""From its publication: what stays forever in everybody's list has a date in every calendar."""


class NoTariffInForce(OperatorError):
    """No tariff is in force at the time asked for, so nothing can be priced."""

    def __init__(self) -> None:
        super().__init__("No tariff is in force: publish one that has started before buses can run.")


class TariffRefused(OperatorError):
    """The tariff was not published; the message says why."""


def publication_sha256(document: bytes, starts_at: datetime) -> bytes:
    """What two people agree to: SHA-256 over the canonical document and the start (8 bytes, unix seconds)."""
    return hashlib.sha256(document + int(starts_at.timestamp()).to_bytes(8, "big")).digest()


def publication_payload(tariff: Tariff, starts_at: datetime) -> dict[str, Any]:
    """What the second person looks at, and what the approval binds."""
    return {
        "version": tariff.version,
        "tariff": tariff.name,
        "starts_at": starts_at.astimezone(UTC).isoformat(),
        "sha256": publication_sha256(canonical(tariff.to_document()), starts_at),
    }


def document_size(tariff: Tariff) -> int:
    """The bytes of a tariff's document; buses take MAX_TARIFF_BYTES."""
    return len(canonical(tariff.to_document()))


def check_publication(session: Session, tariff: Tariff, starts_at: datetime, now: datetime) -> None:
    """Raise TariffRefused for what cannot be published: nobody is asked for what would be refused.

    A version that is not above all others, a start that is past or is no whole second, a tariff that prices
    nothing. Raises MalformedDocument for one that buses could not read.
    """
    newest = newest_version(session)
    if tariff.version <= newest:
        raise TariffRefused(
            f"Tariff version {tariff.version} cannot be published, {newest} was: take one above {newest}."
        )
    if starts_at < now:
        raise TariffRefused(
            "A tariff cannot start in the past, where rides were paid by another: choose a later start."
        )
    if starts_at - now > LATEST_START:
        raise TariffRefused(
            f"A tariff starts within {LATEST_START.days // 365} years: choose an earlier start."
        )
    if starts_at.microsecond:
        raise TariffRefused("A tariff starts on a whole second: leave out the fraction.")
    if not tariff.products or not (tariff.leg_rules or tariff.default_products):
        raise TariffRefused("This tariff prices no leg at all: add a fare product and a leg rule.")
    from_document(tariff.to_document())
    size = document_size(tariff)
    if size > MAX_TARIFF_BYTES:
        raise TariffRefused(
            f"The tariff comes to {size >> 10:,} KiB, and buses take {MAX_TARIFF_BYTES >> 10:,}: say it with"
            " fewer rows."
        )
    carried = size + sum(
        session.exec(
            select(func.length(PublishedTariff.document)).where(
                col(PublishedTariff.starts_at) >= _before_current(session, now)
            )
        )
    )
    if carried > MAX_CARRIED_BYTES:
        raise TariffRefused(
            "The tariffs that buses carry together would be too large: wait until one that is to come has"
            " started."
        )


def _before_current(session: Session, now: datetime) -> datetime:
    """When the tariff before the one in force started: what started earlier is carried no more."""
    starts = session.exec(
        select(PublishedTariff.starts_at)
        .where(col(PublishedTariff.starts_at) <= now)
        .distinct()
        .order_by(col(PublishedTariff.starts_at).desc())
        .limit(2)
    ).all()
    return starts[-1] if starts else now


def publish_tariff(
    session: Session, tariff: Tariff, starts_at: datetime, approval_id: str, now: datetime
) -> None:
    """Publish a tariff version, in force from `starts_at` (aware) until a later one starts.

    Spends the approval, which must be of `publication_payload(tariff, starts_at)`. Raises TariffRefused as
    `check_publication` does, and NotApproved.
    """
    check_publication(session, tariff, starts_at, now)
    use(session, approval_id, Action.PUBLISH_TARIFF, publication_payload(tariff, starts_at), now)
    document = canonical(tariff.to_document())
    session.add(
        PublishedTariff(
            version=tariff.version,
            document=document,
            starts_at=starts_at,
            publication_sha256=publication_sha256(document, starts_at),
            approval_id=approval_id,
            published_at=now,
        )
    )
    session.flush()


def newest_version(session: Session) -> int:
    """The highest version that was ever published; 0 before the first."""
    return session.exec(select(func.max(PublishedTariff.version))).one() or 0


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
    return tariff_of(document)


def tariffs_for_buses(session: Session, now: datetime) -> list[tuple[datetime, Tariff]]:
    """What a bus must hold to price offline: the tariff before the current one, this one, all to come.

    By start, each start once: of two that start together the later version holds. Raises NoTariffInForce.
    """
    by_start = dict(
        session.exec(
            select(PublishedTariff.starts_at, PublishedTariff.version).order_by(
                col(PublishedTariff.starts_at), col(PublishedTariff.version)
            )
        ).all()
    )
    started = [starts_at for starts_at in by_start if starts_at <= now]
    if not started:
        raise NoTariffInForce
    wanted = [version for starts_at, version in by_start.items() if starts_at >= started[-2:][0]]
    rows = session.exec(
        select(PublishedTariff.starts_at, PublishedTariff.document)
        .where(col(PublishedTariff.version).in_(wanted))
        .order_by(col(PublishedTariff.starts_at))
    )
    return [(starts_at, tariff_of(document)) for starts_at, document in rows]


def tariff_history(session: Session) -> list[tuple[datetime, Tariff]]:
    """Every published tariff with its start, in the order in which they came into force."""
    rows = session.exec(
        select(PublishedTariff.starts_at, PublishedTariff.document).order_by(
            col(PublishedTariff.starts_at), col(PublishedTariff.version)
        )
    )
    return [(starts_at, tariff_of(document)) for starts_at, document in rows]


def published_by_approval(session: Session) -> Mapping[str, int]:
    """Approval -> the version that was published with it."""
    rows = session.exec(select(PublishedTariff.approval_id, PublishedTariff.version))
    return {approval_id: version for approval_id, version in rows if approval_id is not None}


@lru_cache(maxsize=64)
def tariff_of(document: bytes) -> Tariff:
    """The tariff of a stored document: the same value for the same bytes, so it is indexed once."""
    return from_document(decode_canonical(document))
