"""What a card's tap is worth: its proof, its price, what its funds cover. Pure: facts in, verdicts out.

The chip's debit stands whatever the bus says; what the ledger did not sign for is held back.
"""

from __future__ import annotations

from datetime import datetime

from fare.collection.asked import CardTap, price_made, priced_at_s, vehicle_at
from fare.collection.card_proof import proof_fault, sequence_fault, spent_gap
from fare.collection.doubts import card_not_before, is_contradicted, signed_entitlement, terms_differ
from fare.collection.facts import Facts, own_key
from fare.collection.rides import (
    Double,
    ProvenCommit,
    ProvenRide,
    RideKey,
    readable_record,
    service_kind,
    version_after,
)
from fare.collection.verdict import Verdict
from fare.collection.words import Flag, ProofState, ProvenBy, SuspenseReason
from fare.core.proof.card import CardEvidence, CommitProof
from fare.core.tap import Outcome
from fare.core.tariff.model import Tariff
from fare.core.tariff.pricing import is_memoryless
from fare.core.tariff.state import RiderState


def judge_card(verdict: Verdict, evidence: CardEvidence, facts: Facts) -> ProvenRide | ProvenCommit | None:
    """Settle one card's tap by its own evidence; the ride, or the block, that it proves, if it is new."""
    tap = verdict.tap
    verdict.key = own_key(evidence)
    told = sequence_fault(evidence, tap.device, tap.seq if tap.recovers is None else tap.recovers)
    if evidence.proof is None or verdict.key is None:
        _await_proof(verdict, told)
        return None
    fault = proof_fault(evidence, evidence.proof, facts.cards)
    if fault is not None:
        verdict.reject(fault)
        return None
    if told is Flag.NAMES_ANOTHER_VALIDATOR:
        verdict.reject(told)
        known = facts.known.get(verdict.key)
        if known is not None and known.proof != evidence.proof.tmv:
            facts.doubles.append(Double(evidence.serial, evidence.proof, evidence.record_written, tap.device))
        return None
    verdict.state = ProofState.VALID
    if spent_gap(evidence):
        verdict.flags.append(Flag.SPENT_GAP)
    if _is_known(verdict, verdict.key, evidence.proof, facts):
        return None
    service = service_kind(evidence)
    if service is not None and tap.outcome is not Outcome.ACCEPTED:
        verdict.flags += [] if told is None else [told]
        return ProvenCommit(
            key=verdict.key,
            service=service,
            proof=evidence.proof.tmv,
            spent_rial=evidence.spent_before,
            record_written=evidence.record_written,
            version_after=version_after(evidence),
            device=tap.device,
            committed_at=verdict.tapped_at,
        )
    return _card_ride(verdict, verdict.key, evidence, evidence.proof, told or _no_ride(evidence), facts)


def _await_proof(verdict: Verdict, told: Flag | None) -> None:
    """A tap without a proof of its own: torn, or of a card that was only read."""
    tap = verdict.tap
    if tap.outcome is Outcome.ACCEPTED:
        verdict.reject(Flag.NO_EVIDENCE)
    elif tap.outcome is Outcome.UNCONFIRMED and told is not None:
        verdict.reject(told)
    elif verdict.key is not None and told is None:
        verdict.state = ProofState.PENDING


def _no_ride(evidence: CardEvidence) -> Flag | None:
    """A record that blocks its card stands for no ride, whatever was debited."""
    written = readable_record(evidence.record_written or b"")
    return Flag.RECORD_DIFFERS if written is not None and written.blocked else None


