"""Issuing: cards and their entitlements, loads, phone tickets and their holds, denylists.

The ledger signs here what may be spent; what was spent is `fare.collection`'s. Services take a session and
never commit.
"""

from __future__ import annotations

from fare.issuing.cards import (
    CardIdentity,
    CardView,
    allow_card,
    card_identities,
    card_view,
    card_with_uid,
    card_written,
    cards,
    deny_card,
    keys_found,
    personalisation,
    register_card,
)
from fare.issuing.denylist import denied
from fare.issuing.entitlements import (
    entitlement_bytes,
    entitlements_waiting,
    mark_seen,
    mark_unseen,
    newest_funds,
    sign_next_entitlement,
)
from fare.issuing.orders import PaidLoad, confirm_paid, load_card, request_load
from fare.issuing.refusals import IssuingRefusal, IssuingRefused
from fare.issuing.replacement import (
    ReplacementView,
    due_replacements,
    move_balance,
    name_successor,
    replacement_of,
    report_lost,
)
from fare.issuing.tickets import (
    TicketFace,
    deny_ticket,
    issue_ticket_entitlement,
    open_wallet,
    release_expired_holds,
    ticket_entitlements,
    wallet_balance,
)
from fare.issuing.words import Purse

__all__ = [
    "CardIdentity",
    "CardView",
    "IssuingRefusal",
    "IssuingRefused",
    "PaidLoad",
    "Purse",
    "ReplacementView",
    "TicketFace",
    "allow_card",
    "card_identities",
    "card_view",
    "card_with_uid",
    "card_written",
    "cards",
    "confirm_paid",
    "denied",
    "deny_card",
    "deny_ticket",
    "due_replacements",
    "entitlement_bytes",
    "entitlements_waiting",
    "issue_ticket_entitlement",
    "keys_found",
    "load_card",
    "mark_seen",
    "mark_unseen",
    "move_balance",
    "name_successor",
    "newest_funds",
    "open_wallet",
    "personalisation",
    "register_card",
    "release_expired_holds",
    "replacement_of",
    "report_lost",
    "request_load",
    "sign_next_entitlement",
    "ticket_entitlements",
    "wallet_balance",
]
