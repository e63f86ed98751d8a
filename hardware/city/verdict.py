"""What a simulated day amounts to, judged from both ends: the buses' journals and chips against the ledger.

Every figure is counted from rows, journals or chips; none is taken over from the plan.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session, select

from fare.collection.models import RegisteredTap, Ride
from fare.core.desfire.application import open_card, run
from fare.core.desfire.keys import ValidatorKeys
from fare.core.tap import Outcome
from fare.database.engine import write
from fare.issuing import Purse, newest_funds
from fare.issuing.models import TicketEntitlement
from fare.ledger import accounts
from fare.ledger.reading import balance, balances, clearing
from fare.reconciliation import audit, run_proofs
from fare.reconciliation.report import ProofState
from hardware.city.founding import City
from hardware.city.media import IssuedCard
from hardware.emulator.reader import InProcessReader

_QUEUED = {"conflict", "pending", "bad"}
_FIELD_TIMEOUT_S = 5.0
PROOF_FIGURES = ("checked", "matched", "waiting", "exceptions")
"""`checked` = matched + waiting (not due yet) + what the exceptions concern."""
_FIGURES = (
    "taps",
    "accepted",
    "refused",
    "unconfirmed",
    "settled_later",
    "loads",
    "posted",
    "posted_twice",
    "missing",
    "trial_balance",
    "clearing",
    "media_mismatches",
    "unexplained",
)


@dataclass(frozen=True, slots=True)
class BusReport:
    """All taps of one validator's journal, as it told them; `copied` marks one that should not exist."""

    device: int
    taps: list[dict[str, Any]]
    copied: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures of the day. `findings` are sentences, each naming an entry, a tap or a medium."""

    taps: int
    accepted: int
    refused: int
    unconfirmed: int
    settled_later: int
    loads: int
    posted: int
    posted_twice: int
    missing: int
    trial_balance: int
    clearing: int
    media_mismatches: int
    unexplained: int
    proofs: Mapping[str, ProofState]
    findings: tuple[str, ...]
    tampered_entry: str | None = None

    @property
    def clean(self) -> bool:
        """Whether every rial is matched or explained and every proof looked at something."""
        faults = (self.posted_twice, self.missing, self.trial_balance, self.clearing, self.media_mismatches)
        checked = all(proof.checked > 0 for proof in self.proofs.values())
        return not any(faults) and self.unexplained == 0 and self.posted == self.accepted and checked

    def to_document(self) -> dict[str, Any]:
        """The JSON form that `mancard day --json` prints."""
        figures = {name: getattr(self, name) for name in _FIGURES}
        proofs = {
            name: {part: getattr(proof, part) for part in PROOF_FIGURES}
            for name, proof in self.proofs.items()
        }
        return figures | {
            "proofs": proofs,
            "findings": list(self.findings),
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """What went on outside the ledger: the cards, how many rides each phone saw turn green (by cti), and how
    many loads a counter wrote onto cards.
    """

    cards: Sequence[IssuedCard]
    green_rides: Mapping[bytes, int]
    desk_loads: int


def judge(
    city: City,
    day: date,
    now: datetime,
    reports: Sequence[BusReport],
    seen: Seen,
    tampered_entry: str | None,
) -> Verdict:
    """Compare both ends."""
    with write(city.engine) as session:
        proofs = run_proofs(session, day, now, city.zone)
        checked = audit(session)
        posting = _Posting(session)
        own = [report for report in reports if not report.copied]
        outcomes = Counter(tap["outcome"] for report in own for tap in report.taps)
        posted, missing, again = posting.of_accepted(own)
        wrong_media = _wrong_cards(session, city, seen.cards) + _wrong_phones(session, seen.green_rides)
        exceptions = [item for proof in proofs.values() for item in proof.items]
        findings = [
            *(str(finding) for finding in checked.findings),
            *(f"{item.kind}: {item.subject}: {item.detail}" for item in exceptions),
            *wrong_media,
            *missing,
        ]
        return Verdict(
            taps=sum(outcomes.values()),
            accepted=outcomes["accepted"],
            refused=outcomes["refused"],
            unconfirmed=outcomes["unconfirmed"],
            settled_later=posting.settled_later,
            loads=seen.desk_loads + sum(tap["carried_load"] for report in own for tap in report.taps),
            posted=posted,
            posted_twice=again + checked.posted_twice,
            missing=len(missing),
            trial_balance=sum(balances(session, "").values()),
            clearing=clearing(session, day),
            media_mismatches=len(wrong_media),
            unexplained=len(checked.findings) + sum(proof.exceptions for proof in proofs.values()),
            proofs=proofs,
            findings=tuple(findings),
            tampered_entry=tampered_entry,
        )


class _Posting:
    """The register and the rides, looked up by the buses' own numbering."""

    def __init__(self, session: Session) -> None:
        rides = session.exec(select(Ride)).all()
        self._rides = {(ride.medium_kind, ride.medium_ref, ride.counter): ride for ride in rides}
        self._taps = {
            (tap.device_id, tap.journal_id.hex(), tap.seq): tap for tap in session.exec(select(RegisteredTap))
        }
        self.settled_later = sum(
            tap.outcome == Outcome.UNCONFIRMED and tap.proof_state == "valid" for tap in self._taps.values()
        )

    def of_accepted(self, reports: Sequence[BusReport]) -> tuple[int, list[str], int]:
        """Of all taps that showed green: how many are posted, which are nowhere, how many share a ride."""
        uses: Counter[tuple[str, str, int]] = Counter()
        missing: list[str] = []
        for report in reports:
            for told in report.taps:
                if told["outcome"] != "accepted":
                    continue
                tap = self._taps.get((report.device, told["journal_id"], told["seq"]))
                if tap is None:
                    missing.append(
                        f"tap {told['seq']} of device {report.device} was green and is not registered"
                    )
                elif tap.proof_state not in _QUEUED:
                    ride = (tap.medium_kind or "", tap.medium_ref or "", tap.counter or 0)
                    if ride in self._rides:
                        uses[ride] += 1
                    else:
                        missing.append(
                            f"tap {told['seq']} of device {report.device} was green and is not posted"
                        )
        return len(uses), missing, sum(count - 1 for count in uses.values())