def _card_ride(
    verdict: Verdict,
    key: RideKey,
    evidence: CardEvidence,
    proof: CommitProof,
    told: Flag | None,
    facts: Facts,
) -> ProvenRide:
    tap = verdict.tap
    held_back = None
    if told is not None:
        # The chip did debit it, so the rider's balance must show it; nobody is paid before a person has
        # looked.
        verdict.flags.append(told)
        held_back = SuspenseReason.RECORD_DIFFERS
    elif _revoked_and_alone(key, facts):
        held_back = SuspenseReason.DEVICE_REVOKED
    tariff = facts.tariff(tap.tariff_version, verdict.tapped_at)
    ceiling_rial = card_ceiling(evidence, tariff, tap.device, verdict.tapped_at, facts)
    _compare_price(verdict, evidence, tariff, ceiling_rial, facts)
    earliest = card_not_before(evidence, facts, verdict.not_before)
    if is_contradicted(verdict.tapped_at, earliest):
        verdict.flags.append(Flag.CLOCK_CONTRADICTED)
        if held_back is None and terms_differ(tap.device, verdict.tapped_at, earliest, facts):
            held_back = SuspenseReason.RECORD_DIFFERS
    return ProvenRide(
        key=key,
        source=verdict.source,
        boarded_at=verdict.tapped_at,
        service_day=verdict.service_day,
        line=tap.line,
        fare_rial=evidence.debit_rial,
        proven_by=ProvenBy.TAP,
        proof=proof.tmv,
        ceiling_rial=ceiling_rial,
        funds_left_rial=funds_left(evidence, facts),
        evidence=evidence,
        held_back=held_back,
        tariff_version=tariff.version,
        area=tap.area,
    )


def _is_known(verdict: Verdict, key: RideKey, proof: CommitProof, facts: Facts) -> bool:
    known = facts.known.get(key)
    if known is not None and known.proof != proof.tmv:
        verdict.state = ProofState.CONFLICT
    return known is not None


def _revoked_and_alone(key: RideKey, facts: Facts) -> bool:
    """Of a revoked device, only what another device's later tap of the card vouches for is paid."""
    return facts.seen_elsewhere is not None and facts.seen_elsewhere.get(key.ref, -1) <= key.counter


def funds_left(evidence: CardEvidence, facts: Facts) -> int:
    """What the card's signed funds still covered before this tap, in rial; may be negative.

    A copied card has more than one counter: of a card that is denied, all that was credited counts.
    """
    used_rial = max(evidence.spent_before, facts.credited_rial.get(evidence.serial, 0))
    return facts.limits_rial.get(evidence.serial, 0) - used_rial


def _compare_price(
    verdict: Verdict, evidence: CardEvidence, tariff: Tariff, ceiling_rial: int, facts: Facts
) -> None:
    """Flag a debit that is not what the tariff asks for at the bus's own time; the chip's debit stands."""
    tap = verdict.tap
    if tap.outcome is not Outcome.REFUSED and tap.fare_rial != evidence.debit_rial:
        verdict.flags.append(Flag.FARE_DIFFERS)
    written = readable_record(evidence.record_written or b"")
    if written is None:
        return
    asked_rial: int | None = ceiling_rial
    if written.at_s != priced_at_s(written.at_s, verdict.tapped_at):
        asked_rial = _asked_rial(evidence, tariff, tap.device, written.at_s, facts)
    elif readable_record(evidence.record_read) is None:
        asked_rial = None
    if asked_rial is not None and asked_rial != evidence.debit_rial:
        verdict.flags.append(Flag.PRICE_DIFFERS)


def card_ceiling(evidence: CardEvidence, tariff: Tariff, device: int, at: datetime, facts: Facts) -> int:
    """The most that an owner is credited for this ride: what the tariff asks of this very card then."""
    written = readable_record(evidence.record_written or b"")
    at_s = int(at.timestamp()) if written is None else priced_at_s(written.at_s, at)
    asked_rial = _asked_rial(evidence, tariff, device, at_s, facts)
    # A card whose records cannot be read is let on by no honest bus.
    return 0 if asked_rial is None else asked_rial


def _asked_rial(evidence: CardEvidence, tariff: Tariff, device: int, at_s: int, facts: Facts) -> int | None:
    written = readable_record(evidence.record_written or b"")
    before = readable_record(evidence.record_read)
    if written is None or before is None:
        return None
    in_force = signed_entitlement(facts.cards.entitlements[evidence.serial, version_after(evidence)])
    tap = CardTap(before, written, in_force, device, at_s, evidence.spent_before)
    places, zone = facts.assignments, facts.city.zone
    if is_memoryless(tariff):
        # It costs the same whatever was before it, and on whichever bus.
        return price_made(tariff, RiderState(), tap.context(tariff, None, zone))[0].amount
    vehicle = vehicle_at(places, device, at_s)
    state = tap.state(facts.tariff, places, zone)
    return price_made(tariff, state, tap.context(tariff, vehicle, zone))[0].amount
