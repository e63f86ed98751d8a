"""Who may do what: roles, rights, and the table between them, as data. It asks no database.

An administrator runs accounts and touches no money: no right in `MONEY_RIGHTS` may ever be added to that role
(a test holds it). Actions that need a second person are in `FOUR_EYES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """An employee's role; one a person."""

    CLERK = "clerk"
    FINANCE = "finance"
    AUDITOR = "auditor"
    OPERATOR = "operator"
    OWNER = "owner"
    TECHNICIAN = "technician"
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    """One thing that a role may be allowed to do."""

    READ_DAY = "read_day"
    READ_OWN_DAY = "read_own_day"
    READ_APPROVALS = "read_approvals"
    ISSUE_MEDIA = "issue_media"
    LOAD_MEDIA = "load_media"
    DENY_MEDIA = "deny_media"
    REQUEST_MONEY_ACTION = "request_money_action"
    APPROVE_MONEY_ACTION = "approve_money_action"
    REQUEST_KEY_ACTION = "request_key_action"
    APPROVE_KEY_ACTION = "approve_key_action"
    RUN_FLEET = "run_fleet"
    ENROL_DEVICES = "enrol_devices"
    RUN_STAFF = "run_staff"


class Action(StrEnum):
    """An action that needs a second person."""

    ADJUSTMENT = "adjustment"
    REFUND = "refund"
    PUBLISH_TARIFF = "publish_tariff"
    CHANGE_IBAN = "change_iban"
    RELEASE_PAYMENT = "release_payment"
    KEY_ACTION = "key_action"


@dataclass(frozen=True, slots=True)
class FourEyes:
    """Which right asks for an action, and which right, of somebody else, allows it."""

    to_request: Right
    to_approve: Right


MONEY_RIGHTS: Final = frozenset(
    {
        Right.ISSUE_MEDIA,  # who issues a card may make it the successor of a lost one, and its balance moves
        Right.LOAD_MEDIA,
        Right.REQUEST_MONEY_ACTION,
        Right.APPROVE_MONEY_ACTION,
    }
)

RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.CLERK: frozenset({Right.ISSUE_MEDIA, Right.LOAD_MEDIA, Right.DENY_MEDIA}),
    Role.FINANCE: frozenset(
        {
            Right.READ_DAY,
            Right.READ_APPROVALS,
            Right.REQUEST_MONEY_ACTION,
            Right.APPROVE_MONEY_ACTION,
            Right.APPROVE_KEY_ACTION,
        }
    ),
    Role.AUDITOR: frozenset({Right.READ_DAY, Right.READ_APPROVALS}),
    Role.OPERATOR: frozenset({Right.READ_DAY, Right.RUN_FLEET, Right.DENY_MEDIA}),
    Role.OWNER: frozenset({Right.READ_OWN_DAY}),
    Role.TECHNICIAN: frozenset({Right.ENROL_DEVICES, Right.REQUEST_KEY_ACTION}),
    Role.ADMINISTRATOR: frozenset({Right.RUN_STAFF}),
}

_MONEY: Final = FourEyes(Right.REQUEST_MONEY_ACTION, Right.APPROVE_MONEY_ACTION)
FOUR_EYES: Final[Mapping[Action, FourEyes]] = {
    Action.ADJUSTMENT: _MONEY,
    Action.REFUND: _MONEY,
    Action.PUBLISH_TARIFF: _MONEY,
    Action.CHANGE_IBAN: _MONEY,
    Action.RELEASE_PAYMENT: _MONEY,
    Action.KEY_ACTION: FourEyes(Right.REQUEST_KEY_ACTION, Right.APPROVE_KEY_ACTION),
}


def may(role: Role, right: Right) -> bool:
    """Whether a role holds a right."""
    return right in RIGHTS[role]
