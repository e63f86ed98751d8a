"""Builders for the tests of issuing: keys of a test, a registered card, a loaded wallet."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlmodel import Session

from fare.issuing import confirm_paid, open_wallet, register_card, request_load
from fare.keys import LedgerKeys

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
UID = bytes.fromhex("04112233445566")


def uid_of(number: int) -> bytes:
    return b"\x04" + number.to_bytes(6, "big")


def a_card(session: Session, keys: LedgerKeys, number: int = 1) -> int:
    return register_card(session, keys, uid=uid_of(number), now=AT)


def load(session: Session, keys: LedgerKeys, kind: str, ref: str, amount_rial: int) -> str:
    """A paid order; returns its id, which is its PSP reference as well."""
    order_id = request_load(session, kind, ref, amount_rial, "psp", "t1", AT)
    confirm_paid(session, keys, order_id, f"psp-{order_id}", AT)
    return order_id


def a_wallet(session: Session, keys: LedgerKeys, amount_rial: int) -> str:
    wallet_id = open_wallet(session, AT)
    load(session, keys, "wallet", wallet_id, amount_rial)
    return wallet_id
