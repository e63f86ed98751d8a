"""Changes the account an owner is paid to: only with the approval of a second person."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from fare.core.errors import OperatorError
from fare.core.identifiers import parse_iban
from fare.fleet.models import Owner
from fare.staff import Action, use


def iban_change(owner_id: str, iban: str) -> dict[str, str]:
    """The payload to request `Action.CHANGE_IBAN` with. Raises `InvalidIban`."""
    return {"owner": owner_id, "iban": parse_iban(iban)}


def change_iban(session: Session, owner_id: str, iban: str, approval_id: str, now: datetime) -> None:
    """Store the new IBAN. Raises `InvalidIban`, `OperatorError` for no such owner, and `NotApproved`."""
    owner = session.get(Owner, owner_id)
    if owner is None:
        raise OperatorError(f"There is no owner {owner_id}: import its buses first.")
    change = iban_change(owner_id, iban)
    use(session, approval_id, Action.CHANGE_IBAN, change, now)
    owner.iban = change["iban"]
    session.flush()
