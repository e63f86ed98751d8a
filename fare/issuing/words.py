"""The closed sets of words that issuing keeps in its tables; the migrations' CHECK constraints name the same.

A new word is added here, in a migration, and where somebody must act on it.
"""

from __future__ import annotations

from enum import StrEnum


class CardStatus(StrEnum):
    """A card may be loaded while it is active; in every other status validators refuse it."""

    ACTIVE = "active"
    DENIED = "denied"
    REPLACED = "replaced"


class WalletStatus(StrEnum):
    """A wallet may be loaded and may get tickets while it is active."""

    ACTIVE = "active"
    CLOSED = "closed"


class TicketStatus(StrEnum):
    """Live: its hold stands. Denied: it stands too, and validators refuse it. Released: given back, and
    refused still if it was denied.
    """

    LIVE = "live"
    DENIED = "denied"
    RELEASED = "released"


class TicketMedium(StrEnum):
    """What shows a ticket: a phone that signs each ride, or a paper that is shown once."""

    PHONE = "phone"
    PAPER = "paper"


class PhoneStatus(StrEnum):
    """Live: it gets tickets. Superseded: the rider enrolled another phone. Lost: reported by the rider.
    Blocked: its tickets were shown on two buses again, and it must enrol anew. Contested: the phone before it
    said that this enrolment was not its rider's.
    """

    LIVE = "live"
    SUPERSEDED = "superseded"
    LOST = "lost"
    BLOCKED = "blocked"
    CONTESTED = "contested"


class OrderState(StrEnum):
    """How far a top-up is. Signed: its entitlement version is made, or its wallet is credited."""

    REQUESTED = "requested"
    PAID = "paid"
    SIGNED = "signed"


class Purse(StrEnum):
    """What an order loads and a rider may hold: a card (ref: its decimal serial), or a wallet behind phone
    and paper tickets (ref: its id).
    """

    CARD = "card"
    WALLET = "wallet"
