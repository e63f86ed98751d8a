"""When a tap can have been, by what its device cannot choose: the ledger's signatures, the card's records.

A device states the time of its taps, and with it the owner and the terms they are paid by. Evidence may
contradict it. A wrong clock alone costs nobody anything; only where another time would pay by other terms is
the fare held back. Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from fare.collection.facts import Facts
from fare.collection.rides import readable_record
from fare.collection.tap_time import AHEAD_MAX
from fare.core import entitlement
from fare.core.entitlement import CardEntitlement
from fare.core.proof.card import CardEvidence


@lru_cache(maxsize=4096)  # a card's entitlement is looked at by every tap of it
def signed_entitlement(raw: bytes) -> CardEntitlement:
    """The fields of an entitlement that this ledger signed."""
    return entitlement.decode(raw)


def card_not_before(evidence: CardEvidence, facts: Facts, not_before: datetime | None) -> datetime:
    """The latest instant that certainly, by this evidence, was over at the tap.

    The entitlements on the card were signed, the record that was read had been written, and `not_before` is
    what the device's uploads tell.
    """
    signed_s = [
        signed_entitlement(facts.cards.entitlements[evidence.serial, version]).issued_at_s
        for version in (evidence.entitlement_version, evidence.delivered_version)
        if version is not None
    ]
    before = readable_record(evidence.record_read)
    if before is not None and before.validator:
        signed_s.append(before.at_s)
    earliest = datetime.fromtimestamp(max(signed_s), UTC)
    return earliest if not_before is None else max(earliest, not_before)


def is_contradicted(at: datetime, earliest: datetime) -> bool:
    """Whether a stated time lies before what certainly was over, clocks' ordinary differences aside."""
    return at < earliest - AHEAD_MAX


def terms_differ(device: int, at: datetime, otherwise: datetime, facts: Facts) -> bool:
    """Whether a ride on this device would be paid to somebody else, or otherwise, at the other time."""
    return facts.assignments.at(device, at) != facts.assignments.at(device, otherwise)
