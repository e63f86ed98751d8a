"""The card proof: what media signed as spent, ride by ride, without a gap and without a double.

A card's counter (TMC) rises by one a commit and its `spent` only grows, so a ride that nobody reported shows
itself by amount in the next one, and a clone by two valid proofs for one counter. A bad proof accuses the
device that sent it, never the card it names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import product
from typing import Final

from sqlmodel import Session

from fare.collection import card_register
from fare.collection.adjustments import told_too_little
from fare.collection.card_register import CardState, CardStep
from fare.collection.conflicts import undecided
from fare.collection.open_taps import (
    OpenTap,
    media_in_conflict,
    open_taps,
    open_taps_of_card,
    torn_taps_before,
)
from fare.collection.rides import readable_record
from fare.collection.words import MediumKind, ProofState, SuspenseReason
from fare.core.tap import Outcome as TapOutcome
from fare.reconciliation.findings import Finding, Kind, Outcome, Queue

SETTLED_WITHIN: Final = timedelta(hours=24)
"""So long an unconfirmed tap may wait for its card to be seen again."""
IMPOSSIBLE_WITHIN: Final = timedelta(seconds=60)
"""Nobody rides one bus and boards another within a minute: the doors of the first have to open, the second
has to stand there, and its clock may be some seconds off. A relayed card does, and so does a copied one."""
FALSE_WITHIN: Final = timedelta(days=30)
"""A card that was charged too little twice within this is a case for a person."""
_FRESH: Final = CardState(1, 0, 0, None, 0)
"""A card after its personalisation, where that was not reported."""
_EXPLAINED_RIDES_MAX: Final = 6


@dataclass(slots=True)
class _Look:
    """One look at a day, and what it has come to so far."""

    session: Session
    day: date
    now: datetime
    is_closed: bool
    findings: list[Finding] = field(default_factory=list[Finding])
    waiting: int = 0
    troubled: int = 0

    def is_fresh(self, at: datetime) -> bool:
        return self.now - at < SETTLED_WITHIN


def check_card(session: Session, day: date, now: datetime, *, is_closed: bool) -> Outcome:
    """The day's rides and the taps that no ride stands for; unconfirmed taps of earlier days too."""
    look = _Look(session, day, now, is_closed)
    rides = sum(card_register.ride_counts(session, day).values())
    unposted = undecided(session, open_taps(session, day))
    cloned = _conflicts(look, unposted)
    cloned |= _doubles(look, cloned)
    _bad_proofs(look, unposted)
    _beyond_funds(look, cloned)
    _steps(look, cloned)
    _ahead(look, cloned)
    _false_states(look)
    for tap in unposted:
        _open_tap(look, tap, cloned)
    older = torn_taps_before(session, day)
    for tap in older:
        _open_tap(look, tap, cloned)
    checked = rides + len(unposted) + len(older)
    return Outcome(checked, max(0, checked - look.waiting - look.troubled), look.waiting, look.findings)


# --- doubles, forgeries, money that is not there ----------------------------------------------------------


def _conflicts(look: _Look, taps: Sequence[OpenTap]) -> set[str]:
    """One finding a medium, however often its double rode. Returns the cards of which a double is known."""
    doubles: dict[tuple[str, str], list[OpenTap]] = defaultdict(list)
    for tap in taps:
        if tap.proof_state is ProofState.CONFLICT:
            doubles[tap.medium_kind or "", tap.medium_ref or ""].append(tap)
    for (kind, ref), found in sorted(doubles.items()):
        look.troubled += len(found)
        counters = ", ".join(str(tap.counter) for tap in found)
        card = kind == MediumKind.CARD
        what = "two valid proofs for counter" if card else "claimed on two buses: ride"
        look.findings.append(
            Finding(
                Kind.CLONE if card else Kind.TICKET_CONFLICT,
                ref,
                look.day,
                sum(tap.fare_rial for tap in found),
                f"{kind} {ref}: {what} {counters}",
                Queue.FINANCE,
            )
        )
    return {ref for kind, ref in doubles if kind == MediumKind.CARD}


def _doubles(look: _Look, cloned: set[str]) -> set[str]:
    """Cards of which a desk, or a later tap, brought a second valid proof. They are denied already."""
    found: dict[str, list[int]] = defaultdict(list)
    for double in card_register.doubles_seen(look.session):
        found[double.medium_ref].append(double.counter)
    for ref, counters in sorted(found.items()):
        if ref not in cloned:
            listed = ", ".join(str(counter) for counter in sorted(set(counters)))
            detail = f"card {ref}: two valid proofs for counter {listed}"
            look.findings.append(Finding(Kind.CLONE, ref, look.day, 0, detail, Queue.FINANCE))
    return set(found)


