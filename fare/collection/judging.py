"""What each tap of a batch is worth: its proof, its price, its ride. Pure: facts in, verdicts out.

Rides are named by the medium's own counter, so the order in which buses upload changes nothing: the same
proof again is the same tap, and another valid proof under the same name is a conflict, kept and not posted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from fare.collection.card_proof import proof_fault, sequence_fault, spent_gap
from fare.collection.chain import RawTap
from fare.collection.doubts import card_not_before, is_contradicted, signed_entitlement, terms_differ
from fare.collection.facts import Facts, own_key
from fare.collection.rides import (
    Double,
    KnownCommit,
    ProvenCommit,
    ProvenRide,
    RideKey,
    TapSource,
    readable_record,
    service_kind,
    version_after,
)
from fare.collection.words import Flag, MediumKind, ProofState, ProvenBy, SuspenseReason
from fare.core.decision import Boarding, card_context, ticket_context
from fare.core.proof.card import CardEvidence, CommitProof
from fare.core.proof.phone import MalformedTicket, TicketRefusal, VerifiedTicket, decode_token, examine_upload
from fare.core.replay import RideClaim, claims
from fare.core.tap import Outcome, Tap
from fare.core.tariff.model import Tariff
from fare.core.tariff.pricing import RiderState, price


@dataclass(slots=True)
class Verdict:
    """One tap as it will stand in the register. Filled in while the batch is judged.

    `not_before` is a time before which it cannot have been, by the device's earlier uploads; `disputes` the
    ride on another bus whose ticket it shows too.
    """

    raw: RawTap
    tap: Tap
    tapped_at: datetime
    service_day: date
    state: ProofState = ProofState.NONE
    flags: list[str] = field(default_factory=list[str])
    key: RideKey | None = None
    not_before: datetime | None = None
    disputes: RideKey | None = None

    @property
    def source(self) -> TapSource:
        """Which tap this is."""
        return TapSource(self.tap.device, self.tap.journal_id, self.tap.seq)


def judge(verdict: Verdict, facts: Facts) -> ProvenRide | ProvenCommit | None:
    """Settle one tap by its own evidence; the ride, or the block of a card, that it proves, if it is new.

    What is new is entered in `facts`, so that later taps of the same batch meet it.
    """
    tap = verdict.tap
    if tap.card is not None:
        proven: ProvenRide | ProvenCommit | None = _judge_card(verdict, tap.card, facts)
    elif tap.ticket is not None and tap.outcome is Outcome.ACCEPTED:
        proven = _judge_ticket(verdict, tap.ticket, facts)
    else:
        if tap.outcome is Outcome.ACCEPTED:
            _reject(verdict, Flag.NO_EVIDENCE)
        return None
    if proven is not None:
        facts.enter(proven)
    return proven


def _reject(verdict: Verdict, flag: str) -> None:
    verdict.state = ProofState.BAD
    verdict.flags.append(flag)


# --- cards ------------------------------------------------------------------------------------------------


def _judge_card(verdict: Verdict, evidence: CardEvidence, facts: Facts) -> ProvenRide | ProvenCommit | None:
    tap = verdict.tap
    verdict.key = own_key(evidence)
    told = sequence_fault(evidence, tap.device, tap.seq if tap.recovers is None else tap.recovers)
    if evidence.proof is None or verdict.key is None:
        _await_proof(verdict, told)
        return None
    fault = proof_fault(evidence, evidence.proof, facts.cards)
    if fault is not None:
        _reject(verdict, fault)
        return None
    if told is Flag.NAMES_ANOTHER_VALIDATOR:
        _reject(verdict, told)
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
        _reject(verdict, Flag.NO_EVIDENCE)
    elif tap.outcome is Outcome.UNCONFIRMED and told is not None:
        _reject(verdict, told)
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
    _compare_price(verdict, evidence, facts)
    earliest = card_not_before(evidence, facts, verdict.not_before)
    if is_contradicted(verdict.tapped_at, earliest):
        verdict.flags.append(Flag.CLOCK_CONTRADICTED)
        if held_back is None and terms_differ(tap.device, verdict.tapped_at, earliest, facts):
            held_back = SuspenseReason.RECORD_DIFFERS
    tariff = facts.tariff(tap.tariff_version, verdict.tapped_at)
    return ProvenRide(
        key=key,
        source=verdict.source,
        boarded_at=verdict.tapped_at,
        service_day=verdict.service_day,
        line=tap.line,
        fare_rial=evidence.debit_rial,
        proven_by=ProvenBy.TAP,
        proof=proof.tmv,
        ceiling_rial=card_ceiling(evidence, tariff, tap.device, verdict.tapped_at, facts),
        funds_left_rial=funds_left(evidence, facts),
        evidence=evidence,
        held_back=held_back,
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


def _compare_price(verdict: Verdict, evidence: CardEvidence, facts: Facts) -> None:
    """Flag a debit that is not what the tariff asks for; the chip's debit stands."""
    tap = verdict.tap
    if tap.outcome is not Outcome.REFUSED and tap.fare_rial != evidence.debit_rial:
        verdict.flags.append(Flag.FARE_DIFFERS)
    written = readable_record(evidence.record_written or b"")
    if written is None:
        return
    tariff = facts.tariff(tap.tariff_version, verdict.tapped_at)
    asked_rial = _asked_rial(evidence, tariff, tap.device, written.at_s, facts)
    if asked_rial is not None and asked_rial != evidence.debit_rial:
        verdict.flags.append(Flag.PRICE_DIFFERS)


