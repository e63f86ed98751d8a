"""A tariff published as a city does it, for tests that need one in force: one person asks, another allows."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from fare.core.tariff.model import Tariff
from fare.distribution import publication_payload, publish_tariff
from fare.staff import Action, ApprovalView, Role, approve, create_account, member, request

ASKS, ALLOWS = "tariff-asks", "tariff-allows"


def approved(session: Session, tariff: Tariff, starts_at: datetime) -> str:
    """The approval, given but not spent, of exactly this tariff from this start."""
    for name in (ASKS, ALLOWS):
        if member(session, name) is None:
            create_account(session, name, Role.FINANCE, "no password opens this", starts_at)
    asked = request(session, Action.PUBLISH_TARIFF, publication_payload(tariff, starts_at), ASKS, starts_at)
    assert isinstance(asked, ApprovalView)
    assert approve(session, asked.approval_id, asked.payload_sha256, ALLOWS, starts_at) is None
    return asked.approval_id


def publish(session: Session, tariff: Tariff, starts_at: datetime) -> None:
    """Publish in the second of its start, so that a test may begin in any past."""
    second = starts_at.replace(microsecond=0)
    publish_tariff(session, tariff, second, approved(session, tariff, second), now=second)