def _bad_proofs(look: _Look, taps: Sequence[OpenTap]) -> None:
    by_device: dict[int, list[OpenTap]] = defaultdict(list)
    for tap in taps:
        if tap.proof_state is ProofState.BAD:
            by_device[tap.device_id].append(tap)
    for device, found in sorted(by_device.items()):
        look.troubled += len(found)
        look.findings.append(
            Finding(
                Kind.BAD_PROOF,
                f"{device}:{look.day}",
                look.day,
                sum(tap.fare_rial for tap in found),
                f"device {device} sent {len(found)} taps whose proof does not hold, first tap {found[0].seq}",
                Queue.TECHNICIAN,
            )
        )


def _beyond_funds(look: _Look, cloned: set[str]) -> None:
    """Rides for which the ledger had signed no money: the owner waits, and a person looks at the card."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in card_register.held_back(look.session, look.day):
        if row.reason == SuspenseReason.BEYOND_FUNDS:
            look.troubled += row.rides
            if row.medium_ref not in cloned:
                sums[row.medium_ref][0] += row.rides
                sums[row.medium_ref][1] += row.suspense_rial
    for ref, (rides, rial) in sorted(sums.items()):
        detail = f"card {ref} spent {rial:,} rial in {rides} rides beyond what was loaded"
        look.findings.append(
            Finding(Kind.BEYOND_FUNDS, f"{ref}:{look.day}", look.day, rial, detail, Queue.FINANCE)
        )


# --- continuity -------------------------------------------------------------------------------------------


def _steps(look: _Look, cloned: set[str]) -> None:
    breaks: list[CardStep] = []
    for step in card_register.card_steps(look.session, look.day):
        if not _continues(step):
            breaks.append(step)
        if step.medium_ref not in cloned:
            _travel(look, step)
    breaks += card_register.block_steps(look.session, look.day)
    doubled = cloned | media_in_conflict(look.session, MediumKind.CARD, {step.medium_ref for step in breaks})
    for step in breaks:
        if step.medium_ref in doubled:
            look.troubled += 1  # its double explains it, and is in the queue
        else:
            _break(look, step)


def _continues(step: CardStep) -> bool:
    if step.expected_rial is None and step.counter == _FRESH.counter + 1:
        return step.spent_before_rial == 0
    return step.expected_rial == step.spent_before_rial


def _travel(look: _Look, step: CardStep) -> None:
    """Two rides in a row that one card cannot have made: it was relayed, or there are two of it."""
    change = step.change
    if change is None or change.apart >= IMPOSSIBLE_WITHIN:
        return
    if not card_register.clocks_were_right(look.session, change.places):
        return
    seconds = int(change.apart.total_seconds())
    detail = (
        f"card {step.medium_ref} rode vehicles {change.vehicle_before} and {change.vehicle_id}"
        f" within {seconds} seconds (counters {step.counter - 1} and {step.counter})"
    )
    subject = f"{step.medium_ref}:{step.counter}"
    finding = Finding(Kind.IMPOSSIBLE_TRAVEL, subject, look.day, step.fare_rial, detail, Queue.FINANCE)
    _trouble(look, finding)


def _break(look: _Look, step: CardStep) -> None:
    ref, counter = step.medium_ref, step.counter
    last = _before(look.session, ref, counter)
    jump = step.spent_before_rial - last.spent_after_rial
    missing = counter - last.counter - 1 - last.loads
    if missing == 0:
        if jump:
            detail = f"card {ref}: {jump:,} rial were spent between its commits {last.counter} and {counter}"
            _trouble(look, Finding(Kind.SPENT_GAP, f"{ref}:{counter}", look.day, jump, detail, Queue.FINANCE))
        return
    if jump == 0 and last.record is not None and step.record_read == last.record:
        return  # what nobody reported left neither a record nor a debit: loads at a desk
    torn = _torn_between(look.session, ref, last.counter, counter)
    # A bus that has not uploaded yet may still bring the rides, as long as the day is open.
    if _explains(torn, jump, missing) or (not look.is_closed and look.is_fresh(step.boarded_at)):
        look.waiting += 1
        return
    detail = f"card {ref}: {missing} commits before its commit {counter} were never reported, {jump:,} rial"
    _trouble(look, Finding(Kind.UNREPORTED, f"{ref}:{counter}", look.day, jump, detail, Queue.FINANCE))


def _ahead(look: _Look, cloned: set[str]) -> None:
    """Cards that a desk found to have spent more than is proven, and that no bus met since."""
    for ref, counter, record, at in card_register.seen_at_desks(look.session):
        told = readable_record(record)
        last = _before(look.session, ref, counter + 1)
        if told is None or ref in cloned or last.counter >= counter or look.is_fresh(at):
            continue
        if card_register.next_state_after(look.session, ref, counter) is not None:
            continue  # its next commit shows the same amount
        jump = told.spent_after_rial - last.spent_after_rial
        if jump > 0:
            detail = f"card {ref}: a desk read {jump:,} rial more spent than its proven rides come to"
            subject = f"{ref}:{counter}"
            day = min(look.day, at.date())
            look.findings.append(Finding(Kind.CARD_AHEAD, subject, day, jump, detail, Queue.FINANCE))


def _false_states(look: _Look) -> None:
    """Cards that told their buses of rides or caps that they do not have, more than once."""
    since = look.day - FALSE_WITHIN
    for card in told_too_little(look.session, look.day, since):
        detail = (
            f"card {card.serial} was charged too little on {card.times} rides since {since}, for a past that"
            f" it does not have: {card.rider_rial:,} rial were charged afterwards"
        )
        subject = f"{card.serial}:{look.day}"
        look.findings.append(
            Finding(Kind.FALSE_STATE, subject, look.day, card.rider_rial, detail, Queue.FINANCE)
        )


def _open_tap(look: _Look, tap: OpenTap, cloned: set[str]) -> None:
    """A tap that no ride stands for and that is neither a double nor a forgery."""
    if tap.proof_state in {ProofState.CONFLICT, ProofState.BAD}:
        return
    if tap.outcome is TapOutcome.UNCONFIRMED:
        _unconfirmed(look, tap, cloned)
    elif tap.proof_state is ProofState.PENDING:
        if look.is_fresh(tap.tapped_at):
            look.waiting += 1
        else:
            _trouble(look, _of_tap(Kind.PENDING, tap, look.day, "still waits for earlier evidence"))
    else:
        _trouble(look, _of_tap(Kind.NOT_POSTED, tap, look.day, "was accepted and is posted nowhere"))


def _unconfirmed(look: _Look, tap: OpenTap, cloned: set[str]) -> None:
    # Another commit took its counter, so it never debited: explained.
    if tap.counter_taken or tap.proof_state is ProofState.NONE:
        return
    ref, counter = tap.medium_ref or "", tap.counter or 0
    if ref in cloned or _is_part_of_a_jump(look.session, ref, counter):
        look.troubled += 1
    elif look.is_fresh(tap.tapped_at):
        look.waiting += 1
    else:
        day = min(look.day, tap.tapped_at.date())
        _trouble(look, _of_tap(Kind.UNCONFIRMED, tap, day, "was torn and its card was not seen since"))


def _is_part_of_a_jump(session: Session, ref: str, counter: int) -> bool:
    """Whether the card's next ride shows an unreported amount, which stands in the queue by itself."""
    later = card_register.next_state_after(session, ref, counter)
    if later is None:
        return False
    last = _before(session, ref, later.counter)
    torn = _torn_between(session, ref, last.counter, later.counter)
    missing = later.counter - last.counter - 1 - last.loads
    return not _explains(torn, later.spent_before_rial - last.spent_after_rial, missing)


