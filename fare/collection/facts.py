"""Everything the ledger knows that card evidence and tickets are judged by, fetched once for all of a batch.
It judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import Session

from fare.collection import commits
from fare.collection.card_proof import CardFace, CardFacts
from fare.collection.commits import OpenRow, PurseAt
from fare.collection.earlier_tap import PERSONALISATION_TMC, is_load
from fare.collection.redemptions import Redeemed, redemptions
from fare.collection.rides import (
    Double,
    KnownCommit,
    ProvenCommit,
    ProvenRide,
    RideKey,
    card_key,
    readable_record,
)
from fare.collection.tariffs import Tariffs, tariffs
from fare.collection.upload import City
from fare.collection.words import MediumKind
from fare.core.proof.card import CardEvidence, CommitProof
from fare.fleet import AssignmentTable, DeviceKey, assignments_at, revocations
from fare.issuing import card_identities, entitlement_bytes, newest_funds, ticket_entitlements
from fare.issuing.denylist import inactive_cards
from fare.issuing.holds import LateFunds
from fare.keys import KeyStore


@dataclass(frozen=True, slots=True)
class Facts:
    """`limits_rial`: what each card may have spent in all. `tickets`: entitlements' bytes by cti.

    `known` has the proven commits and rides that the evidence touches, and grows as more are proven.
    `credited_rial` is set for cards that are denied, replaced, or of which this evidence contradicts what
    stands: what was credited for all their rides.
    `redemptions` has the paper tickets for any vehicle that a bus asked leave for.
    `revoked` has the revoked ones of all devices named here. `seen_elsewhere` is set for a revoked device
    alone: the highest counter of each card that rode another bus before the revocation. `doubles` collects
    second valid proofs that no tap in the register stands for, and valid ones of a card whose debits went
    back. `purses` has the proven rides beside those that are told of, and grows like `known`. `late` is what
    is behind tickets whose holds were given back.
    """

    cards: CardFacts
    limits_rial: Mapping[int, int]
    credited_rial: dict[int, int]
    tickets: Mapping[bytes, bytes]
    redemptions: Mapping[bytes, Redeemed]
    channel_keys: Mapping[bytes, Ed25519PublicKey]
    tariff: Tariffs
    city: City
    assignments: AssignmentTable
    known: dict[RideKey, KnownCommit]
    open_rows: Sequence[OpenRow]
    revoked: Mapping[int, datetime]
    seen_elsewhere: Mapping[str, int] | None
    doubles: list[Double] = field(default_factory=list[Double])
    purses: dict[str, list[PurseAt]] = field(default_factory=dict[str, list[PurseAt]])
    late: LateFunds = field(default_factory=LateFunds)

    def enter(self, proven: ProvenRide | ProvenCommit) -> None:
        """Let what was just proven be known to all that is judged after it."""
        self.known[proven.key] = proven.known()
        if isinstance(proven, ProvenRide) and proven.key.kind is MediumKind.TICKET:
            self.late.take(bytes.fromhex(proven.key.ref), proven.fare_rial)
        if isinstance(proven, ProvenRide) and proven.evidence is not None:
            self._compare_purse(proven, proven.evidence)
        if not isinstance(proven, ProvenRide) or proven.evidence is None or proven.held_back is not None:
            return
        serial = proven.evidence.serial
        if serial in self.credited_rial:
            left_rial = max(0, proven.funds_left_rial or 0)
            self.credited_rial[serial] += min(proven.fare_rial, proven.ceiling_rial, left_rial)

    def _compare_purse(self, ride: ProvenRide, evidence: CardEvidence) -> None:
        """A chip whose debits went back is a copy, even where it never used a counter twice."""
        beside = self.purses.setdefault(ride.key.ref, [])
        here = _purse(ride.key, evidence)
        if any(here.contradicts(other) for other in beside):
            proof = CommitProof(ride.key.counter, ride.proof)
            self.doubles.append(Double(evidence.serial, proof, evidence.record_written, ride.source.device))
        beside.append(here)


def own_key(evidence: CardEvidence) -> RideKey | None:
    """The commit a tap claims to be: its proof's counter, or the one it would have had; None without one."""
    if evidence.record_written is None:
        return None
    tmc = evidence.previous.tmc + 1 if evidence.proof is None else evidence.proof.tmc
    return card_key(evidence.serial, tmc)


def _purse(key: RideKey, evidence: CardEvidence) -> PurseAt:
    return PurseAt(key.ref, key.counter, evidence.spent_before, evidence.spent_before + evidence.debit_rial)