def card_ceiling(evidence: CardEvidence, tariff: Tariff, device: int, at: datetime, facts: Facts) -> int:
    """The most that an owner is credited for this ride: what the tariff asks of this very card then."""
    asked_rial = _asked_rial(evidence, tariff, device, int(at.timestamp()), facts)
    # A card whose records cannot be read is let on by no honest bus.
    return 0 if asked_rial is None else asked_rial


def _asked_rial(evidence: CardEvidence, tariff: Tariff, device: int, at_s: int, facts: Facts) -> int | None:
    written = readable_record(evidence.record_written or b"")
    before = readable_record(evidence.record_read)
    if written is None or before is None:
        return None
    in_force = signed_entitlement(facts.cards.entitlements[evidence.serial, version_after(evidence)])
    boarding = Boarding(device, written.seq, at_s, written.line, written.area)
    context = card_context(in_force, boarding, facts.city.zone)
    asked, _ = price(tariff, RiderState(before.rider_state), context)
    return asked.amount_rial


# --- phone tickets ----------------------------------------------------------------------------------------


def _judge_ticket(verdict: Verdict, text: str, facts: Facts) -> ProvenRide | None:
    ticket = examine_upload(text, facts.channel_keys)
    if isinstance(ticket, TicketRefusal):
        _reject(verdict, f"ticket_{ticket}")
        return None
    cti = ticket.entitlement.cti
    verdict.key = RideKey(MediumKind.TICKET, cti.hex(), ticket.ctr)
    if facts.tickets.get(cti) != ticket.entitlement.raw:
        _reject(verdict, Flag.UNKNOWN_TICKET)
        return None
    verdict.state = ProofState.VALID
    met = _met_before(ticket, facts)
    if met is not None:
        _meet(verdict, ticket, *met, facts)
        return None
    held_back = None if facts.seen_elsewhere is None else SuspenseReason.DEVICE_REVOKED
    shown_at = datetime.fromtimestamp(ticket.ts_s, UTC)
    if is_contradicted(verdict.tapped_at, shown_at) or is_contradicted(shown_at, verdict.tapped_at):
        verdict.flags.append(Flag.CLOCK_CONTRADICTED)
        if terms_differ(verdict.tap.device, verdict.tapped_at, shown_at, facts):
            held_back = held_back or SuspenseReason.RECORD_DIFFERS
    asked_rial, ceiling_rial = _ticket_price(verdict, ticket, facts)
    if verdict.tap.fare_rial != asked_rial:
        verdict.flags.append(Flag.PRICE_DIFFERS)
    return ProvenRide(
        key=verdict.key,
        source=verdict.source,
        boarded_at=verdict.tapped_at,
        service_day=verdict.service_day,
        line=verdict.tap.line,
        # The rider pays what was shown, and never more than the tariff asks or the ledger has set aside.
        fare_rial=min(verdict.tap.fare_rial, asked_rial, ticket.held_rial),
        proven_by=ProvenBy.TAP,
        proof=ticket.raw,
        ceiling_rial=ceiling_rial,
        funds_left_rial=None,
        evidence=None,
        held_back=held_back,
    )


def _met_before(ticket: VerifiedTicket, facts: Facts) -> tuple[RideKey, KnownCommit] | None:
    """The ride that stands for some of what this ticket claims."""
    wanted = claims(ticket.entitlement.cti, ticket.ctr, ticket.pax)
    ref = ticket.entitlement.cti.hex()
    for key, ride in facts.known.items():
        if key.kind is not MediumKind.TICKET or key.ref != ref:
            continue
        paid = _claim_of(ride)
        if paid is not None and paid.overlaps(wanted):
            return key, ride
    return None


def _meet(verdict: Verdict, ticket: VerifiedTicket, key: RideKey, ride: KnownCommit, facts: Facts) -> None:
    """The same ride again, a claim on part of it, or another bus's copy: then neither bus is paid for now.

    A camera at a stop could show a rider's code to its own bus first; who uploads first must not decide.
    """
    same_bus = same_vehicle(verdict, ride, facts)
    if same_bus and _claim_of(ride) == claims(ticket.entitlement.cti, ticket.ctr, ticket.pax):
        verdict.state = ProofState.VALID
        verdict.flags.append(Flag.SAME_RIDE)
        return
    verdict.state = ProofState.CONFLICT
    verdict.disputes = None if same_bus else key


def _claim_of(ride: KnownCommit) -> RideClaim | None:
    try:
        ticket = decode_token(ride.proof)
    except MalformedTicket:
        return None
    return claims(ticket.entitlement.cti, ticket.ctr, ticket.pax)


def same_vehicle(verdict: Verdict, ride: KnownCommit, facts: Facts) -> bool:
    """Whether the bus of this tap is the one that the ride was on."""
    if ride.source.device == verdict.tap.device:
        return True
    here = facts.assignments.at(verdict.tap.device, verdict.tapped_at)
    return here is not None and here.vehicle_id == ride.vehicle_id


def _ticket_price(verdict: Verdict, ticket: VerifiedTicket, facts: Facts) -> tuple[int, int]:
    tap = verdict.tap
    tariff = facts.tariff(tap.tariff_version, verdict.tapped_at)
    boarding = Boarding(tap.device, tap.seq, int(verdict.tapped_at.timestamp()), tap.line, tap.area)
    asked, _ = price(tariff, RiderState(), ticket_context(ticket, boarding))
    return asked.amount_rial, tariff.max_fare_rial * ticket.pax