def _before(session: Session, ref: str, counter: int) -> CardState:
    """The newest proven commit below `counter`, loads aside."""
    return card_register.newest_state_before(session, ref, counter) or _FRESH


def _torn_between(session: Session, ref: str, after: int, below: int) -> list[OpenTap]:
    taps = open_taps_of_card(session, ref, after, below)
    return [
        tap for tap in taps if tap.outcome is TapOutcome.UNCONFIRMED and tap.proof_state is ProofState.PENDING
    ]


def _explains(torn: Sequence[OpenTap], jump_rial: int, commits: int) -> bool:
    """Whether one torn tap for each missing commit adds up to exactly what was spent meanwhile."""
    fares: dict[int, set[int]] = defaultdict(set)
    for tap in torn:
        fares[tap.counter or 0].add(tap.fare_rial)
    if len(fares) != commits or commits > _EXPLAINED_RIDES_MAX:
        return False
    return any(sum(choice) == jump_rial for choice in product(*fares.values()))


def _of_tap(kind: Kind, tap: OpenTap, day: date, what: str) -> Finding:
    return Finding(
        kind,
        f"{tap.device_id}:{tap.journal_id.hex()[:8]}:{tap.seq}",
        day,
        tap.fare_rial,
        f"tap {tap.seq} of device {tap.device_id} ({tap.medium_kind} {tap.medium_ref}) {what}",
        Queue.FINANCE,
    )


def _trouble(look: _Look, finding: Finding) -> None:
    look.troubled += 1
    look.findings.append(finding)
