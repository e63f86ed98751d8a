"""The closed sets of words that collection uses: why a batch is refused, a tap set aside, a fare held back.

Registers, reports and displays count and translate by these words; a new one is added here first.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class BatchRefusal(StrEnum):
    """Why a whole upload is not taken in. `advice` says it to whoever looks after the device."""

    TOO_LARGE = "too_large"
    NOT_A_BATCH = "not_a_batch"
    UNKNOWN_DEVICE = "unknown_device"
    BAD_SIGNATURE = "bad_signature"
    DAMAGED_BATCH = "damaged_batch"

    @property
    def advice(self) -> str:
        """One sentence: what is wrong and what to do."""
        return _ADVICE[self]


_ADVICE: Final[Mapping[BatchRefusal, str]] = {
    BatchRefusal.TOO_LARGE: "The batch is larger than 1 MiB: send fewer taps at a time.",
    BatchRefusal.NOT_A_BATCH: "The body is not a signed batch: update the validator's software.",
    BatchRefusal.UNKNOWN_DEVICE: "This device has not enrolled here: claim it with its code first.",
    BatchRefusal.BAD_SIGNATURE: "The batch is not signed by this device's key: check that nothing changes it"
    " on its way.",
    BatchRefusal.DAMAGED_BATCH: "The batch is signed but cannot be read; it was kept for a technician:"
    " update the validator's software, and keep its journal.",
}


class QuarantineReason(StrEnum):
    """Why raw bytes were set aside. They are kept for ever and can be posted after a fix."""

    UNDECODABLE = "undecodable"
    OUT_OF_PLACE = "out_of_place"
    FORK = "fork"
    DAMAGED_BATCH = "damaged_batch"
    DOUBLE = "double"


class CommitKind(StrEnum):
    """What a card's commit was that is no ride."""

    PERSONALISED = "personalised"
    LOADED = "loaded"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"


class ProofState(StrEnum):
    """What is known of a registered tap's proof."""

    NONE = "none"
    VALID = "valid"
    PENDING = "pending"
    BAD = "bad"
    CONFLICT = "conflict"


class ProvenBy(StrEnum):
    """Who brought the proof of a ride: its own tap, or the tap that the same card made next."""

    TAP = "tap"
    NEXT_TAP = "next_tap"


class MediumKind(StrEnum):
    """What names a ride: a card (serial, TMC) or a ticket of a phone or on paper (cti, ctr)."""

    CARD = "card"
    TICKET = "ticket"


class ConflictDecision(StrEnum):
    """What a person decided about a ticket that two vehicles showed: whose owner is paid."""

    PAY_FIRST = "pay_first"
    PAY_SECOND = "pay_second"
    PAY_NOBODY = "pay_nobody"


class SuspenseReason(StrEnum):
    """Why a part of a fare waits for a person instead of being credited to an owner."""

    NO_ASSIGNMENT = "no_assignment"
    BEYOND_FUNDS = "beyond_funds"
    ABOVE_TARIFF = "above_tariff"
    RECORD_DIFFERS = "record_differs"
    DEVICE_REVOKED = "device_revoked"
    PAPER_WITHOUT_LEAVE = "paper_without_leave"


class Flag(StrEnum):
    """What the ledger noticed about a tap; kept beside the flags that the validator set itself."""

    CLOCK_CORRECTED = "clock_corrected"
    CLOCK_UNKNOWN = "clock_unknown"
    CLOCK_IMPLAUSIBLE = "clock_implausible"
    CLOCK_CONTRADICTED = "clock_contradicted"
    NO_EVIDENCE = "no_evidence"
    UNKNOWN_CARD = "unknown_card"
    UNKNOWN_ENTITLEMENT = "unknown_entitlement"
    UNKNOWN_TICKET = "unknown_ticket"
    WRONG_PROOF = "wrong_proof"
    NAMES_ANOTHER_VALIDATOR = "names_another_validator"
    RECORD_DIFFERS = "record_differs"
    FARE_DIFFERS = "fare_differs"
    PRICE_DIFFERS = "price_differs"
    SPENT_GAP = "spent_gap"
    PREVIOUS_DIFFERS = "previous_differs"
    SAME_RIDE = "same_ride"
    SIGNED_TWICE = "signed_twice"
    DISPUTED = "disputed"
    NOT_COMMITTED = "not_committed"
    NOT_REDEEMED = "not_redeemed"
    WRONG_VEHICLE = "wrong_vehicle"


class RiderKind(StrEnum):
    """Whose purse a ride is paid from: a card's own, or the wallet behind a phone's tickets."""

    CARD = "card"
    WALLET = "wallet"


class AdjustmentCause(StrEnum):
    """Why a ride costs otherwise than the bus charged.

    REPRICED: the bus did not know all rides. CLOSED: a journey was never tapped off. FALSE_STATE: the card
    told of a cheaper past than it has. UNDERCHARGED: the bus took less than the tariff asks.
    """

    REPRICED = "repriced"
    CLOSED = "closed"
    FALSE_STATE = "false_state"
    UNDERCHARGED = "undercharged"


CAUSES_OF_LESS: Final = (AdjustmentCause.FALSE_STATE, AdjustmentCause.UNDERCHARGED)
"""A rider was charged too little."""
