"""What a ticket's tap is worth: its signatures, the hold behind it, whose ride it is. Pure.

A ride is (cti, ctr), never a ticket's bytes. What a second bus shows of a ride is a conflict, kept and not
posted; the same bus again is the same ride.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from fare.collection.doubts import is_contradicted, terms_differ
from fare.collection.facts import Facts
from fare.collection.rides import KnownCommit, ProvenRide, RideKey
from fare.collection.ticket_claims import claim_of, shown_by
from fare.collection.verdict import Verdict, same_vehicle
from fare.collection.words import Flag, MediumKind, ProofState, ProvenBy, SuspenseReason
from fare.core.boarding import Boarding, ticket_context
from fare.core.proof.mc1 import PhoneTicket
from fare.core.proof.mp1 import PaperTicket
from fare.core.proof.paper import check_paper_window
from fare.core.proof.refusal import TicketRefusal
from fare.core.proof.tickets import AnyVerifiedTicket, examine_any_upload
from fare.core.tariff.model import Tariff
from fare.core.tariff.pricing import price
from fare.core.tariff.state import RiderState

_NO_TIME: Final = frozenset({Flag.CLOCK_UNKNOWN, Flag.CLOCK_IMPLAUSIBLE})
"""The tap counts when it arrived: nobody knows when it was, and the rider gets the benefit."""


def judge_ticket(verdict: Verdict, text: str, facts: Facts) -> ProvenRide | None:
    """Settle one ticket's tap; the ride that it proves, if it is new."""
    ticket = examine_any_upload(text, facts.channel_keys)
    if isinstance(ticket, TicketRefusal):
        verdict.reject(f"ticket_{ticket}")
        return None
    verdict.key = RideKey(MediumKind.TICKET, ticket.cti.hex(), ticket.ctr)
    if facts.tickets.get(ticket.cti) != _entitlement(ticket):
        verdict.reject(Flag.UNKNOWN_TICKET)
        return None
    if isinstance(ticket, PaperTicket) and _NO_TIME.isdisjoint(verdict.flags):
        outside = check_paper_window(ticket, int(verdict.tapped_at.timestamp()))
        if outside is not None:
            verdict.reject(f"ticket_{outside}")
            return None
    verdict.state = ProofState.VALID
    met = _met_before(ticket, facts)
    if met is not None:
        _meet(verdict, ticket, *met, facts)
        return None
    held_back = None if facts.seen_elsewhere is None else SuspenseReason.DEVICE_REVOKED
    if isinstance(ticket, PaperTicket):
        held_back = held_back or _paper_doubt(verdict, ticket, facts)
    else:
        held_back = held_back or _clock_doubt(verdict, ticket, facts)
    return _ride(verdict, verdict.key, ticket, held_back, facts)


def _ride(
    verdict: Verdict, key: RideKey, ticket: AnyVerifiedTicket, held_back: SuspenseReason | None, facts: Facts
) -> ProvenRide:
    tariff = facts.tariff(verdict.tap.tariff_version, verdict.tapped_at)
    asked_rial, ceiling_rial = _ticket_price(verdict, ticket, tariff)
    if verdict.tap.fare_rial != asked_rial:
        verdict.flags.append(Flag.PRICE_DIFFERS)
    return ProvenRide(
        key=key,
        source=verdict.source,
        boarded_at=verdict.tapped_at,
        service_day=verdict.service_day,
        line=verdict.tap.line,
        # The rider pays what was shown, and never more than the tariff asks or the ledger has set aside.
        fare_rial=min(verdict.tap.fare_rial, asked_rial, ticket.held_rial),
        proven_by=ProvenBy.TAP,
        proof=ticket.raw,
        ceiling_rial=ceiling_rial,
        funds_left_rial=facts.late.behind(ticket.cti),
        evidence=None,
        held_back=held_back,
        tariff_version=tariff.version,
        area=verdict.tap.area,
    )


def _entitlement(ticket: AnyVerifiedTicket) -> bytes:
    """What the ledger signed of it."""
    return ticket.raw if isinstance(ticket, PaperTicket) else ticket.entitlement.raw


