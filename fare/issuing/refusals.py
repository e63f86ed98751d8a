"""Why something is not issued, in a closed set of words with a sentence each. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from fare.core.errors import OperatorError


class IssuingRefusal(StrEnum):
    """Why a card, a load or a ticket is not issued."""

    UNKNOWN_CARD = "unknown_card"
    UNKNOWN_WALLET = "unknown_wallet"
    UNKNOWN_TICKET = "unknown_ticket"
    UNKNOWN_ORDER = "unknown_order"
    NOT_ACTIVE = "not_active"
    ALREADY_ISSUED = "already_issued"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    CARD_IS_FULL = "card_is_full"
    SHORT_OF_FUNDS = "short_of_funds"
    PAID_BY_ANOTHER_PAYMENT = "paid_by_another_payment"
    PAYMENT_ALREADY_USED = "payment_already_used"


_SENTENCES: Final[Mapping[IssuingRefusal, str]] = {
    IssuingRefusal.UNKNOWN_CARD: "This card was not issued here: check its number.",
    IssuingRefusal.UNKNOWN_WALLET: "There is no such wallet: check its number, or open one.",
    IssuingRefusal.UNKNOWN_TICKET: "This ticket was not issued here: check its alias.",
    IssuingRefusal.UNKNOWN_ORDER: "There is no such order: check its number, or make the order again.",
    IssuingRefusal.NOT_ACTIVE: "This card or wallet is blocked or replaced: use the one that replaced it.",
    IssuingRefusal.ALREADY_ISSUED: "A card with this chip was already issued: take a fresh card.",
    IssuingRefusal.AMOUNT_OUT_OF_RANGE: "The amount must be a whole number of rial above zero.",
    IssuingRefusal.CARD_IS_FULL: "The card has counted all it can: replace it, its balance moves along.",
    IssuingRefusal.SHORT_OF_FUNDS: "There is less money than this may cost: top it up, or ask for less.",
    IssuingRefusal.PAID_BY_ANOTHER_PAYMENT: "The order was paid by another payment: refund this one.",
    IssuingRefusal.PAYMENT_ALREADY_USED: "This payment already paid another order: check its reference.",
}


class IssuingRefused(OperatorError):
    """Nothing was issued: `reason` says why, the message says it to a person. Ends the transaction."""

    def __init__(self, reason: IssuingRefusal) -> None:
        self.reason = reason
        super().__init__(_SENTENCES[reason])