def _wrong_cards(session: Session, city: City, cards: Sequence[IssuedCard]) -> list[str]:
    """Cards whose chip and whose stored-value account disagree, read through the driver with k1."""
    keys = city.keys.validator_keys
    reader = InProcessReader(city.media, name="auditor")
    funds = newest_funds(session, [card.serial for card in cards])
    stored = balances(session, "stored_value:card:")
    wrong: list[str] = []
    for card in cards:
        spent = _spent_on_chip(reader, keys, card.name)
        held = -stored.get(accounts.stored_value(Purse.CARD, str(card.serial)), 0)
        expected = funds[card.serial][0] - spent
        if held != expected:
            wrong.append(f"card {card.serial}: the chip leaves {expected} rial, its account holds {held}")
    return wrong


def _spent_on_chip(reader: InProcessReader, keys: ValidatorKeys, name: str) -> int:
    reader.place(name)
    try:
        link = reader.wait_for_card(_FIELD_TIMEOUT_S)
        if link is None:
            raise RuntimeError(f"the card {name} is not in the field")
        try:
            return run(open_card(keys, lambda: secrets.token_bytes(16)), link.transmit).spent
        finally:
            link.close()
    finally:
        reader.remove()


def _wrong_phones(session: Session, green_rides: Mapping[bytes, int]) -> list[str]:
    """Phones whose own count of green rides and whose hold disagree."""
    wrong: list[str] = []
    for cti, rides in green_rides.items():
        issued = session.get_one(TicketEntitlement, cti)
        captured = issued.hold_rial + balance(session, accounts.holds(cti))
        if captured != rides * issued.max_fare_rial:
            wrong.append(f"phone {cti.hex()}: {rides} green rides, {captured} rial captured from its hold")
    return wrong
