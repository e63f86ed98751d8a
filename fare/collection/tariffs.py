"""Which tariff a tap is priced by: the version it names, else the one in force at its time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session, col, select

from fare.core.signed import decode_canonical
from fare.core.tariff.model import Tariff, from_document
from fare.distribution.models import PublishedTariff

NO_TARIFF = Tariff(0, "", {})


def tariffs(session: Session) -> Callable[[int | None, datetime], Tariff]:
    """A lookup over every published tariff."""
    rows = session.exec(select(PublishedTariff).order_by(col(PublishedTariff.starts_at))).all()
    published = [(row.starts_at, from_document(decode_canonical(row.document))) for row in rows]
    versions = {tariff.version: tariff for _, tariff in published}

    def lookup(version: int | None, at: datetime) -> Tariff:
        if version in versions:
            return versions[version]
        return max((item for item in published if item[0] <= at), default=published[0])[1]

    return lookup
