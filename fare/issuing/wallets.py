"""Wallets: the stored value behind phone and paper tickets. A wallet knows no person (see `fare.riders`)."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from fare.issuing.models import Wallet
from fare.issuing.words import Purse, WalletStatus
from fare.ledger import accounts, balance

_WALLET_ID_BYTES: Final = 8


def open_wallet(session: Session, now: datetime) -> str:
    """Open an empty wallet; returns its id."""
    wallet = Wallet(
        wallet_id=secrets.token_hex(_WALLET_ID_BYTES), opened_day=now.date(), status=WalletStatus.ACTIVE
    )
    session.add(wallet)
    session.flush()
    return wallet.wallet_id


def wallet_balance(session: Session, wallet_id: str) -> int:
    """What the wallet holds in rial, without what is set aside for live tickets."""
    return -balance(session, accounts.stored_value(Purse.WALLET, wallet_id))


def locked_wallet(session: Session, wallet_id: str) -> Wallet | None:
    """The wallet, locked until the transaction ends; None for an unknown one.

    Whoever holds money of a wallet, gives it back or enrols its phone comes through here first: two requests
    at once cannot hold the same money. After it come its tickets, in order of their aliases, then its phones.
    """
    wanted = select(Wallet).where(col(Wallet.wallet_id) == wallet_id).with_for_update()
    return session.exec(wanted.execution_options(populate_existing=True)).first()
