"""Issuing: cards and their entitlements, loads, phone tickets and their holds, denylists.

The ledger signs here what may be spent; what was spent is `fare.collection`'s. Services take a session and
never commit.
"""

from __future__ import annotations

from fare.core.proof.possession import PhoneKey
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
from fare.issuing.holds import (
    cover_overdrawn_holds,
    lock_for_capture,
    release_expired_holds,
    release_holds_of,
)
from fare.issuing.orders import PaidLoad, confirm_paid, load_card, request_load
from fare.issuing.paper import PaperTicketIssued, issue_paper_tickets
from fare.issuing.phone_tickets import (
    IssuedTicket,
    LiveTicket,
    PhoneAccount,
    TicketNotIssued,
    TicketPolicy,
    due_ticket,
    issue_phone_ticket,
    phone_account,
    ticket_policy,
)
from fare.issuing.phones import (
    BY_OLD_PHONE,
    EnrolledPhone,
    PhoneView,
    block_phone_of,
    by_counter,
    confirm_phone,
    contest_phone,
    enrol_phone,
    newer_phone_of,
    phone_view,
    phones_of,
    report_phone_lost,
)
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
    live_tickets_signed_by,
    ticket_entitlements,
    tickets_of_wallet,
)
from fare.issuing.wallets import open_wallet, wallet_balance
from fare.issuing.words import PhoneStatus, Purse, TicketMedium

__all__ = [
    "BY_OLD_PHONE",
    "CardIdentity",
    "CardView",
    "EnrolledPhone",
    "IssuedTicket",
    "IssuingRefusal",
    "IssuingRefused",
    "LiveTicket",
    "PaidLoad",
    "PaperTicketIssued",
    "PhoneAccount",
    "PhoneKey",
    "PhoneStatus",
    "PhoneView",
    "Purse",
    "ReplacementView",
    "TicketFace",
    "TicketMedium",
    "TicketNotIssued",
    "TicketPolicy",
    "allow_card",
    "block_phone_of",
    "by_counter",
    "card_identities",
    "card_view",
    "card_with_uid",
    "card_written",
    "cards",
    "confirm_paid",
    "confirm_phone",
    "contest_phone",
    "cover_overdrawn_holds",
    "denied",
    "deny_card",
    "deny_ticket",
    "due_replacements",
    "due_ticket",
    "enrol_phone",
    "entitlement_bytes",
    "entitlements_waiting",
    "issue_paper_tickets",
    "issue_phone_ticket",
    "issue_ticket_entitlement",
    "keys_found",
    "live_tickets_signed_by",
    "load_card",
    "lock_for_capture",
    "mark_seen",
    "mark_unseen",
    "move_balance",
    "name_successor",
    "newer_phone_of",
    "newest_funds",
    "open_wallet",
    "personalisation",
    "phone_account",
    "phone_view",
    "phones_of",
    "register_card",
    "release_expired_holds",
    "release_holds_of",
    "replacement_of",
    "report_lost",
    "report_phone_lost",
    "request_load",
    "sign_next_entitlement",
    "ticket_entitlements",
    "ticket_policy",
    "tickets_of_wallet",
    "wallet_balance",
]
