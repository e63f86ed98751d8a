"""Employees: accounts, roles and rights, sessions, approvals by a second person. No rider is in here."""

from __future__ import annotations

from fare.staff.accounts import (
    StaffMember,
    create_account,
    disable,
    member,
    password_hash_of,
    set_password,
    staff,
)
from fare.staff.approvals import (
    ApprovalRefusal,
    ApprovalView,
    NotApproved,
    approval,
    approvals,
    approve,
    request,
    use,
)
from fare.staff.passwords import generate_password, hash_password, verify_password
from fare.staff.roles import FOUR_EYES, MONEY_RIGHTS, RIGHTS, Action, Right, Role, may
from fare.staff.sessions import SignedIn, close_session, open_session, prolong, signed_in
from fare.staff.throttle import LoginThrottle

__all__ = [
    "FOUR_EYES",
    "MONEY_RIGHTS",
    "RIGHTS",
    "Action",
    "ApprovalRefusal",
    "ApprovalView",
    "LoginThrottle",
    "NotApproved",
    "Right",
    "Role",
    "SignedIn",
    "StaffMember",
    "approval",
    "approvals",
    "approve",
    "close_session",
    "create_account",
    "disable",
    "generate_password",
    "hash_password",
    "may",
    "member",
    "open_session",
    "password_hash_of",
    "prolong",
    "request",
    "set_password",
    "signed_in",
    "staff",
    "use",
    "verify_password",
]
