"""Four eyes: an action that could move money happens once, after a second person has allowed exactly it.

The approval binds the SHA-256 of the action and its payload (canonical CBOR). That requester and approver are
two people is checked here for a clear answer, and by a constraint in the database in any case.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Session, col, select, update

from fare.core.errors import OperatorError
from fare.core.signed import canonical, decode_canonical
from fare.staff.accounts import StaffMember, member
from fare.staff.models import Approval
from fare.staff.roles import FOUR_EYES, Action, Right, may


class ApprovalRefusal(StrEnum):
    """Why an approval was not requested or not given."""

    UNKNOWN = "unknown"
    NO_RIGHT = "no_right"
    SAME_PERSON = "same_person"
    OTHER_PAYLOAD = "other_payload"
    ALREADY_APPROVED = "already_approved"


class NotApproved(OperatorError):
    """An action was about to happen without an approval that fits it. Nothing of it may happen."""


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """One approval as others may see it. `payload_sha256` is what the second person confirms."""

    approval_id: str
    action: Action
    payload: Mapping[str, Any]
    payload_sha256: bytes
    requested_by: str
    requested_at: datetime
    approved_by: str | None
    used_at: datetime | None


def request(
    session: Session, action: Action, payload: Mapping[str, Any], by: str, now: datetime
) -> ApprovalView | ApprovalRefusal:
    """Ask for an action. `payload` says all of it, in text, integers, bytes, lists and maps."""
    who = _holder(session, by, FOUR_EYES[action].to_request)
    if who is None:
        return ApprovalRefusal.NO_RIGHT
    encoded = canonical(dict(payload))
    row = Approval(
        approval_id=secrets.token_hex(8),
        action=action.value,
        payload=encoded,
        payload_sha256=_digest(action, encoded),
        requested_by=who.staff_id,
        requested_at=now,
    )
    session.add(row)
    session.flush()
    return _view(row)


def approve(
    session: Session, approval_id: str, payload_sha256: bytes, by: str, now: datetime
) -> ApprovalRefusal | None:
    """Allow an action as the second person. `payload_sha256`: the payload that was looked at. None is yes."""
    row = session.exec(
        select(Approval).where(col(Approval.approval_id) == approval_id).with_for_update()
    ).first()
    if row is None:
        return ApprovalRefusal.UNKNOWN
    who = _holder(session, by, FOUR_EYES[Action(row.action)].to_approve)
    if who is None:
        return ApprovalRefusal.NO_RIGHT
    if who.staff_id == row.requested_by:
        return ApprovalRefusal.SAME_PERSON
    if row.approved_by is not None:
        return ApprovalRefusal.ALREADY_APPROVED
    if not hmac.compare_digest(row.payload_sha256, payload_sha256):
        return ApprovalRefusal.OTHER_PAYLOAD
    row.approved_by, row.approved_at = who.staff_id, now
    session.flush()
    return None


def use(
    session: Session, approval_id: str, action: Action, payload: Mapping[str, Any], now: datetime
) -> None:
    """Spend an approval, in the transaction of the action itself. Raises `NotApproved`, then stop."""
    digest = _digest(action, canonical(dict(payload)))
    row = session.get(Approval, approval_id)
    if row is None or row.action != action.value:
        raise NotApproved(f"There is no approval {approval_id} of this kind: request it first.")
    if row.approved_by is None:
        raise NotApproved(f"A second person has not approved {approval_id} yet: ask one.")
    # Recomputed from the stored payload too: a row edited behind our back fits neither.
    if not (
        hmac.compare_digest(row.payload_sha256, digest)
        and hmac.compare_digest(_digest(action, row.payload), digest)
    ):
        raise NotApproved(f"Approval {approval_id} was given for something else: request a new one.")
    spent = session.exec(
        update(Approval)
        .where(col(Approval.approval_id) == approval_id, col(Approval.used_at).is_(None))
        .values(used_at=now)
    )
    if spent.rowcount != 1:
        raise NotApproved(f"Approval {approval_id} was used before: request a new one.")


def approvals(session: Session, limit: int = 100) -> list[ApprovalView]:
    """The newest approvals, waiting ones first."""
    rows = session.exec(
        select(Approval)
        .order_by(col(Approval.approved_by).is_not(None), col(Approval.requested_at).desc())
        .limit(limit)
    ).all()
    return [_view(row) for row in rows]


def approval(session: Session, approval_id: str) -> ApprovalView | None:
    """One approval, given or not."""
    row = session.get(Approval, approval_id)
    return None if row is None else _view(row)


def _holder(session: Session, staff_id: str, right: Right) -> StaffMember | None:
    """The person, under the one name that the account has, if this right is theirs."""
    who = member(session, staff_id)
    return who if who is not None and who.active and may(who.role, right) else None


def _digest(action: Action, encoded: bytes) -> bytes:
    return hashlib.sha256(action.value.encode() + b"\0" + encoded).digest()


def _view(row: Approval) -> ApprovalView:
    return ApprovalView(
        approval_id=row.approval_id,
        action=Action(row.action),
        payload=decode_canonical(row.payload),
        payload_sha256=row.payload_sha256,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        approved_by=row.approved_by,
        used_at=row.used_at,
    )
