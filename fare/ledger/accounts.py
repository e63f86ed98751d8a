"""The chart of accounts: every kind that exists, and how an account of a party is named. Never an amount.

    account_id = kind            where the city has one of it (`bank`)
               | kind:party      where each party has its own (`owner_payable:o-17`)

Debit is positive, credit negative: assets and expenses stand above zero, liabilities and revenue below.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum


class Kind(StrEnum):
    """Every kind of account. An entry that names another is refused."""

    BANK = "bank"
    CASH_IN_TRANSIT = "cash_in_transit"
    PSP_RECEIVABLE = "psp_receivable"
    AGENT_RECEIVABLE = "agent_receivable"
    AGENT_FLOAT = "agent_float"
    STORED_VALUE = "stored_value"
    HOLDS = "holds"
    DEPOSITS = "deposits"
    DEFERRED_PASS_REVENUE = "deferred_pass_revenue"  # noqa: S105 - a travel pass, not a password
    FARE_REVENUE = "fare_revenue"
    OWNER_PAYABLE = "owner_payable"
    PAYMENTS_IN_TRANSIT = "payments_in_transit"
    COMMISSION_REVENUE = "commission_revenue"
    AGENT_COMMISSION = "agent_commission"
    COMPENSATION_DUE = "compensation_due"
    REFUNDS = "refunds"
    GOODWILL = "goodwill"
    BREAKAGE = "breakage"
    SUSPENSE = "suspense"
    ROUNDING = "rounding"
    CLEARING = "clearing"
    CAPPED_LOSSES = "capped_losses"
    MIGRATION = "migration"


BANK = Kind.BANK.value
PAYMENTS_IN_TRANSIT = Kind.PAYMENTS_IN_TRANSIT.value
COMMISSION_REVENUE = Kind.COMMISSION_REVENUE.value
COMPENSATION_DUE = Kind.COMPENSATION_DUE.value
CAPPED_LOSSES = Kind.CAPPED_LOSSES.value


def psp_receivable(terminal: str) -> str:
    """What a PSP owes for the payments of one terminal."""
    return f"{Kind.PSP_RECEIVABLE}:{terminal}"


def stored_value(medium_kind: str, medium_ref: str) -> str:
    """What the city owes the holder of one medium: `card` and its serial, or `wallet` and its id."""
    return f"{Kind.STORED_VALUE}:{medium_kind}:{medium_ref}"


def holds(cti: bytes) -> str:
    """What was set aside out of a wallet for the taps of one phone ticket."""
    return f"{Kind.HOLDS}:{cti.hex()}"


def owner_payable(owner_id: str) -> str:
    """What the city owes one vehicle owner."""
    return f"{Kind.OWNER_PAYABLE}:{owner_id}"


def suspense(device_id: int) -> str:
    """What one validator brought that may not be paid out until a person has looked."""
    return f"{Kind.SUSPENSE}:device:{device_id}"


def clearing(service_day: date) -> str:
    """Rides against stored value, for one service day: zero once the day is sealed."""
    return f"{Kind.CLEARING}:{service_day.isoformat()}"


def split(account_id: str) -> tuple[Kind, str | None]:
    """Kind and party of an account. Raises ValueError for a kind that does not exist or an empty party."""
    kind, colon, party = account_id.partition(":")
    if colon and not party:
        raise ValueError(f"the account '{account_id}' names no party after its colon")
    try:
        return Kind(kind), party or None
    except ValueError:
        raise ValueError(f"there is no kind of account '{kind}'") from None
