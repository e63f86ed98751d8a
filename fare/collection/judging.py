"""What each tap of a batch is worth: its proof, its price, its ride. Pure: facts in, verdicts out.

Rides are named by the medium's own counter, so the order in which buses upload changes nothing: the same
proof again is the same tap, and another valid proof under the same name is a conflict, kept and not posted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from fare.collection.card_proof import proof_fault, sequence_fault, spent_gap
from fare.collection.chain import RawTap
from fare.collection.facts import Facts, own_key
from fare.collection.rides import KnownRide, ProvenRide, RideKey, TapSource, readable_record, version_after
from fare.collection.words import Flag, MediumKind, ProofState, ProvenBy, SuspenseReason
from fare.core import entitlement
from fare.core.decision import Boarding, tap_context
from fare.core.proof.card import CardEvidence, CommitProof
from fare.core.proof.phone import MalformedTicket, TicketRefusal, VerifiedTicket, decode_token, examine
from fare.core.replay import RideClaim, claims
from fare.core.tap import Outcome, Tap
from fare.core.tariff.model import FareMedium
from fare.core.tariff.pricing import RiderState, TapContext, price

PHONE_RIDER_CATEGORY: Final = 0
"""A phone ticket names no concession."""


@dataclass(slots=True)
class Verdict:
    """One tap as it will stand in the register. Filled in while the batch is judged."""

    raw: RawTap
    tap: Tap
    tapped_at: datetime
    service_day: date
    state: ProofState = ProofState.NONE
    flags: list[str] = field(default_factory=list[str])
    key: RideKey | None = None

    @property
    def source(self) -> TapSource:
        """Which tap this is."""
        return TapSource(self.tap.device, self.tap.journal_id, self.tap.seq)


def judge(verdict: Verdict, facts: Facts) -> ProvenRide | None:
    """Settle one tap by its own evidence; the ride it proves, if that ride is new.

    A new ride is entered in `facts.rides`, so that later taps of the same batch meet it.
    """
    tap = verdict.tap
    if tap.card is not None:
        ride = _judge_card(verdict, tap.card, facts)
    elif tap.ticket is not None and tap.outcome is Outcome.ACCEPTED:
        ride = _judge_ticket(verdict, tap.ticket, facts)
    else:
        if tap.outcome is Outcome.ACCEPTED:
            _reject(verdict, Flag.NO_EVIDENCE)
        return None
    if ride is not None:
        facts.rides[ride.key] = ride.known()
    return ride


def _reject(verdict: Verdict, flag: str) -> None:
    verdict.state = ProofState.BAD
    verdict.flags.append(flag)


# --- cards ------------------------------------------------------------------------------------------------


def _judge_card(verdict: Verdict, evidence: CardEvidence, facts: Facts) -> ProvenRide | None:
    tap = verdict.tap
    verdict.key = own_key(tap)
    told = sequence_fault(evidence, tap.device, tap.seq if tap.recovers is None else tap.recovers)
    if evidence.proof is None:
        if tap.outcome is Outcome.ACCEPTED:
            _reject(verdict, Flag.NO_EVIDENCE)
        elif tap.outcome is Outcome.UNCONFIRMED and told is not None:
            _reject(verdict, told)
        elif tap.outcome is Outcome.UNCONFIRMED:
            verdict.state = ProofState.PENDING
        return None
    fault = proof_fault(evidence, evidence.proof, facts.cards)
    if fault is not None or told is Flag.NAMES_ANOTHER_VALIDATOR:
        _reject(verdict, fault or Flag.NAMES_ANOTHER_VALIDATOR)
        return None
    verdict.state = ProofState.VALID
    if spent_gap(evidence):
        verdict.flags.append(Flag.SPENT_GAP)
    if verdict.key is None or _is_known(verdict, verdict.key, evidence.proof, facts):
        return None
    held_back = None
    if told is not None:
        # The chip did debit it, so the rider's balance must show it; nobody is paid before a person has
        # looked.
        verdict.flags.append(told)
        held_back = SuspenseReason.RECORD_DIFFERS
    elif _revoked_and_alone(verdict.key, facts):
        held_back = SuspenseReason.DEVICE_REVOKED
    _compare_price(verdict, evidence, facts)
    tariff = facts.tariff(tap.tariff_version, verdict.tapped_at)
    return ProvenRide(
        key=verdict.key,
        source=verdict.source,
        boarded_at=verdict.tapped_at,
        service_day=verdict.service_day,
        line=tap.line,
        fare_rial=evidence.debit_rial,
        proven_by=ProvenBy.TAP,
        proof=evidence.proof.tmv,
        ceiling_rial=tariff.max_fare_rial,
        funds_left_rial=funds_left(evidence, facts),
        evidence=evidence,
        held_back=held_back,
    )


def _is_known(verdict: Verdict, key: RideKey, proof: CommitProof, facts: Facts) -> bool:
    known = facts.rides.get(key)
    if known is not None and known.proof != proof.tmv:
        verdict.state = ProofState.CONFLICT
    return known is not None


def _revoked_and_alone(key: RideKey, facts: Facts) -> bool:
    """Of a revoked device, only what another device's later tap of the card vouches for is paid."""
    return facts.seen_elsewhere is not None and facts.seen_elsewhere.get(key.ref, -1) <= key.counter


