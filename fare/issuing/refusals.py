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
    UNKNOWN_VEHICLE = "unknown_vehicle"
    NOT_ACTIVE = "not_active"
    ALREADY_ISSUED = "already_issued"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    CARD_IS_FULL = "card_is_full"
    SHORT_OF_FUNDS = "short_of_funds"
    PAID_BY_ANOTHER_PAYMENT = "paid_by_another_payment"
    PAYMENT_ALREADY_USED = "payment_already_used"
    OTHER_CARD = "other_card"
    COPIED = "copied"
    REPORTED_LOST = "reported_lost"
    ALREADY_REPLACED = "already_replaced"
    NOT_REPORTED_LOST = "not_reported_lost"
    NO_SUCCESSOR = "no_successor"
    NOT_YET = "not_yet"
    SAME_CARD = "same_card"
    SUCCESSOR_IN_USE = "successor_in_use"
    SAME_PERSON = "same_person"


_SENTENCES: Final[Mapping[IssuingRefusal, str]] = {
    IssuingRefusal.UNKNOWN_CARD: "This card was not issued here: check its number.",
    IssuingRefusal.UNKNOWN_WALLET: "There is no such wallet: check its number, or open one.",
    IssuingRefusal.UNKNOWN_TICKET: "This ticket was not issued here: check its alias.",
    IssuingRefusal.UNKNOWN_ORDER: "There is no such order: check its number, or make the order again.",
    IssuingRefusal.UNKNOWN_VEHICLE: "No validator is on a bus of this name: check it in the fleet's list.",
    IssuingRefusal.NOT_ACTIVE: (
        "This card or wallet is denied or replaced: unblock it, or use the one that replaced it."
    ),
    IssuingRefusal.ALREADY_ISSUED: "A card with this chip was already issued: take a fresh card.",
    IssuingRefusal.AMOUNT_OUT_OF_RANGE: "So much cannot be loaded at once: type less, above zero rial.",
    IssuingRefusal.CARD_IS_FULL: "The card has counted all it can: replace it, its balance moves along.",
    IssuingRefusal.SHORT_OF_FUNDS: "There is less money than this may cost: top it up, or ask for less.",
    IssuingRefusal.PAID_BY_ANOTHER_PAYMENT: "The order was paid by another payment: refund this one.",
    IssuingRefusal.PAYMENT_ALREADY_USED: "This payment already paid another order: check its reference.",
    IssuingRefusal.OTHER_CARD: "Another card lies on the reader: lay down the card with this number.",
    IssuingRefusal.COPIED: "Another chip has shown a proof under this card's counter: it is denied, keep it.",
    IssuingRefusal.REPORTED_LOST: "This card was reported lost and stays denied: take its successor.",
    IssuingRefusal.ALREADY_REPLACED: "This card was already replaced: its balance is on its successor.",
    IssuingRefusal.NOT_REPORTED_LOST: "This card was not reported lost: do that first, with --report-lost.",
    IssuingRefusal.NO_SUCCESSOR: "No card was named that gets the balance: name one, with --with.",
    IssuingRefusal.NOT_YET: "The waiting time is not over: rides of this card may still be on their way.",
    IssuingRefusal.SAME_CARD: "A card cannot replace itself: name another one.",
    IssuingRefusal.SUCCESSOR_IN_USE: (
        "The new card was loaded, ridden, denied or never written: take a freshly issued one."
    ),
    IssuingRefusal.SAME_PERSON: "Who reported a card lost does not name its successor: ask a second person.",
}


class IssuingRefused(OperatorError):
    """Nothing was issued: `reason` says why, the message says it to a person. Ends the transaction."""

    def __init__(self, reason: IssuingRefusal) -> None:
        self.reason = reason
        super().__init__(_SENTENCES[reason])
