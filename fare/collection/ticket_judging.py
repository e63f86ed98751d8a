"""What a ticket's tap is worth: its signatures, the hold behind it, whose ride it is. Pure.

A ride is (cti, ctr), never a ticket's bytes. What a second bus shows of a ride is a conflict, kept and not
posted; the same bus again is the same ride.
"""

from __future__ import annotations

from datetime import UTC, datetime

from fare.collection.doubts import is_contradicted, terms_differ
from fare.collection.facts import Facts
from fare.collection.rides import KnownCommit, ProvenRide, RideKey
from fare.collection.ticket_claims import claim_of
from fare.collection.verdict import Verdict, same_vehicle
from fare.collection.words import Flag, MediumKind, ProofState, ProvenBy, SuspenseReason
from fare.core.decision import Boarding, ticket_context
from fare.core.proof.phone import TicketRefusal, VerifiedTicket, examine_upload
from fare.core.replay import claims
from fare.core.tariff.pricing import RiderState, price


def judge_ticket(verdict: Verdict, text: str, facts: Facts) -> ProvenRide | None:
    """Settle one ticket's tap; the ride that it proves, if it is new."""
    ticket = examine_upload(text, facts.channel_keys)
    if isinstance(ticket, TicketRefusal):
        verdict.reject(f"ticket_{ticket}")
        return None
    cti = ticket.entitlement.cti
    verdict.key = RideKey(MediumKind.TICKET, cti.hex(), ticket.ctr)
    if facts.tickets.get(cti) != ticket.entitlement.raw:
        verdict.reject(Flag.UNKNOWN_TICKET)
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
        paid = claim_of(ride.proof)
        if paid is not None and paid.overlaps(wanted):
            return key, ride
    return None


def _meet(verdict: Verdict, ticket: VerifiedTicket, key: RideKey, ride: KnownCommit, facts: Facts) -> None:
    """The same ride again, a claim on part of it, or another bus's copy: then neither bus is paid for now.

    A camera at a stop could show a rider's code to its own bus first; who uploads first must not decide.
    """
    same_bus = same_vehicle(verdict, ride, facts)
    if same_bus and claim_of(ride.proof) == claims(ticket.entitlement.cti, ticket.ctr, ticket.pax):
        verdict.state = ProofState.VALID
        verdict.flags.append(Flag.SAME_RIDE)
        return
    verdict.state = ProofState.CONFLICT
    verdict.disputes = None if same_bus else key


def _ticket_price(verdict: Verdict, ticket: VerifiedTicket, facts: Facts) -> tuple[int, int]:
    tap = verdict.tap
    tariff = facts.tariff(tap.tariff_version, verdict.tapped_at)
    boarding = Boarding(tap.device, tap.seq, int(verdict.tapped_at.timestamp()), tap.line, tap.area)
    asked, _ = price(tariff, RiderState(), ticket_context(ticket, boarding))
    return asked.amount_rial, tariff.max_fare_rial * ticket.pax