def funds_left(evidence: CardEvidence, facts: Facts) -> int:
    """What the card's signed funds still covered before this tap, in rial; may be negative."""
    return facts.limits_rial.get(evidence.serial, 0) - evidence.spent_before


def _compare_price(verdict: Verdict, evidence: CardEvidence, facts: Facts) -> None:
    """Flag a debit that is not what the tariff asks for; the chip's debit stands."""
    tap = verdict.tap
    if tap.outcome is not Outcome.REFUSED and tap.fare_rial != evidence.debit_rial:
        verdict.flags.append(Flag.FARE_DIFFERS)
    written = readable_record(evidence.record_written)
    before = readable_record(evidence.record_read)
    if written is None or before is None:
        return
    in_force = entitlement.decode(facts.cards.entitlements[evidence.serial, version_after(evidence)])
    boarding = Boarding(tap.device, written.seq, written.at_s, written.line, written.area)
    asked, _ = price(
        facts.tariff(tap.tariff_version, verdict.tapped_at),
        RiderState(before.rider_state),
        tap_context(in_force, boarding, facts.city.zone),
    )
    if asked.amount_rial != evidence.debit_rial:
        verdict.flags.append(Flag.PRICE_DIFFERS)


# --- phone tickets ----------------------------------------------------------------------------------------


def _judge_ticket(verdict: Verdict, text: str, facts: Facts) -> ProvenRide | None:
    # The ride has happened: freshness and denylist were the validator's to judge, and it is held to the rest.
    ticket = examine(text, facts.channel_keys, 0, False, lambda _: False)
    if isinstance(ticket, TicketRefusal):
        _reject(verdict, f"ticket_{ticket}")
        return None
    cti = ticket.entitlement.cti
    verdict.key = RideKey(MediumKind.TICKET, cti.hex(), ticket.ctr)
    if facts.tickets.get(cti) != ticket.entitlement.raw:
        _reject(verdict, Flag.UNKNOWN_TICKET)
        return None
    verdict.state = ProofState.VALID
    met = _met_before(verdict, ticket, facts)
    if met is not None:
        if met is ProofState.VALID:
            verdict.flags.append(Flag.SAME_RIDE)
        verdict.state = met
        return None
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
        fare_rial=min(verdict.tap.fare_rial, asked_rial, ticket.entitlement.max_fare_rial * ticket.pax),
        proven_by=ProvenBy.TAP,
        proof=ticket.raw,
        ceiling_rial=ceiling_rial,
        funds_left_rial=None,
        evidence=None,
        held_back=None if facts.seen_elsewhere is None else SuspenseReason.DEVICE_REVOKED,
    )


def _met_before(verdict: Verdict, ticket: VerifiedTicket, facts: Facts) -> ProofState | None:
    """None for a new ride; VALID if this bus has it already, CONFLICT if another has part of it."""
    wanted = claims(ticket.entitlement.cti, ticket.ctr, ticket.pax)
    ref = ticket.entitlement.cti.hex()
    for key, ride in facts.rides.items():
        if key.kind is not MediumKind.TICKET or key.ref != ref:
            continue
        paid = _claim_of(ride)
        if paid is None or not paid.overlaps(wanted):
            continue
        return ProofState.VALID if paid == wanted and _same_bus(verdict, ride, facts) else ProofState.CONFLICT
    return None


def _claim_of(ride: KnownRide) -> RideClaim | None:
    try:
        ticket = decode_token(ride.proof)
    except MalformedTicket:
        return None
    return claims(ticket.entitlement.cti, ticket.ctr, ticket.pax)


def _same_bus(verdict: Verdict, ride: KnownRide, facts: Facts) -> bool:
    if ride.source.device == verdict.tap.device:
        return True
    here = facts.assignments.at(verdict.tap.device, verdict.tapped_at)
    return here is not None and here.vehicle_id == ride.vehicle_id


def _ticket_price(verdict: Verdict, ticket: VerifiedTicket, facts: Facts) -> tuple[int, int]:
    tap = verdict.tap
    tariff = facts.tariff(tap.tariff_version, verdict.tapped_at)
    context = TapContext(
        at_s=int(verdict.tapped_at.timestamp()),
        medium=FareMedium.PHONE,
        rider_category=PHONE_RIDER_CATEGORY,
        category_valid=True,
        line=tap.line,
        area=tap.area,
        pax=ticket.pax,
    )
    asked, _ = price(tariff, RiderState(), context)
    return asked.amount_rial, tariff.max_fare_rial * ticket.pax