def _clock_doubt(verdict: Verdict, ticket: PhoneTicket, facts: Facts) -> SuspenseReason | None:
    """The phone signed its own time: a bus that states another one for better terms waits."""
    shown_at = datetime.fromtimestamp(ticket.ts_s, UTC)
    if _is_out_of_time(verdict, ticket):
        verdict.flags.append(Flag.CLOCK_CONTRADICTED)
        if terms_differ(verdict.tap.device, verdict.tapped_at, shown_at, facts):
            return SuspenseReason.RECORD_DIFFERS
    return None


def _is_out_of_time(verdict: Verdict, ticket: PhoneTicket) -> bool:
    """Whether the phone signed this frame at another time than the tap's: a bus that knew it refused it."""
    shown_at = datetime.fromtimestamp(ticket.ts_s, UTC)
    return is_contradicted(verdict.tapped_at, shown_at) or is_contradicted(shown_at, verdict.tapped_at)


def _paper_doubt(verdict: Verdict, ticket: PaperTicket, facts: Facts) -> SuspenseReason | None:
    """Paper rides the bus it names, or one that was given leave: whoever took it elsewhere waits."""
    here = facts.assignments.at(verdict.tap.device, verdict.tapped_at)
    vehicle = None if here is None else here.vehicle_id
    if ticket.vehicle is not None:
        fits, flag = vehicle == ticket.vehicle, Flag.WRONG_VEHICLE
    else:
        leave = facts.redemptions.get(ticket.cti)
        fits = leave is not None and (
            leave.device_id == verdict.tap.device or (vehicle is not None and leave.vehicle_id == vehicle)
        )
        flag = Flag.NOT_REDEEMED
    if fits:
        return None
    verdict.flags.append(flag)
    return SuspenseReason.PAPER_WITHOUT_LEAVE


def _met_before(ticket: AnyVerifiedTicket, facts: Facts) -> tuple[RideKey, KnownCommit] | None:
    """The ride that stands for some of what this ticket claims; the earliest, where it overlaps several."""
    wanted = shown_by(ticket).claim
    ref = ticket.cti.hex()
    for key in sorted(key for key in facts.known if key.kind is MediumKind.TICKET and key.ref == ref):
        paid = claim_of(facts.known[key].proof)
        if paid is not None and paid.overlaps(wanted):
            return key, facts.known[key]
    return None


def _meet(verdict: Verdict, ticket: AnyVerifiedTicket, key: RideKey, ride: KnownCommit, facts: Facts) -> None:
    """The same ride again, a claim on part of it, or another bus's copy: then neither bus is paid for now.

    A camera at a stop could show a rider's code to its own bus first; who uploads first must not decide.
    """
    same_bus = same_vehicle(verdict, ride, facts)
    if same_bus and claim_of(ride.proof) == shown_by(ticket).claim:
        verdict.state = ProofState.VALID
        verdict.flags.append(Flag.SAME_RIDE)
        return
    verdict.state = ProofState.CONFLICT
    if isinstance(ticket, PhoneTicket) and _is_out_of_time(verdict, ticket):
        # An old picture, on a bus that had lost the time: no doubt of who rode, nor of the rider's phone.
        verdict.flags.append(Flag.CLOCK_CONTRADICTED)
    else:
        verdict.disputes = None if same_bus else key
    if isinstance(ticket, PhoneTicket) and claim_of(ride.proof) != shown_by(ticket).claim:
        # A camera copies a code as it is: claims that overlap and differ are made by the phone's own key.
        verdict.flags.append(Flag.SIGNED_TWICE)


def _ticket_price(verdict: Verdict, ticket: AnyVerifiedTicket, tariff: Tariff) -> tuple[int, int]:
    """What the bus had to ask, which knows nothing of the rides before, and the most that there is to ask."""
    tap = verdict.tap
    boarding = Boarding(tap.device, tap.seq, int(verdict.tapped_at.timestamp()), tap.line, tap.area)
    asked, _ = price(tariff, RiderState(), ticket_context(tariff, ticket, boarding))
    return asked.amount, tariff.max_fare_rial * ticket.pax