def gather(
    session: Session,
    keys: KeyStore,
    cards: Sequence[CardEvidence],
    city: City,
    *,
    device: DeviceKey | None = None,
    ctis: Iterable[bytes] = (),
    older: Sequence[tuple[int, bytes]] = (),
    late: LateFunds | None = None,
) -> Facts:
    """Fetch what this evidence is judged by, in one query for each kind of fact.

    `device` brought it; None for the issuing server. `older`: records, with their card's serial, that a desk
    read below the newest one.
    """
    connection = session.connection()
    serials = sorted({card.serial for card in cards})
    refs = [str(serial) for serial in serials]
    open_rows = commits.open_evidence(connection, refs)
    known = commits.card_commits(connection, _wanted_commits(cards, open_rows))
    ticket_ctis = sorted(set(ctis))
    versions = _wanted_versions(cards, open_rows, known, older)
    known |= commits.ticket_rides(connection, [cti.hex() for cti in ticket_ctis])
    identities = card_identities(session, keys, serials)
    funds = newest_funds(session, serials)
    purses = _purses(commits.purses_beside(connection, _unproven(cards, known)))
    bounded = inactive_cards(session, serials) | _contradicted(cards, known) | _gone_back(cards, purses)
    credited = commits.credited(connection, [str(serial) for serial in sorted(bounded)])
    devices = _wanted_devices(device, cards, open_rows)
    revoked_at = None if device is None else device.revoked_at
    return Facts(
        cards=CardFacts(
            {serial: CardFace(found.uid, found.tm_key) for serial, found in identities.items()},
            entitlement_bytes(session, versions),
        ),
        limits_rial={serial: funds_rial + overdraft for serial, (funds_rial, overdraft) in funds.items()},
        credited_rial={serial: credited.get(str(serial), 0) for serial in bounded},
        tickets={cti: found.raw for cti, found in ticket_entitlements(session, ticket_ctis).items()},
        redemptions=redemptions(session, ticket_ctis),
        channel_keys=keys.channels.known(),
        tariff=tariffs(session),
        city=city,
        assignments=assignments_at(session, devices),
        known=known,
        open_rows=open_rows,
        revoked=revocations(session, devices),
        purses=purses,
        late=late or LateFunds(),
        seen_elsewhere=None
        if device is None or revoked_at is None
        else commits.highest_from_others(connection, device.device_id, refs, revoked_at),
    )


def _contradicted(cards: Sequence[CardEvidence], known: Mapping[RideKey, KnownCommit]) -> set[int]:
    """The cards of which this evidence tells another proof than the one that stands, whether it holds or
    not.
    """
    found: set[int] = set()
    for card in cards:
        own = own_key(card)
        told = [(card_key(card.serial, card.previous.tmc), card.previous)]
        if own is not None and card.proof is not None:
            told.append((own, card.proof))
        if any(key in known and known[key].proof != proof.tmv for key, proof in told):
            found.add(card.serial)
    return found


def _unproven(cards: Sequence[CardEvidence], known: Mapping[RideKey, KnownCommit]) -> set[RideKey]:
    """The commits that this evidence tells of and that nobody has proven yet."""
    told = {card_key(card.serial, card.previous.tmc) for card in cards}
    told |= {key for card in cards if (key := own_key(card)) is not None}
    return {key for key in told if key not in known}


def _purses(found: Iterable[PurseAt]) -> dict[str, list[PurseAt]]:
    by_card: dict[str, list[PurseAt]] = {}
    for purse in found:
        by_card.setdefault(purse.ref, []).append(purse)
    return by_card


def _gone_back(cards: Sequence[CardEvidence], purses: Mapping[str, Sequence[PurseAt]]) -> set[int]:
    """The cards that this evidence, whether it holds or not, tells to have spent less than before."""
    beside = {ref: list(known) for ref, known in purses.items()}
    for card in cards:
        key = own_key(card)
        if key is not None:
            beside.setdefault(key.ref, []).append(_purse(key, card))
    found: set[int] = set()
    for ref, told in beside.items():
        spent_rial = 0
        for _, purse in sorted({purse.counter: purse for purse in told}.items()):
            if purse.before_rial < spent_rial:
                found.add(int(ref))
            spent_rial = max(spent_rial, purse.after_rial)
    return found


def _wanted_commits(cards: Sequence[CardEvidence], open_rows: Sequence[OpenRow]) -> set[RideKey]:
    """What the cards' commits stand on: the commit before each, and the one before that."""
    named = {row.key for row in open_rows}
    for card in cards:
        named.add(card_key(card.serial, card.previous.tmc))
        key = own_key(card)
        if key is not None:
            named.add(key)
    return named | {key.before(steps) for key in named for steps in (1, 2)}


def _wanted_versions(
    cards: Sequence[CardEvidence],
    open_rows: Sequence[OpenRow],
    known: Mapping[RideKey, KnownCommit],
    older: Sequence[tuple[int, bytes]],
) -> set[tuple[int, int]]:
    wanted: set[tuple[int, int]] = set()
    carried = [row.key for row in open_rows]
    records = [(row.key.ref, row.record) for row in open_rows]
    records += [(str(serial), record) for serial, record in older]
    for card in cards:
        wanted.add((card.serial, card.entitlement_version))
        if card.delivered_version is not None:
            wanted.add((card.serial, card.delivered_version))
        carried.append(card_key(card.serial, card.previous.tmc))
        records.append((str(card.serial), card.record_read))
    # A card's first rides stand on its personalisation, which was version 1.
    wanted |= {(int(key.ref), 1) for key in carried if _stands_on_first(key, known)}
    for ref, raw in records:
        record = readable_record(raw)
        if record is not None:
            wanted.add((int(ref), record.entitlement_version))
    for key, commit in known.items():
        if key.kind is MediumKind.CARD and commit.version_after is not None:
            wanted.add((int(key.ref), commit.version_after))
    return wanted


def _stands_on_first(key: RideKey, known: Mapping[RideKey, KnownCommit]) -> bool:
    below = key.before()
    while below in known and is_load(known[below]):
        below = below.before()
    return below.counter <= PERSONALISATION_TMC + 1


def _wanted_devices(
    device: DeviceKey | None, cards: Sequence[CardEvidence], open_rows: Sequence[OpenRow]
) -> set[int]:
    """This device, and every validator that a card's record names."""
    wanted = set[int]() if device is None else {device.device_id}
    for raw in [card.record_read for card in cards] + [row.record for row in open_rows]:
        record = readable_record(raw)
        if record is not None and record.validator:
            wanted.add(record.validator)
    return wanted
